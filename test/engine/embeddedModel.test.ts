/** What scripts/embedded-model.mjs makes of the llama2.c checkpoint. */
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseSafetensorsHeader } from "../../src/formats/safetensors.ts";
import { buildEmbeddedModel, llama2Data, llama2DataPath } from "./support/embeddedModel.ts";
import { fixtures, useTestEngine } from "./support/engine.ts";

const hidden = 288;
const headDim = 48;
const vocabulary = 32_000;
const layers = 6;

/** IEEE half precision, from its definition. */
function half(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const magnitude = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

describe("the embedded model's folder", () => {
  let base: string;
  let folder: string;
  beforeAll(() => {
    base = mkdtempSync(join(tmpdir(), "steerscope-embedded-"));
    folder = join(base, "stories15m");
    expect(buildEmbeddedModel(folder)).toMatchObject({ status: 0 });
  });
  afterAll(() => {
    rmSync(base, { recursive: true });
  });

  it("is complete, small enough, and nothing else is left beside it", () => {
    const names = readdirSync(folder);
    expect(names).toEqual(
      expect.arrayContaining([
        "LICENSE",
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
      ]),
    );
    const total = names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    expect(total).toBeLessThanOrEqual(32_000_000);
    expect(readdirSync(base)).toEqual(["stories15m"]);
  });

  it("is left alone when it is up to date, and made again when a file is damaged or missing", () => {
    const weights = join(folder, "model.safetensors");
    const before = readFileSync(weights);
    const { mtimeMs } = statSync(weights);
    expect(buildEmbeddedModel(folder).output).toContain("up to date");
    expect(statSync(weights).mtimeMs).toBe(mtimeMs);
    truncateSync(weights, 1000);
    expect(buildEmbeddedModel(folder).output).toContain("Wrote");
    expect(readFileSync(weights).equals(before)).toBe(true);
    rmSync(join(folder, "config.json"));
    expect(buildEmbeddedModel(folder).output).toContain("Wrote");
    expect(readdirSync(folder)).toContain("config.json");
  });

  it("is not made from another source", () => {
    const other = join(base, "other.data");
    const bytes = readFileSync(llama2DataPath);
    bytes[1_000_000]! ^= 1;
    writeFileSync(other, bytes);
    const target = join(base, "never");
    expect(buildEmbeddedModel(target, other)).toMatchObject({
      status: 1,
      output: expect.stringContaining("sha256 differs") as string,
    });
    expect(buildEmbeddedModel(target, join(base, "absent"))).toMatchObject({
      status: 1,
      output: expect.stringContaining("is missing") as string,
    });
    expect(readdirSync(base)).not.toContain("never");
    rmSync(other);
  });

  it("holds the checkpoint's weights, rounded, with query and key rows in half-split order", () => {
    const { checkpoint } = llama2Data();
    const weights = new Float32Array(
      checkpoint.buffer.slice(checkpoint.byteOffset + 28, checkpoint.byteOffset + checkpoint.length),
    );
    const bytes = readFileSync(join(folder, "model.safetensors"));
    const header = parseSafetensorsHeader(bytes, bytes.length);
    const row = (name: string, index: number): number[] => {
      const { begin, dtype } = header.tensors.get(name)!;
      expect(dtype).toBe("F16");
      return Array.from({ length: hidden }, (_, i) =>
        half(bytes.readUInt16LE(begin + 2 * (index * hidden + i))),
      );
    };
    const expectRow = (name: string, index: number, from: number): void => {
      row(name, index).forEach((value, i) => {
        const exact = weights[from + i]!;
        // Half the last place of 11 bits; below 2^-14 the places are 2^-24 apart.
        expect(Math.abs(value - exact)).toBeLessThanOrEqual(Math.max(Math.abs(exact) * 2 ** -11, 2 ** -25));
      });
    };
    expect(header.tensors.size).toBe(2 + 9 * layers);
    for (const id of [0, 1, 9038, vocabulary - 1]) expectRow("model.embed_tokens.weight", id, id * hidden);
    // In the checkpoint: embedding, attention norms, then all layers' query matrices, then the key matrices.
    const queries = vocabulary * hidden + layers * hidden;
    const square = hidden * hidden;
    for (const layer of [0, 5]) {
      for (const head of [0, 5]) {
        for (let i = 0; i < headDim; i++) {
          const interleaved = i < headDim / 2 ? 2 * i : 2 * (i - headDim / 2) + 1;
          const from = layer * square + (head * headDim + interleaved) * hidden;
          const prefix = `model.layers.${layer}.self_attn`;
          expectRow(`${prefix}.q_proj.weight`, head * headDim + i, queries + from);
          expectRow(`${prefix}.k_proj.weight`, head * headDim + i, queries + layers * square + from);
        }
      }
    }
  });
});

describe("the embedded model", () => {
  const engine = useTestEngine();
  beforeAll(async () => {
    buildEmbeddedModel();
    await engine.call("load", { model: "stories15m" });
  });

  it("predicts stories as well as the fp32 checkpoint, within 0.5 % per token", async () => {
    // PyTorch on the checkpoint's own fp32 weights with interleaved rotary embedding: the first 12 stories, 256 tokens each.
    const checkpointPerplexity = 3.22663;
    const stories = JSON.parse(readFileSync(join(fixtures, "tinystories-1000.json"), "utf8")) as string[];
    const tokenized = await engine.call("tokenize", {
      inputs: stories.slice(0, 12).map((text) => ({ text })),
      template: "none",
    });
    const results = await engine.call("logLikelihood", {
      inputs: tokenized.map(({ ids }) => ({ ids: ids.slice(0, 256), textStart: 0 })),
      template: "none",
      steering: null,
      stride: 256,
    });
    const all = results.flatMap(({ logProbabilities }) => [...logProbabilities]);
    expect(all).toHaveLength(2238);
    const perplexity = Math.exp(-all.reduce((sum, value) => sum + value, 0) / all.length);
    expect(Math.abs(perplexity / checkpointPerplexity - 1)).toBeLessThan(0.005);
  });
});
