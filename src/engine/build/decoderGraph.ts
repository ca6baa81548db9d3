/**
 * An ONNX graph over the safetensors files of a Hugging Face checkpoint of the llama family: no export, no copy of the
 * weights. Operators of com.microsoft are onnxruntime's contrib operators (docs/ContribOperators.md there).
 */
import {
  ElementType,
  encodeModel,
  encodeNode,
  encodeTensor,
  encodeInt64,
  encodeValueInfo,
  type NodeSpec,
} from "../onnx/encode.ts";
import { readDecoderConfig, type DecoderConfig } from "./decoderConfig.ts";
import { CheckpointWeights, type Precision, type Shard } from "./weights.ts";

export interface BuiltGraph {
  /** An ONNX model whose weights are external data in the shards: it must be loaded beside them. */
  readonly bytes: Uint8Array;
  /** What the matrices are stored as; arithmetic is float32 always. */
  readonly precision: Precision;
  /**
   * Tokens that the narrowest sliding window holds, null without one. GroupQueryAttention counts windows along the
   * sequence, so examples may be packed into one sequence only while past and packed tokens together stay within it.
   */
  readonly window: number | null;
}

/** GroupQueryAttention on the CPU takes heads of a multiple of this size; smaller ones are padded with zeros. */
const headSizeStep = 16;

const contrib = "com.microsoft";

/**
 * The graph of a checkpoint with the given parsed config.json.
 *
 * Inputs: `input_ids`, `position_ids` [batch, tokens] int64; `attention_mask` [batch, total] int64, ones for the tokens of
 * a row up to and with the last, zeros behind; `attention_bias` [1 or batch, 1, tokens, total] float32, added to the
 * attention scores: 0, or very negative where a token must not see another (attention is causal anyway);
 * `past_key_values.N.key|value` [batch, keyValueHeads, capacity, headSize], of which the first positions count, as many as
 * a row's mask has ones before this run's tokens; what is behind them is never read. Positions rotate the heads and nothing else, so that a tree of texts can run packed as one sequence.
 *
 * Outputs: `logits` [batch, tokens, vocabulary]; `present.N.key|value`, past and new together;
 * `new_key_values.N.key|value` [batch, tokens, keyValueHeads * headSize], only what this run added.
 *
 * Throws ModelUnsupported with what is not supported, ModelCorrupt when tensors are missing or of another shape.
 */
export function buildDecoderGraph(config: unknown, shards: readonly Shard[]): BuiltGraph {
  const decoder = readDecoderConfig(config);
  const graph = new DecoderGraph(decoder, new CheckpointWeights(shards));
  const windows = decoder.windows.filter((window) => window !== null);
  return {
    bytes: graph.encode(),
    precision: graph.precision,
    window: windows.length === 0 ? null : Math.min(...windows),
  };
}

/** The output that gives the new rows of the KV cache input `past_key_values.N.key|value`. */
export function newRowsOutput(pastInput: string): string {
  return pastInput.replace("past_", "new_");
}

class DecoderGraph {
  readonly precision: Precision;
  readonly #config: DecoderConfig;
  readonly #weights: CheckpointWeights;
  readonly #nodes: Uint8Array[] = [];
  readonly #initializers: Uint8Array[] = [];
  readonly #inputs: Uint8Array[] = [];
  readonly #outputs: Uint8Array[] = [];
  /** headDim, or the next size that GroupQueryAttention takes. */
  readonly #headSize: number;
  /** The stream before the next norm: what was summed so far, and what is still to be added to it. */
  #stream = "";
  #pending: string | undefined;

  constructor(config: DecoderConfig, weights: CheckpointWeights) {
    this.#config = config;
    this.#weights = weights;
    this.#headSize = Math.ceil(config.headDim / headSizeStep) * headSizeStep;

    const embedding = "model.embed_tokens.weight";
    const tableShape = [config.vocabulary, config.hidden];
    const { value: table, precision } = this.#weight(embedding, tableShape);
    this.precision = precision;
    this.#prepareInputs();
    this.#prepareRotation();
    this.#prepareHeads();
    this.#stream = this.#add({ operator: "Gather", inputs: [table, "input_ids"], outputs: ["embedding"] });
    this.#outputs.push(
      encodeValueInfo("logits", ElementType.float32, ["batch", "tokens", config.vocabulary]),
    );
    for (let layer = 0; layer < config.layers; layer++) this.#block(layer);
    const last = this.#norm("model.norm.weight", "final");
    const tied = config.tiedEmbeddings ?? !weights.has("lm_head.weight");
    const head = tied ? table : this.#weight("lm_head.weight", tableShape).value;
    // A tied head may be stored all the same.
    weights.ignore("lm_head.weight");
    this.#multiply(last, head, "logits");
    weights.refuseUnused();
  }

  encode(): Uint8Array {
    const graph = {
      name: "decoder",
      nodes: this.#nodes,
      initializers: this.#initializers,
      inputs: this.#inputs,
      outputs: this.#outputs,
    };
    return encodeModel(graph, { "": 21, [contrib]: 1 }, "steerscope");
  }

  #add(node: NodeSpec): string {
    this.#nodes.push(encodeNode(node));
    return node.outputs[0]!;
  }

  #constant(name: string, values: readonly number[], scalar = false): string {
    this.#initializers.push(encodeInt64(name, values, scalar));
    return name;
  }

  /** The tensor `name` as float32; onnxruntime folds the Cast at load. */
  #weight(name: string, shape: readonly number[]): { value: string; precision: Precision } {
    const { precision, initializer } = this.#weights.take(name, shape);
    this.#initializers.push(initializer);
    if (precision === "fp32") return { value: name, precision };
    const attributes = { to: ElementType.float32 };
    const value = this.#add({ operator: "Cast", inputs: [name], outputs: [`${name}.float32`], attributes });
    return { value, precision };
  }

  /** `output` = `input` times the transpose of `matrix` [out, in]: how Hugging Face stores linear maps. */
  #multiply(input: string, matrix: string, output: string): string {
    return this.#add({
      operator: "FusedMatMul",
      domain: contrib,
      inputs: [input, matrix],
      outputs: [output],
      attributes: { transB: 1 },
    });
  }

  /** A linear layer `[to, from]`, with its bias where the model has one. */
  #linear(
    input: string,
    module: string,
    [to, from]: readonly [number, number],
    bias: boolean,
    output = module,
  ): string {
    const { value: matrix } = this.#weight(`${module}.weight`, [to, from]);
    if (!bias) return this.#multiply(input, matrix, output);
    const product = this.#multiply(input, matrix, `${module}.product`);
    const { value: offset } = this.#weight(`${module}.bias`, [to]);
    return this.#add({ operator: "Add", inputs: [product, offset], outputs: [output] });
  }

  /** Adds what is pending to the stream and normalises the sum; the sum is output 3 of the fused operator. */
  #norm(weightName: string, label: string): string {
    const { value: weight } = this.#weight(weightName, [this.#config.hidden]);
    const output = `${label}.norm`;
    const epsilon = { float: this.#config.normEpsilon };
    if (this.#pending === undefined) {
      const inputs = [this.#stream, weight];
      const attributes = { axis: -1, epsilon };
      return this.#add({ operator: "SimplifiedLayerNormalization", inputs, outputs: [output], attributes });
    }
    const sum = `${label}.stream`;
    this.#add({
      operator: "SkipSimplifiedLayerNormalization",
      domain: contrib,
      inputs: [this.#stream, this.#pending, weight],
      outputs: [output, "", "", sum],
      attributes: { epsilon },
    });
    this.#stream = sum;
    return output;
  }

  /** Inputs, and from them the lengths that every attention needs. */
  #prepareInputs(): void {
    const tokens = ["batch", "tokens"];
    this.#inputs.push(
      encodeValueInfo("input_ids", ElementType.int64, tokens),
      encodeValueInfo("attention_mask", ElementType.int64, ["batch", "total"]),
      encodeValueInfo("position_ids", ElementType.int64, tokens),
      encodeValueInfo("attention_bias", ElementType.float32, ["bias_batch", 1, "tokens", "total"]),
    );
    const one = this.#constant("one", [1]);
    const oneScalar = this.#constant("one_scalar", [1], true);
    const int32 = { to: ElementType.int32 };

    const ones = ["attention_mask", one];
    this.#add({ operator: "ReduceSum", inputs: ones, outputs: ["length"], attributes: { keepdims: 0 } });
    this.#add({ operator: "Sub", inputs: ["length", one], outputs: ["last"] });
    this.#add({ operator: "Cast", inputs: ["last"], outputs: ["seqlens_k"], attributes: int32 });
    this.#add({ operator: "Shape", inputs: ["attention_mask"], outputs: ["mask_shape"] });
    this.#add({ operator: "Gather", inputs: ["mask_shape", oneScalar], outputs: ["total"] });
    this.#add({ operator: "Cast", inputs: ["total"], outputs: ["total_length"], attributes: int32 });
  }

  /**
   * One row of cosines and sines a token of this run, in place of a table over all positions, which for a context of
   * 131,072 tokens would be 67 MB; `rows` tells RotaryEmbedding that token i takes row i.
   */
  #prepareRotation(): void {
    const { inverseFrequencies } = this.#config;
    const speeds = new Float32Array(this.#headSize / 2);
    speeds.set(inverseFrequencies);
    this.#initializers.push(encodeTensor("speeds", ElementType.float32, [1, speeds.length], speeds));
    const column = this.#constant("column", [-1, 1]);
    const first = this.#constant("first_row", [0], true);
    const step = this.#constant("row_step", [1], true);
    const float32 = { to: ElementType.float32 };
    this.#add({ operator: "Reshape", inputs: ["position_ids", column], outputs: ["positions"] });
    this.#add({ operator: "Cast", inputs: ["positions"], outputs: ["float_positions"], attributes: float32 });
    this.#add({ operator: "Mul", inputs: ["float_positions", "speeds"], outputs: ["angles"] });
    this.#add({ operator: "Cos", inputs: ["angles"], outputs: ["cosines"] });
    this.#add({ operator: "Sin", inputs: ["angles"], outputs: ["sines"] });
    this.#add({ operator: "Shape", inputs: ["position_ids"], outputs: ["run_shape"] });
    this.#add({ operator: "Size", inputs: ["position_ids"], outputs: ["run_size"] });
    this.#add({ operator: "Range", inputs: [first, "run_size", step], outputs: ["counted"] });
    this.#add({ operator: "Reshape", inputs: ["counted", "run_shape"], outputs: ["rows"] });
  }

  /** Shapes that heads are cut and joined by. */
  #prepareHeads(): void {
    const { headDim, heads, keyValueHeads, queryKeyNorm } = this.#config;
    if (queryKeyNorm) {
      this.#constant("per_head", [0, 0, -1, headDim]);
      this.#constant("merged", [0, 0, -1]);
    }
    if (this.#headSize === headDim) return;
    const half = headDim / 2;
    this.#constant("halves", [0, 0, -1, half]);
    this.#constant("padding", [0, 0, 0, 0, 0, 0, 0, this.#headSize / 2 - half]);
    this.#constant("padded_query", [0, 0, heads * this.#headSize]);
    this.#constant("padded_key", [0, 0, keyValueHeads * this.#headSize]);
    this.#constant("padded_halves", [0, 0, -1, this.#headSize / 2]);
    this.#constant("unpadded", [0, 0, heads * headDim]);
    this.#constant("half_start", [0]);
    this.#constant("half_end", [half]);
    this.#constant("last_axis", [3]);
  }

  #block(layer: number): void {
    const { hidden, intermediate, mlpBias } = this.#config;
    const prefix = `model.layers.${layer}`;
    const attended = this.#attention(
      layer,
      this.#norm(`${prefix}.input_layernorm.weight`, `${prefix}.attention`),
    );
    this.#pending = attended;
    const input = this.#norm(`${prefix}.post_attention_layernorm.weight`, `${prefix}.mlp`);
    const gate = this.#linear(input, `${prefix}.mlp.gate_proj`, [intermediate, hidden], mlpBias);
    const up = this.#linear(input, `${prefix}.mlp.up_proj`, [intermediate, hidden], mlpBias);
    // x * sigmoid(alpha * x): SiLU at alpha 1, in one pass.
    const open = this.#add({
      operator: "QuickGelu",
      domain: contrib,
      inputs: [gate],
      outputs: [`${prefix}.mlp.open`],
      attributes: { alpha: { float: 1 } },
    });
    const gated = this.#add({ operator: "Mul", inputs: [open, up], outputs: [`${prefix}.mlp.gated`] });
    this.#pending = this.#linear(gated, `${prefix}.mlp.down_proj`, [hidden, intermediate], mlpBias);
  }

  #attention(layer: number, input: string): string {
    const { hidden, heads, keyValueHeads, headDim, windows } = this.#config;
    const { queryKeyValueBias, attentionOutputBias, queryKeyNorm } = this.#config;
    const prefix = `model.layers.${layer}.self_attn`;
    const padded = this.#headSize !== headDim;
    const past = ["key", "value"].map((kind) => `past_key_values.${layer}.${kind}`);
    const [newKey, newValue] = past.map(newRowsOutput) as [string, string];
    const project = (name: string, count: number, output?: string): string =>
      this.#linear(input, `${prefix}.${name}_proj`, [count * headDim, hidden], queryKeyValueBias, output);
    let query = project("q", heads);
    let key = project("k", keyValueHeads);
    // Named as the output right away where nothing follows: an Identity would cost a decode step 1 %.
    const value = project("v", keyValueHeads, padded ? undefined : newValue);
    if (queryKeyNorm) {
      query = this.#headNorm(query, `${prefix}.q_norm`);
      key = this.#headNorm(key, `${prefix}.k_norm`);
    }
    if (padded) {
      query = this.#pad(query, "padded_query");
      key = this.#pad(key, "padded_key");
      this.#pad(value, "padded_key", newValue);
    }
    this.#rotate(key, newKey, keyValueHeads);
    const rotated = this.#rotate(query, `${prefix}.rotated`, heads);
    const present = ["key", "value"].map((kind) => `present.${layer}.${kind}`);
    const cache = (length: string): (string | number)[] => ["batch", keyValueHeads, length, this.#headSize];
    const float32 = (name: string, dims: readonly (string | number)[]): Uint8Array =>
      encodeValueInfo(name, ElementType.float32, dims);
    this.#inputs.push(...past.map((name) => float32(name, cache("capacity"))));
    this.#outputs.push(
      ...present.map((name) => float32(name, cache("present"))),
      ...[newKey, newValue].map((name) => float32(name, ["batch", "tokens", keyValueHeads * this.#headSize])),
    );
    const lengths = ["seqlens_k", "total_length"];
    // Left out: the rotary tables and GroupQueryAttention's own position_ids, which count from the past on only.
    const inputs = [rotated, newKey, newValue, ...past, ...lengths, "", "", "", "attention_bias"];
    let attended = this.#add({
      operator: "GroupQueryAttention",
      domain: contrib,
      inputs,
      outputs: [`${prefix}.attended`, ...present],
      attributes: {
        num_heads: heads,
        kv_num_heads: keyValueHeads,
        do_rotary: 0,
        local_window_size: windows[layer] ?? -1,
        scale: { float: 1 / Math.sqrt(headDim) },
      },
    });
    if (padded) attended = this.#unpad(attended);
    return this.#linear(attended, `${prefix}.o_proj`, [hidden, heads * headDim], attentionOutputBias);
  }

  #rotate(input: string, output: string, heads: number): string {
    return this.#add({
      operator: "RotaryEmbedding",
      domain: contrib,
      inputs: [input, "rows", "cosines", "sines"],
      outputs: [output],
      attributes: { interleaved: 0, num_heads: heads, rotary_embedding_dim: 0 },
    });
  }

  #headNorm(input: string, module: string): string {
    const { headDim, normEpsilon } = this.#config;
    const { value: weight } = this.#weight(`${module}.weight`, [headDim]);
    const split = this.#add({
      operator: "Reshape",
      inputs: [input, "per_head"],
      outputs: [`${module}.heads`],
    });
    const normed = this.#add({
      operator: "SimplifiedLayerNormalization",
      inputs: [split, weight],
      outputs: [`${module}.normed`],
      attributes: { axis: -1, epsilon: { float: normEpsilon } },
    });
    return this.#add({ operator: "Reshape", inputs: [normed, "merged"], outputs: [module] });
  }

  /** Zeros behind each half of a head: pairs that rotate together stay headSize / 2 apart. */
  #pad(input: string, shape: string, output = `${input}.padded`): string {
    const halves = this.#add({
      operator: "Reshape",
      inputs: [input, "halves"],
      outputs: [`${input}.halves`],
    });
    const wide = this.#add({ operator: "Pad", inputs: [halves, "padding"], outputs: [`${input}.wide`] });
    return this.#add({ operator: "Reshape", inputs: [wide, shape], outputs: [output] });
  }

  #unpad(input: string): string {
    const halves = this.#add({
      operator: "Reshape",
      inputs: [input, "padded_halves"],
      outputs: [`${input}.halves`],
    });
    const narrow = this.#add({
      operator: "Slice",
      inputs: [halves, "half_start", "half_end", "last_axis"],
      outputs: [`${input}.narrow`],
    });
    return this.#add({ operator: "Reshape", inputs: [narrow, "unpadded"], outputs: [`${input}.unpadded`] });
  }
}
