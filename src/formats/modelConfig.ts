/** What Steerscope needs to know of a model's configuration, whatever the architecture calls it. */
import { SteerscopeError } from "../shared/errors.ts";

export interface ModelConfig {
  /** `model_type`, e.g. llama. */
  readonly architecture: string;
  readonly layers: number;
  readonly hidden: number;
  readonly vocabulary: number;
  readonly headDim: number;
  readonly contextLength: number;
  /** The parsed file, for code that knows the architecture. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** Used where a configuration does not say how long a text may be. */
const fallbackContextLength = 2048;

type Json = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function firstNumber(config: Json, keys: readonly string[], limit: number): number | undefined {
  for (const key of keys) {
    const value = config[key];
    if (typeof value === "number" && Number.isSafeInteger(value) && value > 0) {
      if (value > limit) throw corrupt(`${key} is ${value}, which no model has`);
      return value;
    }
  }
  return undefined;
}

function corrupt(what: string): SteerscopeError {
  return new SteerscopeError("ModelCorrupt", `config.json cannot be used: ${what}.`, {
    remedy: "Download or export the model again.",
  });
}

function incompleteGenai(what: string): SteerscopeError {
  return new SteerscopeError(
    "ModelUnsupported",
    `genai_config.json does not say enough of the model: ${what}.`,
    {
      remedy: "Put the model's config.json, from where it was exported, beside it.",
    },
  );
}

/**
 * Reads a parsed `config.json` (Hugging Face spelling; multimodal files keep the decoder's part in `text_config`).
 * Throws ModelCorrupt where a needed number is missing and ModelUnsupported for encoder-decoder models.
 */
export function readModelConfig(parsed: unknown): ModelConfig {
  if (!isRecord(parsed)) throw corrupt("it is not an object");
  if (parsed["is_encoder_decoder"] === true) {
    throw new SteerscopeError(
      "ModelUnsupported",
      "This is an encoder-decoder model; Steerscope steers decoder-only models.",
      {
        remedy: "Choose a decoder-only model such as Llama, Qwen or GPT-2.",
      },
    );
  }
  const text = isRecord(parsed["text_config"]) ? parsed["text_config"] : {};
  const raw: Json = { ...parsed, ...text };
  const layers = firstNumber(raw, ["num_hidden_layers", "n_layer", "num_layers", "n_layers"], 10_000);
  const hidden = firstNumber(raw, ["hidden_size", "n_embd", "d_model", "dim"], 1_000_000);
  if (layers === undefined) throw corrupt("it does not say how many layers the model has");
  if (hidden === undefined) throw corrupt("it does not say how wide the model is");
  const heads = firstNumber(raw, ["num_attention_heads", "n_head", "num_heads", "n_heads"], 100_000);
  return {
    architecture: typeof raw["model_type"] === "string" ? raw["model_type"] : "unknown",
    layers,
    hidden,
    vocabulary: firstNumber(raw, ["vocab_size"], 10_000_000) ?? 0,
    headDim:
      firstNumber(raw, ["head_dim"], 100_000) ?? (heads === undefined ? 0 : Math.floor(hidden / heads)),
    contextLength:
      firstNumber(
        raw,
        ["max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length"],
        1e9,
      ) ?? fallbackContextLength,
    raw,
  };
}

/** Reads a `genai_config.json` of onnxruntime-genai, for folders that have no `config.json`. Throws ModelUnsupported where that does not say enough. */
export function readGenaiConfig(parsed: unknown): ModelConfig {
  const model = isRecord(parsed) ? parsed["model"] : undefined;
  const decoder = isRecord(model) ? model["decoder"] : undefined;
  if (!isRecord(model) || !isRecord(decoder)) throw incompleteGenai("it has no model.decoder");
  const missing = ["hidden_size", "num_hidden_layers"].filter((key) => typeof decoder[key] !== "number");
  if (missing.length > 0) throw incompleteGenai(`it has no ${missing.join(" and no ")}`);
  return readModelConfig({
    model_type: model["type"],
    vocab_size: model["vocab_size"],
    max_position_embeddings: model["context_length"],
    hidden_size: decoder["hidden_size"],
    num_hidden_layers: decoder["num_hidden_layers"],
    num_attention_heads: decoder["num_attention_heads"],
    head_dim: decoder["head_size"],
    num_key_value_heads: decoder["num_key_value_heads"],
  });
}
