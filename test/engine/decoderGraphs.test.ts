/** Every decoder graph of the real exporters, through the engine, against what PyTorch computes. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { greedySampling } from "../../src/shared/engineContract.ts";
import {
  fixtures,
  largestDifference,
  readReference,
  steerEverywhere,
  useTestEngine,
} from "./support/engine.ts";

const graphs = join(fixtures, "decoder-graphs");
const families = ["optimum", "variants", "dynamo", "genai-builder", "safetensors"];
const folders = families.flatMap((family) =>
  readdirSync(join(graphs, family)).map((name) => `${family}/${name}`),
);

/** Checkpoints of architectures that are refused rather than built half right. */
const refused = ["safetensors/gemma2", "safetensors/gpt2"];
/** Relative to the norm of the residual stream, or to the largest logit. */
const exact = 1e-5;
/** 16-bit rounding, as the README of the fixtures states it. */
const tolerances: Readonly<Record<string, number>> = { "variants/llama-fp16": 2e-3 };
/**
 * Not compared with PyTorch but with their own stock graph (graphSurgery.test.ts): weights rounded to 4 or 8 bits, and
 * llama-merged, which was exported with other weights than its reference was computed with.
 */
const withoutPyTorch = [
  "variants/llama-q4",
  "variants/llama-q8",
  "variants/llama-merged",
  "genai-builder/llama-int4",
  "genai-builder/llama-q4f16",
];
/** Regrouping tokens rounds differently: by half precision, or by int8 scales that depend on all tokens of a call. */
const groupingTolerances: Readonly<Record<string, number>> = {
  "variants/llama-fp16": 2e-3,
  "genai-builder/llama-q4f16": 2e-3,
  "variants/llama-q8": 0.1,
};

/** What is said of graphs that round activations to 8 bits; a figure where the grouping of tokens shows. */
const warnings: Readonly<Record<string, RegExp>> = {
  "variants/llama-q8": /by call: .* moved by up to (0\.\d+|[1-9](\.\d)?) % of their norm/,
  "genai-builder/llama-int4": /token by token/,
  "genai-builder/llama-q4f16": /token by token/,
};

/** Largest difference over the norm of the expected row of each token and layer. */
function residDifference(actual: Float32Array, expected: ArrayLike<number>, hidden: number): number {
  let worst = 0;
  for (let at = 0; at < actual.length; at += hidden) {
    const row = Array.from({ length: hidden }, (_, i) => expected[at + i]!);
    worst = Math.max(worst, largestDifference(actual.subarray(at, at + hidden), row) / Math.hypot(...row));
  }
  return worst;
}

function logitDifference(actual: Float32Array, expected: readonly number[]): number {
  return largestDifference(actual, expected) / Math.max(...expected.map(Math.abs));
}

describe("decoder graphs", () => {
  const test = useTestEngine();

  it("finds the fixtures", () => {
    expect(folders.length).toBeGreaterThanOrEqual(22);
    for (const folder of folders) expect(existsSync(join(graphs, folder, "reference.json"))).toBe(true);
  });

  describe.each(folders.filter((folder) => !refused.includes(folder)))("%s", (folder) => {
    const path = join(graphs, folder);
    const reference = readReference(path);
    const ids = Int32Array.from(reference["ids"]!.data);
    const input = { ids, textStart: 0 };
    const tolerance = tolerances[folder] ?? exact;
    const grouping = groupingTolerances[folder] ?? exact;
    const comparable = !withoutPyTorch.includes(folder);
    const hidden = reference["emb"]!.shape[2]!;
    const steering = steerEverywhere(1, reference["v"]!.data);

    it("passes the self-test", async () => {
      const description = await test.call("load", { model: path });
      expect(description.layers).toBe(3);
      expect(description.hidden).toBe(hidden);
      expect(description.selfTest.checks.filter(({ passed }) => !passed)).toEqual([]);
      expect(description.warnings).toEqual(
        Object.hasOwn(warnings, folder) ? [expect.stringMatching(warnings[folder]!)] : [],
      );
    });

    it.runIf(comparable)("has PyTorch's residual stream and logits", async () => {
      const { resid, logits } = await test.call("activations", {
        input,
        template: "none",
        steering: null,
        logits: true,
      });
      const expected = ["emb", "r0", "r1", "r2"].flatMap((name) => Array.from(reference[name]!.data));
      expect(residDifference(resid, expected, hidden)).toBeLessThan(tolerance);
      expect(logitDifference(logits!, reference["logits"]!.data)).toBeLessThan(tolerance);
    });

    it.runIf(comparable)("has PyTorch's steered logits", async () => {
      const { logits } = await test.call("activations", { input, template: "none", steering, logits: true });
      expect(logitDifference(logits!, reference["steered"]!.data)).toBeLessThan(tolerance);
      // The steering must be what makes the difference.
      expect(largestDifference(reference["steered"]!.data, reference["logits"]!.data)).toBeGreaterThan(
        10 * exact,
      );
    });

    it("decodes unsteered and steered rows in one batch as in two", async () => {
      const sampling = { ...greedySampling, maxTokens: 5 };
      const strong = steerEverywhere(1, reference["v"]!.data, 4);
      const both = await test.call("generate", {
        input,
        template: "none",
        variants: [null, strong],
        sampling,
      });
      for (const [index, variant] of [null, strong].entries()) {
        const alone = await test.call("generate", { input, template: "none", variants: [variant], sampling });
        const a = both.completions[index]!;
        const b = alone.completions[0]!;
        // Dynamic int8 scales depend on the other rows of a call.
        if (folder === "variants/llama-q8") continue;
        expect([...a.ids]).toEqual([...b.ids]);
        expect(largestDifference(a.logProbabilities, b.logProbabilities)).toBeLessThan(10 * grouping);
      }
    });

    it("captures mixed lengths with shared prefixes as one by one", async () => {
      const texts = [
        ids,
        ids.subarray(0, 3),
        ids.subarray(0, 5),
        Int32Array.of(...ids.subarray(0, 4), 7, 9, 11),
        Int32Array.of(5, 6),
        ids,
      ];
      const inputs = texts.map((text) => ({ ids: text, textStart: 1 }));
      const one = await test.call("load", { model: path });
      for (const position of [{ kind: "last", back: 0 } as const, { kind: "mean" } as const]) {
        await test.call("clearCaches", undefined);
        const all = await test.call("capture", { inputs, template: "none", position, withEmbedding: true });
        expect(all.tokens.computed).toBeLessThan(all.tokens.total);
        const size = (one.layers + 1) * hidden;
        for (const [index, single] of inputs.entries()) {
          const request = { inputs: [single], template: "none" as const, position, withEmbedding: true };
          await test.call("clearCaches", undefined);
          const alone = await test.call("capture", request);
          const row = all.activations.subarray(index * size, (index + 1) * size);
          expect(residDifference(row, alone.activations, hidden)).toBeLessThan(grouping);
          const again = await test.call("capture", request);
          expect(again.tokens).toMatchObject({ fromCache: 1, computed: 0 });
          expect(largestDifference(again.activations, alone.activations)).toBe(0);
        }
      }
    });
  });

  it.each(refused)("refuses the checkpoint %s", async (folder) => {
    await expect(test.call("load", { model: join(graphs, folder) })).rejects.toMatchObject({
      kind: "ModelUnsupported",
    });
  });
});
