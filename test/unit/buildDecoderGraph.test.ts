import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { buildDecoderGraph } from "../../src/engine/build/decoderGraph.ts";
import type { Shard } from "../../src/engine/build/weights.ts";
import { parseSafetensorsHeader, type SafetensorsEntry } from "../../src/formats/safetensors.ts";
import { isSteerscopeError } from "../../src/shared/errors.ts";

interface Checkpoint {
  readonly config: Record<string, unknown>;
  readonly shards: readonly Shard[];
}

function checkpoint(name: string): Checkpoint {
  const folder = new URL(`../fixtures/${name}/`, import.meta.url);
  const config = JSON.parse(readFileSync(new URL("config.json", folder), "utf8")) as Record<string, unknown>;
  const shards = readdirSync(folder)
    .filter((file) => file.endsWith(".safetensors"))
    .sort()
    .map((file) => {
      const bytes = readFileSync(new URL(file, folder));
      return { file, header: parseSafetensorsHeader(bytes, bytes.length) };
    });
  return { config, shards };
}

const llama = checkpoint("decoder-graphs/safetensors/llama");
const sharded = checkpoint("checkpoints/qwen2-fp16-sharded");

/** The tensors of a single-file checkpoint after `change`. */
function changed(
  { config, shards }: Checkpoint,
  change: (tensors: Map<string, SafetensorsEntry>) => void,
): Checkpoint {
  const [{ file, header }] = shards as [Shard];
  const tensors = new Map(header.tensors);
  change(tensors);
  return { config, shards: [{ file, header: { ...header, tensors } }] };
}

function refusal({ config, shards }: Checkpoint): { kind: string; text: string } {
  try {
    buildDecoderGraph(config, shards);
  } catch (error) {
    if (isSteerscopeError(error)) return { kind: error.kind, text: `${error.message} ${error.detail ?? ""}` };
    throw error;
  }
  return { kind: "accepted", text: "" };
}

const query = "model.layers.1.self_attn.q_proj.weight";

describe("buildDecoderGraph", () => {
  it("writes a graph far smaller than the weights, which it names by file and place", () => {
    const { bytes } = buildDecoderGraph(llama.config, llama.shards);
    const text = Buffer.from(bytes).toString("latin1");
    const { begin, end } = llama.shards[0]!.header.tensors.get(query)!;
    expect(bytes.length).toBeLessThan(40_000);
    expect(text).toContain("model.safetensors");
    expect(text).toContain(String(begin));
    expect(text).toContain(String(end - begin));
  });

  it("has every tensor of a sharded checkpoint point into its own shard", () => {
    const { bytes } = buildDecoderGraph(sharded.config, sharded.shards);
    const text = Buffer.from(bytes).toString("latin1");
    for (const { file, header } of sharded.shards) {
      expect(text.split(file).length - 1).toBe(header.tensors.size);
    }
  });

  it("takes an output head that is stored although it is tied, and buffers of old checkpoints", () => {
    const buffer = { dtype: "F32", shape: [4], begin: 0, end: 16 };
    const tied = { ...llama, config: { ...llama.config, tie_word_embeddings: true } };
    const old = changed(tied, (tensors) => {
      tensors.set("model.layers.0.self_attn.rotary_emb.inv_freq", buffer);
      tensors.set("model.rotary_emb.inv_freq", buffer);
    });
    expect(refusal(old).kind).toBe("accepted");
  });

  it("ties when nothing is said and no head is stored, and only then", () => {
    const config = { ...llama.config, tie_word_embeddings: undefined };
    const headless = changed(llama, (tensors) => tensors.delete("lm_head.weight"));
    expect(refusal({ ...headless, config }).kind).toBe("accepted");
    expect(refusal(headless)).toMatchObject({ kind: "ModelCorrupt" });
    expect(refusal(headless).text).toContain("lm_head.weight");
  });

  it("names a tensor that is missing", () => {
    const incomplete = changed(llama, (tensors) => tensors.delete(query));
    expect(refusal(incomplete)).toMatchObject({ kind: "ModelCorrupt" });
    expect(refusal(incomplete).text).toContain(query);
  });

  it("names a missing shard's tensors", () => {
    expect(refusal({ ...sharded, shards: sharded.shards.slice(1) }).kind).toBe("ModelCorrupt");
  });

  it.each([[[32, 16]], [[1024]], [[32, 32, 1]], [[]]])("names a tensor of shape %j", (shape) => {
    const entry = llama.shards[0]!.header.tensors.get(query)!;
    const reshaped = changed(llama, (tensors) => tensors.set(query, { ...entry, shape }));
    expect(refusal(reshaped)).toMatchObject({ kind: "ModelCorrupt" });
    expect(refusal(reshaped).text).toContain(query);
  });

  it.each(["F8_E4M3", "I8", "U8", "F64"])("refuses weights of type %s", (dtype) => {
    const entry = llama.shards[0]!.header.tensors.get(query)!;
    const other = changed(llama, (tensors) => tensors.set(query, { ...entry, dtype }));
    expect(refusal(other)).toMatchObject({ kind: "ModelUnsupported" });
    expect(refusal(other).text).toContain(dtype);
  });

  it.each([
    "model.layers.0.self_attn.q_proj.bias",
    "model.layers.0.self_attn.q_norm.weight",
    "model.layers.0.pre_feedforward_layernorm.weight",
    "model.layers.3.mlp.up_proj.weight",
    "vision_tower.weight",
  ])("refuses a part that it would leave out: %s", (name) => {
    const richer = changed(llama, (tensors) => tensors.set(name, tensors.get(query)!));
    expect(refusal(richer)).toMatchObject({ kind: "ModelUnsupported" });
    expect(refusal(richer).text).toContain(name);
  });

  it("refuses a tensor in two shards", () => {
    const [first] = llama.shards as [Shard];
    expect(refusal({ ...llama, shards: [first, { ...first, file: "b.safetensors" }] }).kind).toBe(
      "ModelCorrupt",
    );
  });

  it.each(["../model.safetensors", "/etc/passwd", "a\\b.safetensors", "..", ".", "", "a\0b"])(
    "refuses a shard outside the folder: %j",
    (file) => {
      const [{ header }] = llama.shards as [Shard];
      expect(refusal({ ...llama, shards: [{ file, header }] }).kind).toBe("ModelCorrupt");
    },
  );
});
