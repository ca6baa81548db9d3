/**
 * One onnxruntime session over a patched graph: the only file that creates or runs sessions. Everything above it speaks
 * of tokens, rows, pools and caches.
 */
import { InferenceSession, Tensor } from "onnxruntime-node";
import { float16ToNumber } from "../formats/safetensors.ts";
import { SteerscopeError } from "../shared/errors.ts";
import { newRowsOutput } from "./build/decoderGraph.ts";
import { appendRows, emptyCache, type KvCache } from "./kvCache.ts";
import { readModelFolder } from "./modelFolder.ts";
import { readModelGraph, type ModelGraph } from "./modelGraph.ts";
import { ElementType } from "./onnx/encode.ts";
import { graphNames, type PatchedGraph } from "./onnx/patch.ts";

export interface SessionOptions {
  /** 0: onnxruntime decides (one a physical core). */
  readonly threads: number;
}

/** Tokens to run on a cache. All arrays are row-major. */
export interface ForwardStep {
  readonly batch: number;
  readonly tokens: number;
  /** [batch, tokens]; rows shorter than `tokens` are padded on the right with any id. */
  readonly ids: Int32Array;
  /** [batch]: tokens of each row that are not padding; left out: all of them. */
  readonly lengths?: Int32Array;
  /** [batch, tokens]; left out: counted on from the cache. */
  readonly positions?: Int32Array;
  /** [tokens, cache length + tokens]: 1 where a token (row) sees another; for graphs with an attention bias, batch 1. */
  readonly visible?: Uint8Array;
  /** null: nothing before these tokens. */
  readonly cache: KvCache | null;
  /** Whether the result's cache is wanted. */
  readonly keepCache: boolean;
  readonly steering: RowSteering | null;
  /** [batch, pools, tokens]: each pool is a weighting of tokens whose residual-stream rows are summed. */
  readonly pool?: { readonly weights: Float32Array; readonly count: number };
  /** [layers + 1, hidden, count] */
  readonly directions?: { readonly values: Float32Array; readonly count: number };
  /** Rows of the flattened [batch * tokens] whose logits are wanted. */
  readonly logitRows?: Int32Array;
}

/** What is added where: `offsets` [layers, rows, hidden] with rows 1 or batch, `mask` [batch, tokens] 0 or 1. */
export interface RowSteering {
  readonly offsets: Tensor;
  readonly mask: Float32Array;
}

export interface ForwardResult {
  /** [layers + 1, batch, pools, hidden]; empty without pools. */
  readonly pooled: Float32Array;
  /** [layers + 1, batch, tokens, count]; empty without directions. */
  readonly projections: Float32Array;
  /** [logitRows, vocabulary]; empty without logitRows. */
  readonly logits: Float32Array;
  readonly cache: KvCache | null;
}

const nothing = new Float32Array(0);
/** What masks a pair of tokens: low enough to vanish in a softmax, finite so that a fully masked row is no NaN. */
const maskedBias = -1e9;

export class ModelSession {
  readonly model: ModelGraph;
  readonly #session: InferenceSession;
  readonly #options: SessionOptions;
  /** Made when logits are wanted for the first time. */
  #head: Promise<InferenceSession> | undefined;
  readonly #noSteering: Tensor;
  readonly #noDirections: Tensor;

  private constructor(model: ModelGraph, session: InferenceSession, options: SessionOptions) {
    this.model = model;
    this.#session = session;
    this.#options = options;
    const { layers, hidden } = this;
    this.#noSteering = new Tensor("float32", new Float32Array(layers * hidden), [layers, 1, hidden]);
    this.#noDirections = new Tensor("float32", new Float32Array(0), [layers + 1, hidden, 0]);
  }

  /** Loads a model folder. Throws ModelNotFound, ModelCorrupt, ModelUnsupported or OutOfMemory. */
  static async open(reference: string, options: SessionOptions): Promise<ModelSession> {
    const model = readModelGraph(readModelFolder(reference));
    const session = await createSession(model.bytes, model, options);
    try {
      checkInputs(session, model.graph);
    } catch (error) {
      await session.release();
      throw error;
    }
    return new ModelSession(model, session, options);
  }

  get layers(): number {
    return this.model.graph.layers;
  }

  get hidden(): number {
    return this.model.config.hidden;
  }

  /**
   * Whether token trees can run as one sequence of `tokens` tokens, context included: on graphs with an attention bias,
   * as long as no sliding window cuts the sequence (windows count along it and not by position).
   */
  canPack(tokens: number): boolean {
    const { graph, window } = this.model;
    return graph.inputs.attentionBias !== null && (window === null || tokens <= window);
  }

  /** A cache to decode on, with room for `capacity` tokens where the cache is of a fixed size. */
  newCache(batch: number, capacity: number): KvCache {
    return emptyCache(this.model.graph.cache, batch, this.hasFixedCache ? capacity : 0);
  }

  get hasFixedCache(): boolean {
    return this.model.cacheKind !== "growing";
  }

  /** The dense offsets of a batch as a tensor that can be reused over steps. `values`: [layers, rows, hidden]. */
  steeringTensor(values: Float32Array, rows: number): Tensor {
    return new Tensor("float32", values, [this.layers, rows, this.hidden]);
  }

  /** Runs tokens on a cache. Blocks the thread for the length of the run: keep steps short. */
  async run(step: ForwardStep): Promise<ForwardResult> {
    const { batch, tokens } = step;
    const cache = step.cache ?? emptyCache(this.model.graph.cache, batch, 0);
    const feeds = this.#feeds(step, cache);
    const fetches = this.#fetches(step, cache);
    const outputs = await this.#session.run(feeds, fetches).catch((error: unknown) => {
      throw runError(error);
    });
    return {
      pooled: step.pool ? float32Of(outputs[graphNames.readOut]) : nothing,
      projections: step.directions ? float32Of(outputs[graphNames.projections]) : nothing,
      logits: step.logitRows ? await this.#logits(outputs) : nothing,
      cache: step.keepCache ? this.#nextCache(cache, tokens, outputs) : null,
    };
  }

  async release(): Promise<void> {
    await this.#session.release();
    await (await this.#head?.catch(() => undefined))?.release();
  }

  async #logits(outputs: InferenceSession.OnnxValueMapType): Promise<Float32Array> {
    const { head, graph } = this.model;
    if (head === null) return float32Of(outputs[graph.logits.name]);
    this.#head ??= this.#openHead(head.bytes).catch((error: unknown) => {
      // Memory may be free again at the next try.
      this.#head = undefined;
      throw error;
    });
    return this.#runHead(await this.#head, outputs[head.rows.name]!);
  }

  /** The self-test has not seen these weights: rows of zeros show a number among them that is none. */
  async #openHead(bytes: Uint8Array): Promise<InferenceSession> {
    const session = await createSession(bytes, this.model, this.#options);
    const logits = await this.#runHead(session, this.#zeroRow()).catch(async (error: unknown) => {
      await session.release();
      throw error;
    });
    if (logits.every(Number.isFinite)) return session;
    await session.release();
    throw new SteerscopeError(
      "SelfTestFailed",
      "The output head of this model holds numbers that are not finite.",
      {
        remedy: "Download or export the model again.",
      },
    );
  }

  #zeroRow(): Tensor {
    const { hidden } = this;
    const { isMatrix, elementType } = this.model.head!.rows;
    const shape = isMatrix ? [1, hidden] : [1, 1, hidden];
    return elementType === ElementType.float16
      ? new Tensor("float16", new Uint16Array(hidden), shape)
      : new Tensor("float32", new Float32Array(hidden), shape);
  }

  async #runHead(session: InferenceSession, rows: Tensor): Promise<Float32Array> {
    const { head, graph } = this.model;
    const outputs = await session.run({ [head!.rows.name]: rows }).catch((error: unknown) => {
      throw runError(error);
    });
    return float32Of(outputs[graph.logits.name]);
  }

  #feeds(step: ForwardStep, cache: KvCache): Record<string, Tensor> {
    const { batch, tokens } = step;
    const { inputs } = this.model.graph;
    const { hidden } = this;
    const total = cache.length + tokens;
    const feeds: Record<string, Tensor> = {
      [inputs.inputIds]: this.#integers(inputs.inputIds, step.ids, [batch, tokens]),
      [graphNames.steer]: step.steering?.offsets ?? this.#noSteering,
      [graphNames.steerMask]: new Tensor("float32", step.steering?.mask ?? new Float32Array(batch * tokens), [
        batch,
        tokens,
      ]),
      [graphNames.readPool]: new Tensor("float32", step.pool?.weights ?? nothing, [
        batch,
        step.pool?.count ?? 0,
        tokens,
      ]),
      [graphNames.directions]: step.directions
        ? new Tensor("float32", step.directions.values, [this.layers + 1, hidden, step.directions.count])
        : this.#noDirections,
      [graphNames.logitRows]: int64Tensor(step.logitRows ?? new Int32Array(0), [step.logitRows?.length ?? 0]),
    };
    if (inputs.attentionMask !== null) {
      const mask = new Int32Array(batch * total).fill(1);
      step.lengths?.forEach((length, row) => {
        mask.fill(0, row * total + cache.length + length, (row + 1) * total);
      });
      feeds[inputs.attentionMask] = this.#integers(inputs.attentionMask, mask, [batch, total]);
    }
    if (inputs.positionIds !== null) {
      const positions = step.positions ?? countedPositions(step, cache);
      feeds[inputs.positionIds] = this.#integers(inputs.positionIds, positions, [batch, tokens]);
    }
    if (inputs.useCacheBranch !== null) {
      feeds[inputs.useCacheBranch] = new Tensor("bool", Uint8Array.from([cache.length > 0 ? 1 : 0]), [1]);
    }
    if (inputs.numLogitsToKeep !== null) {
      feeds[inputs.numLogitsToKeep] = this.#integers(inputs.numLogitsToKeep, Int32Array.of(0), []);
    }
    if (inputs.attentionBias !== null) {
      feeds[inputs.attentionBias] = new Tensor("float32", biasOf(step, total), [1, 1, tokens, total]);
    }
    for (const [name, tensor] of cache.tensors) feeds[name] = tensor;
    return feeds;
  }

  /** In the type that the graph declares for the input. */
  #integers(name: string, values: Int32Array, shape: readonly number[]): Tensor {
    const isShort = this.model.graph.integerTypes.get(name) === "int32";
    return isShort ? new Tensor("int32", values, shape) : int64Tensor(values, shape);
  }

  #fetches(step: ForwardStep, cache: KvCache): Record<string, Tensor | null> {
    const fetches: Record<string, Tensor | null> = {};
    if (step.pool) fetches[graphNames.readOut] = null;
    if (step.directions) fetches[graphNames.projections] = null;
    if (step.logitRows) fetches[this.model.head?.rows.name ?? this.model.graph.logits.name] = null;
    if (step.keepCache) {
      for (const { input, output } of this.model.graph.cache) {
        if (this.model.cacheKind === "rows") fetches[newRowsOutput(input)] = null;
        else fetches[output] = this.model.cacheKind === "shared" ? cache.tensors.get(input)! : null;
      }
    }
    return fetches;
  }

  #nextCache(cache: KvCache, tokens: number, outputs: InferenceSession.OnnxValueMapType): KvCache {
    const length = cache.length + tokens;
    if (this.model.cacheKind === "rows") {
      for (const spec of this.model.graph.cache) {
        appendRows(spec, cache, float32Of(outputs[newRowsOutput(spec.input)]), tokens);
      }
    }
    if (this.hasFixedCache) return { ...cache, length };
    const tensors = new Map(this.model.graph.cache.map((spec) => [spec.input, outputs[spec.output]!]));
    return { batch: cache.batch, length, capacity: length, tensors };
  }
}

async function createSession(
  bytes: Uint8Array,
  { weightsFolder }: ModelGraph,
  { threads }: SessionOptions,
): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(bytes, {
      executionProviders: ["cpu"],
      intraOpNumThreads: threads,
      graphOptimizationLevel: "all",
      // Plans memory for shapes it saw; ours change with every run, and the plans only add up.
      enableMemPattern: false,
      // Warnings are about initialisers that our patch leaves unused; errors come as exceptions.
      logSeverityLevel: 4,
      extra: {
        session: {
          // An idle editor must not burn cores: threads stop spinning when a run ends.
          force_spinning_stop: "1",
          model_external_initializers_file_folder_path: weightsFolder,
        },
      },
    });
  } catch (error) {
    throw loadError(error);
  }
}

function countedPositions(step: ForwardStep, cache: KvCache): Int32Array {
  const positions = new Int32Array(step.batch * step.tokens);
  for (let i = 0; i < positions.length; i++) positions[i] = cache.length + (i % step.tokens);
  return positions;
}

function biasOf(step: ForwardStep, total: number): Float32Array {
  const bias = new Float32Array(step.tokens * total);
  if (step.visible) {
    for (let i = 0; i < bias.length; i++) if (step.visible[i] === 0) bias[i] = maskedBias;
  }
  return bias;
}

function int64Tensor(values: Int32Array, shape: readonly number[]): Tensor {
  return new Tensor("int64", BigInt64Array.from(values, BigInt), shape);
}

function float32Of(value: unknown): Float32Array {
  const { data } = value as Tensor;
  if (data instanceof Float32Array) return data;
  const view = data as unknown as ArrayBufferView;
  return Float32Array.from(
    new Uint16Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength / 2),
    float16ToNumber,
  );
}

function checkInputs(session: InferenceSession, graph: PatchedGraph): void {
  const known = new Set<string | null>([
    ...(Object.values(graph.inputs) as (string | null)[]),
    ...Object.values(graphNames),
    ...graph.cache.map((spec) => spec.input),
  ]);
  const unknown = session.inputNames.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new SteerscopeError(
      "ModelUnsupported",
      `The graph wants inputs that Steerscope does not know: ${unknown.join(", ")}.`,
      {
        remedy: "Export the model for text generation with past (Optimum: text-generation-with-past).",
      },
    );
  }
}

const outOfMemory = /bad_alloc|allocat/i;

/** What onnxruntime threw in a run; where it is not about memory, our own mistake. */
function runError(error: unknown): unknown {
  if (!(error instanceof Error) || !outOfMemory.test(error.message)) return error;
  return new SteerscopeError("OutOfMemory", "There is not enough memory for this.", {
    remedy: "Close other programs, shorten the texts, or ask for fewer variants at once.",
    detail: error.message,
  });
}

function loadError(error: unknown): SteerscopeError {
  const detail = error instanceof Error ? error.message : String(error);
  if (outOfMemory.test(detail)) {
    return new SteerscopeError("OutOfMemory", "There is not enough memory to load this model.", {
      remedy: "Close other programs, or choose a smaller or more strongly quantised model.",
      detail,
    });
  }
  if (
    /not implemented|NOT_IMPLEMENTED|is not a registered function|Could not find an implementation/i.test(
      detail,
    )
  ) {
    return new SteerscopeError(
      "ModelUnsupported",
      "This graph uses an operation that the CPU of onnxruntime does not have.",
      {
        remedy:
          "Choose an export for the CPU, such as Optimum's or the onnxruntime-genai builder's with -e cpu.",
        detail,
      },
    );
  }
  return new SteerscopeError("ModelCorrupt", "onnxruntime cannot load this model.", {
    remedy: "Download or export the model again; the log has onnxruntime's own words.",
    detail,
  });
}
