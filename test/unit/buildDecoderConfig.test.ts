import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readDecoderConfig } from "../../src/engine/build/decoderConfig.ts";
import { isSteerscopeError } from "../../src/shared/errors.ts";

function fixture(name: string): Record<string, unknown> {
  const path = new URL(`../fixtures/${name}/config.json`, import.meta.url);
  return JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
}

const llama = fixture("decoder-graphs/safetensors/llama");
const qwen2 = fixture("decoder-graphs/safetensors/qwen2");
const qwen3 = fixture("checkpoints/qwen3");
const mistral = fixture("checkpoints/mistral-window");
const llama3 = fixture("checkpoints/llama3-rope");

function refusal(config: unknown): { kind: string; message: string; remedy?: string | undefined } {
  try {
    readDecoderConfig(config);
  } catch (error) {
    if (isSteerscopeError(error)) {
      const { kind, message, remedy } = error;
      return { kind, message, remedy };
    }
    throw error;
  }
  return { kind: "accepted", message: "" };
}

describe("what differs between the families", () => {
  it.each<readonly [family: string, config: Record<string, unknown>, expected: object]>([
    [
      "llama",
      llama,
      { queryKeyValueBias: false, attentionOutputBias: false, mlpBias: false, queryKeyNorm: false },
    ],
    [
      "llama with biases",
      { ...llama, attention_bias: true, mlp_bias: true },
      { queryKeyValueBias: true, attentionOutputBias: true, mlpBias: true },
    ],
    [
      "qwen2",
      qwen2,
      { queryKeyValueBias: true, attentionOutputBias: false, mlpBias: false, queryKeyNorm: false },
    ],
    [
      "qwen3",
      qwen3,
      { queryKeyValueBias: false, attentionOutputBias: false, queryKeyNorm: true, headDim: 16 },
    ],
    ["mistral", mistral, { queryKeyValueBias: false, attentionOutputBias: false, windows: [4, 4, 4] }],
    ["mistral without a window", { ...mistral, sliding_window: null }, { windows: [null, null, null] }],
  ])("%s", (_, config, expected) => {
    expect(readDecoderConfig(config)).toMatchObject(expected);
  });

  it("takes hidden / heads for the head where nothing is said, 128 in qwen3", () => {
    expect(readDecoderConfig({ ...llama, head_dim: null }).headDim).toBe(8);
    expect(readDecoderConfig({ ...qwen3, head_dim: null }).headDim).toBe(128);
  });

  it("gives every head its own key and value where nothing is said", () => {
    expect(readDecoderConfig({ ...llama, num_key_value_heads: null }).keyValueHeads).toBe(4);
  });
});

describe("sliding windows", () => {
  const windowed = { use_sliding_window: true, sliding_window: 64, max_window_layers: 2 };

  it("begin at max_window_layers in qwen", () => {
    for (const config of [qwen2, qwen3]) {
      const { windows } = readDecoderConfig({ ...config, ...windowed, layer_types: null });
      expect(windows).toEqual([null, null, 64]);
    }
  });

  it("are where layer_types says", () => {
    const types = ["sliding_attention", "full_attention", "sliding_attention"];
    expect(readDecoderConfig({ ...qwen2, ...windowed, layer_types: types }).windows).toEqual([64, null, 64]);
  });

  it("are off in qwen unless switched on", () => {
    const off = { ...qwen2, ...windowed, use_sliding_window: false };
    expect(readDecoderConfig(off).windows).toEqual([null, null, null]);
  });
});

describe("rotary embeddings", () => {
  const scaling = llama3["rope_scaling"] as Record<string, unknown>;

  it("are the same in the spelling of transformers 5", () => {
    const unscaled = { ...llama3, rope_scaling: undefined };
    const parameters = { ...scaling, rope_theta: llama3["rope_theta"] };
    const modern = { ...unscaled, rope_theta: undefined, rope_parameters: parameters };
    expect(readDecoderConfig(modern)).toEqual(readDecoderConfig(llama3));
    expect(readDecoderConfig(unscaled)).not.toEqual(readDecoderConfig(llama3));
  });

  it("are the same with the older key `type`", () => {
    const older = { rope_scaling: { type: "linear", factor: 2 } };
    const newer = { rope_scaling: { rope_type: "linear", factor: 2 } };
    expect(readDecoderConfig({ ...llama, ...older })).toEqual(readDecoderConfig({ ...llama, ...newer }));
  });

  it.each(["dynamic", "yarn", "longrope", "su", "mrope"])("refuses the scaling %s by name", (kind) => {
    const config = { ...llama, rope_scaling: { rope_type: kind, factor: 2 } };
    expect(refusal(config)).toMatchObject({ kind: "ModelUnsupported" });
    expect(refusal(config).message).toContain(kind);
  });
});

describe("models that are almost llama", () => {
  it.each([
    "gemma",
    "gemma2",
    "gemma3_text",
    "olmo",
    "olmo2",
    "granite",
    "phi3",
    "smollm3",
    "cohere",
    "mixtral",
    "gpt2",
  ])("refuses the type %s by name", (type) => {
    expect(refusal({ ...llama, model_type: type })).toMatchObject({ kind: "ModelUnsupported" });
    expect(refusal({ ...llama, model_type: type }).message).toContain(type);
    expect(refusal({ ...llama, model_type: type }).remedy).toMatch(/llama, mistral, qwen2, qwen3/);
  });

  it.each<readonly [what: string, change: Record<string, unknown>, named: string]>([
    ["another head", { architectures: ["LlamaForSequenceClassification"] }, "LlamaForSequenceClassification"],
    ["another activation", { hidden_act: "gelu" }, "gelu"],
    ["quantised weights", { quantization_config: { quant_method: "awq" } }, "awq"],
    ["partial rotation", { partial_rotary_factor: 0.5 }, "part of each head"],
    [
      "rope parameters a layer type",
      { rope_parameters: { full_attention: { rope_theta: 1 } } },
      "differ between layers",
    ],
    [
      "other layers",
      { layer_types: ["full_attention", "linear_attention", "full_attention"] },
      "linear_attention",
    ],
    [
      "windows in llama",
      { layer_types: Array(3).fill("sliding_attention"), sliding_window: 8 },
      "sliding windows",
    ],
    ["a type from Object", { model_type: "constructor" }, "constructor"],
  ])("refuses %s", (_, change, named) => {
    expect(refusal({ ...llama, ...change })).toMatchObject({ kind: "ModelUnsupported" });
    const { message, remedy } = refusal({ ...llama, ...change });
    expect(message).toContain(named);
    // That llama runs is no help to somebody whose model is a llama.
    if (!("model_type" in change)) expect(remedy).not.toContain("mistral");
    expect(remedy).toMatch(/Without an ONNX graph, .*Export this model to ONNX/);
  });
});

describe("unsound configurations", () => {
  it.each<readonly [field: string, value: unknown]>([
    ["num_hidden_layers", 0],
    ["num_hidden_layers", 1e9],
    ["num_hidden_layers", "3"],
    ["hidden_size", undefined],
    ["hidden_size", 32.5],
    ["num_attention_heads", -4],
    ["num_attention_heads", 5],
    ["num_key_value_heads", 3],
    ["head_dim", 7],
    ["vocab_size", NaN],
    ["rms_norm_eps", 0],
    ["rope_theta", -1],
    ["rope_theta", Infinity],
    ["rope_scaling", []],
    ["rope_scaling", { rope_type: "linear" }],
    ["rope_scaling", { rope_type: "linear", factor: 0 }],
    [
      "rope_scaling",
      {
        rope_type: "llama3",
        factor: 8,
        low_freq_factor: 4,
        high_freq_factor: 4,
        original_max_position_embeddings: 64,
      },
    ],
    ["tie_word_embeddings", "yes"],
    ["attention_bias", 1],
    ["architectures", "LlamaForCausalLM"],
    ["layer_types", ["full_attention"]],
    ["model_type", undefined],
  ])("%s: %j", (field, value) => {
    expect(refusal({ ...llama, head_dim: undefined, [field]: value }).kind).toBe("ModelCorrupt");
  });

  it.each([null, undefined, 3, "llama", [llama]])("that are no object: %j", (config) => {
    expect(refusal(config).kind).toBe("ModelCorrupt");
  });

  it("are refused or read, whatever a field holds", () => {
    const configs = fc
      .tuple(fc.constantFrom(llama, qwen2, qwen3, mistral, llama3), fc.nat(), fc.jsonValue())
      .map(([config, index, value]) => {
        const keys = Object.keys(config);
        return { ...config, [keys[index % keys.length]!]: value };
      });
    fc.assert(
      fc.property(configs, (config) => {
        expect(["accepted", "ModelCorrupt", "ModelUnsupported"]).toContain(refusal(config).kind);
        expect(refusal(config).message.length).toBeLessThan(300);
      }),
      { numRuns: 1000 },
    );
  });
});
