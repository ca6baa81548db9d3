/**
 * What a Hugging Face config.json says about a decoder of the llama family. Everything that would change the arithmetic
 * and is not known here is refused by name: a model that is almost right is worse than none.
 */
import { checkpointFamilies, type CheckpointFamily } from "../../formats/modelFiles.ts";
import { SteerscopeError } from "../../shared/errors.ts";
import { inverseFrequencies, type RotaryScaling } from "./rotary.ts";

export interface DecoderConfig {
  readonly layers: number;
  readonly hidden: number;
  readonly intermediate: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  readonly vocabulary: number;
  readonly normEpsilon: number;
  /** [headDim / 2] radians per position. */
  readonly inverseFrequencies: Float32Array;
  readonly queryKeyValueBias: boolean;
  readonly attentionOutputBias: boolean;
  readonly mlpBias: boolean;
  /** RMS norm of each head's query and key before the rotation (qwen3). */
  readonly queryKeyNorm: boolean;
  /** [layers] tokens, itself included, that a token sees; null: all before it. */
  readonly windows: readonly (number | null)[];
  /** undefined: not said. */
  readonly tiedEmbeddings: boolean | undefined;
}

const families = {
  llama: { architecture: "LlamaForCausalLM" },
  mistral: { architecture: "MistralForCausalLM" },
  qwen2: { architecture: "Qwen2ForCausalLM" },
  qwen3: { architecture: "Qwen3ForCausalLM" },
} as const satisfies Record<CheckpointFamily, { readonly architecture: string }>;

const typesThatRun = `models of these types run: ${checkpointFamilies.join(", ")}`;

type Fields = Readonly<Record<string, unknown>>;

/** `possible`: what a checkpoint may have instead, as a clause. */
function unsupported(what: string, possible: string): SteerscopeError {
  return new SteerscopeError("ModelUnsupported", `This checkpoint cannot be run: ${what}.`, {
    remedy: `Without an ONNX graph, ${possible}. Export this model to ONNX, with Optimum for example.`,
  });
}

function corrupt(what: string): SteerscopeError {
  return new SteerscopeError("ModelCorrupt", `The model's config.json is not sound: ${what}.`, {
    remedy: "Download the model again.",
  });
}

/** Reads a parsed config.json. Throws ModelUnsupported or ModelCorrupt, naming the field. */
export function readDecoderConfig(config: unknown): DecoderConfig {
  if (!isFields(config)) throw corrupt("it is not an object");
  const family = readFamily(config);
  refuseForeignFields(config);

  const heads = wholeNumber(config, "num_attention_heads", 1 << 16);
  const hidden = wholeNumber(config, "hidden_size", 1 << 20);
  const headDim = readHeadDim(config, family, hidden, heads);
  const layers = wholeNumber(config, "num_hidden_layers", 4096);
  const keyValueHeads = given(config, "num_key_value_heads")
    ? wholeNumber(config, "num_key_value_heads", heads)
    : heads;
  if (heads % keyValueHeads !== 0) {
    throw corrupt(`${heads} heads cannot share ${keyValueHeads} key-value heads`);
  }
  const { theta, scaling } = readRotary(config);
  const attentionBias = family !== "mistral" && family !== "qwen2" && flag(config, "attention_bias");
  return {
    layers,
    hidden,
    intermediate: wholeNumber(config, "intermediate_size", 1 << 24),
    heads,
    keyValueHeads,
    headDim,
    vocabulary: wholeNumber(config, "vocab_size", 1 << 24),
    normEpsilon: given(config, "rms_norm_eps") ? positive(config, "rms_norm_eps") : 1e-6,
    inverseFrequencies: inverseFrequencies(headDim, theta, scaling),
    queryKeyValueBias: family === "qwen2" || attentionBias,
    attentionOutputBias: attentionBias,
    mlpBias: family === "llama" && flag(config, "mlp_bias"),
    queryKeyNorm: family === "qwen3",
    windows: readWindows(config, family, layers),
    tiedEmbeddings: given(config, "tie_word_embeddings") ? flag(config, "tie_word_embeddings") : undefined,
  };
}

function readFamily(config: Fields): CheckpointFamily {
  const type = config["model_type"];
  if (typeof type !== "string") throw corrupt("model_type is missing");
  if (!Object.hasOwn(families, type)) throw unsupported(`its type is ${quote(type)}`, typesThatRun);
  const family = type as CheckpointFamily;
  const architectures = config["architectures"] ?? [];
  if (!Array.isArray(architectures)) throw corrupt("architectures is not a list");
  const first: unknown = architectures[0] ?? families[family].architecture;
  if (first !== families[family].architecture) {
    const { architecture } = families[family];
    throw unsupported(`its architecture is ${quote(first)}`, `of this type only ${architecture} runs`);
  }
  return family;
}

function refuseForeignFields(config: Fields): void {
  if (given(config, "quantization_config")) {
    const quantization = config["quantization_config"];
    const method = isFields(quantization) ? quantization["quant_method"] : undefined;
    throw unsupported(
      `its weights are quantised (${quote(method)})`,
      "weights must be fp32, fp16 or bf16; the model they were quantised from has them",
    );
  }
  const activation = config["hidden_act"] ?? "silu";
  if (activation !== "silu" && activation !== "swish") {
    throw unsupported(`its hidden_act is ${quote(activation)}`, "hidden_act must be silu");
  }
}

function readHeadDim(config: Fields, family: CheckpointFamily, hidden: number, heads: number): number {
  // 128 is what transformers takes for qwen3 when nothing is said.
  const headDim = given(config, "head_dim")
    ? wholeNumber(config, "head_dim", 1 << 14)
    : family === "qwen3"
      ? 128
      : hidden / heads;
  if (!Number.isInteger(headDim) || headDim % 2 !== 0) {
    throw corrupt(`a head of ${headDim} numbers cannot be rotated`);
  }
  return headDim;
}

/** `rope_parameters` is how transformers 5 spells `rope_theta` and `rope_scaling`. */
function readRotary(config: Fields): { theta: number; scaling: RotaryScaling } {
  const parameters = config["rope_parameters"] ?? config["rope_scaling"] ?? {};
  if (!isFields(parameters)) throw corrupt("rope_scaling is not an object");
  if (Object.values(parameters).some(isFields))
    throw unsupported("its rope_parameters differ between layers", "one rotation must serve all layers");
  for (const source of [config, parameters]) {
    if ((source["partial_rotary_factor"] ?? 1) !== 1) {
      throw unsupported("it rotates a part of each head", "partial_rotary_factor must be 1");
    }
  }
  const thetaSource = given(parameters, "rope_theta") ? parameters : config;
  const theta = given(thetaSource, "rope_theta") ? positive(thetaSource, "rope_theta") : 10_000;
  return { theta, scaling: readScaling(parameters) };
}

function readScaling(parameters: Fields): RotaryScaling {
  const kind: unknown = parameters["rope_type"] ?? parameters["type"] ?? "default";
  switch (kind) {
    case "default":
      return { kind: "none" };
    case "linear":
      return { kind: "linear", factor: positive(parameters, "factor") };
    case "llama3": {
      const lowFrequencyFactor = positive(parameters, "low_freq_factor");
      const highFrequencyFactor = positive(parameters, "high_freq_factor");
      if (highFrequencyFactor <= lowFrequencyFactor) {
        throw corrupt("high_freq_factor is not above low_freq_factor");
      }
      return {
        kind: "llama3",
        factor: positive(parameters, "factor"),
        lowFrequencyFactor,
        highFrequencyFactor,
        originalContext: positive(parameters, "original_max_position_embeddings"),
      };
    }
    default:
      throw unsupported(
        `its rope scaling is ${quote(kind)}`,
        "rope scaling must be none (default), linear or llama3",
      );
  }
}

function readWindows(config: Fields, family: CheckpointFamily, layers: number): (number | null)[] {
  const none = Array<null>(layers).fill(null);
  const types: unknown = config["layer_types"] ?? null;
  if (types !== null && (!Array.isArray(types) || types.length !== layers)) {
    throw corrupt("layer_types does not have one entry a layer");
  }
  for (const type of types ?? []) {
    if (type !== "full_attention" && type !== "sliding_attention") {
      throw unsupported(
        `it has layers of type ${quote(type)}`,
        "layer_types must be full_attention or sliding_attention",
      );
    }
  }
  const windowed =
    family === "mistral" ||
    ((family === "qwen2" || family === "qwen3") && flag(config, "use_sliding_window"));
  if (!windowed || !given(config, "sliding_window")) {
    if (types?.includes("sliding_attention") && family === "llama") {
      throw unsupported("it has sliding windows", "those of llama must see the whole text");
    }
    return none;
  }
  const window = wholeNumber(config, "sliding_window", 2 ** 31 - 1);
  // qwen: layers from max_window_layers on; mistral: all of them.
  const firstWindowed = family === "mistral" ? 0 : wholeNumber(config, "max_window_layers", 2 ** 31 - 1, 0);
  return none.map((_, layer) => {
    const sliding = types === null ? layer >= firstWindowed : types[layer] === "sliding_attention";
    return sliding ? window : null;
  });
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** null says as little as absence. */
function given(fields: Fields, name: string): boolean {
  return fields[name] !== undefined && fields[name] !== null;
}

/** A value of a hostile file, short enough for a message. */
function quote(value: unknown): string {
  return typeof value === "string" ? value.slice(0, 80) : `of type ${typeof value}`;
}

function wholeNumber(fields: Fields, name: string, most: number, least = 1): number {
  const value = fields[name];
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) {
    throw corrupt(`${name} is not a whole number from ${least} to ${most}`);
  }
  return value;
}

function positive(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== "number" || !Number.isFinite(value) || value <= 0) {
    throw corrupt(`${name} is not a number above 0`);
  }
  return value;
}

function flag(fields: Fields, name: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value !== "boolean") throw corrupt(`${name} is neither true nor false`);
  return value;
}
