/** Feeds a patched graph, and the stock graph beside it, straight to onnxruntime-node: no engine in between. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { FileByteSource } from "../../../src/engine/fileByteSource.ts";
import { parseOnnx } from "../../../src/engine/onnx/model.ts";
import { graphNames, patchGraph, type PatchedGraph } from "../../../src/engine/onnx/patch.ts";
import { separateHead } from "../../../src/engine/onnx/separateHead.ts";

export type Outputs = InferenceSession.OnnxValueMapType;

/** What goes into one run; all arrays row-major. Left out: nothing steered, nothing read, no logits. */
export interface RawStep {
  /** [batch][tokens] */
  readonly ids: readonly (readonly number[])[];
  /** Outputs of the run before, and how many tokens they hold. */
  readonly past?: { readonly outputs: Outputs; readonly length: number };
  /** [layers, rows, hidden] */
  readonly steer?: { readonly values: Float32Array; readonly rows: number };
  /** [batch, tokens]; left out: all ones. */
  readonly mask?: Float32Array;
  /** [batch, count, tokens] */
  readonly pool?: { readonly values: Float32Array; readonly count: number };
  /** [layers + 1, hidden, count] */
  readonly directions?: { readonly values: Float32Array; readonly count: number };
  readonly logitRows?: readonly number[];
}

export interface FixtureShape {
  readonly layers: number;
  readonly hidden: number;
  readonly headDim: number;
}

interface RawConfig {
  readonly num_hidden_layers?: number;
  readonly n_layer?: number;
  readonly hidden_size?: number;
  readonly n_embd?: number;
  readonly num_attention_heads?: number;
  readonly n_head?: number;
  readonly head_dim?: number;
}

function fixtureShape(folder: string): FixtureShape {
  const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as RawConfig;
  const layers = config.num_hidden_layers ?? config.n_layer!;
  const hidden = config.hidden_size ?? config.n_embd!;
  return {
    layers,
    hidden,
    headDim: config.head_dim ?? hidden / (config.num_attention_heads ?? config.n_head!),
  };
}

/** Patches `folder`/model.onnx as its config.json says. */
function patchFixture(folder: string, shape = fixtureShape(folder)): PatchedGraph {
  const source = new FileByteSource(join(folder, "model.onnx"));
  try {
    return patchGraph(parseOnnx(source), source, { weightsFile: "model.onnx", ...shape });
  } finally {
    source.close();
  }
}

// Errors only: onnxruntime warns of the unused values of some stock graphs.
const quiet = { logSeverityLevel: 4, intraOpNumThreads: 2 } as const;

export class RawSession {
  readonly graph: PatchedGraph;
  readonly shape: FixtureShape;
  readonly #session: InferenceSession;
  /** The output head, where it can stand alone; then the logits come from there, as in the product. */
  readonly #head: InferenceSession | null;
  readonly #stock: InferenceSession | null;

  private constructor(
    graph: PatchedGraph,
    shape: FixtureShape,
    session: InferenceSession,
    head: InferenceSession | null,
    stock: InferenceSession | null,
  ) {
    this.graph = graph;
    this.shape = shape;
    this.#session = session;
    this.#head = head;
    this.#stock = stock;
  }

  static async open(folder: string, { withStock = true } = {}): Promise<RawSession> {
    const shape = fixtureShape(folder);
    const graph = patchFixture(folder, shape);
    const parts = graph.headRows && separateHead(graph.bytes, graph.headRows, graph.logits.name);
    const create = (bytes: Uint8Array): Promise<InferenceSession> =>
      InferenceSession.create(bytes, {
        ...quiet,
        extra: { session: { model_external_initializers_file_folder_path: folder } },
      });
    const session = await create(parts?.body ?? graph.bytes);
    const head = parts && (await create(parts.head));
    const stock = withStock ? await InferenceSession.create(join(folder, "model.onnx"), quiet) : null;
    return new RawSession(graph, shape, session, head, stock);
  }

  async run(step: RawStep): Promise<Outputs> {
    const outputs = await this.#session.run({ ...this.#stockFeeds(step), ...this.#ownFeeds(step) });
    if (this.#head === null) return outputs;
    const { name } = this.graph.headRows!;
    return { ...outputs, ...(await this.#head.run({ [name]: outputs[name]! })) };
  }

  /** Whether the output head is a graph of its own. */
  get hasSeparateHead(): boolean {
    return this.#head !== null;
  }

  /** The unpatched graph on the same tokens. */
  async runStock(step: RawStep): Promise<Outputs> {
    return this.#stock!.run(this.#stockFeeds(step));
  }

  /** [rows, vocabulary] of a run's logits, as numbers. */
  logits(outputs: Outputs): Float32Array {
    return floats(outputs[this.graph.logits.name]!);
  }

  async release(): Promise<void> {
    await this.#session.release();
    await this.#head?.release();
    await this.#stock?.release();
  }

  #stockFeeds({ ids, past }: RawStep): Record<string, Tensor> {
    const batch = ids.length;
    const tokens = ids[0]!.length;
    const before = past?.length ?? 0;
    const { inputs, cache } = this.graph;
    const feeds: Record<string, Tensor> = {};
    const integers = (name: string | null, values: readonly number[], dims: number[]): void => {
      if (name !== null) feeds[name] = new Tensor("int64", BigInt64Array.from(values, BigInt), dims);
    };
    integers(inputs.inputIds, ids.flat(), [batch, tokens]);
    integers(inputs.attentionMask, ones(batch * (before + tokens)), [batch, before + tokens]);
    integers(
      inputs.positionIds,
      ids.flatMap((row) => row.map((_, i) => before + i)),
      [batch, tokens],
    );
    if (inputs.useCacheBranch !== null) {
      feeds[inputs.useCacheBranch] = new Tensor("bool", Uint8Array.of(before > 0 ? 1 : 0), [1]);
    }
    for (const { input, output, elementType, dims } of cache) {
      const shape = dims.map((dim) => (dim === "batch" ? batch : dim === "past" ? 0 : dim));
      const empty = elementType === "float16" ? new Uint16Array(0) : new Float32Array(0);
      feeds[input] = past?.outputs[output] ?? new Tensor(elementType, empty, shape);
    }
    return feeds;
  }

  #ownFeeds({ ids, steer, mask, pool, directions, logitRows }: RawStep): Record<string, Tensor> {
    const batch = ids.length;
    const tokens = ids[0]!.length;
    const { layers, hidden } = this.shape;
    const rows = logitRows ?? [];
    const float = (values: Float32Array, dims: number[]): Tensor => new Tensor("float32", values, dims);
    return {
      [graphNames.steer]: float(steer?.values ?? new Float32Array(layers * hidden), [
        layers,
        steer?.rows ?? 1,
        hidden,
      ]),
      [graphNames.steerMask]: float(mask ?? new Float32Array(batch * tokens).fill(1), [batch, tokens]),
      [graphNames.readPool]: float(pool?.values ?? new Float32Array(0), [batch, pool?.count ?? 0, tokens]),
      [graphNames.directions]: float(directions?.values ?? new Float32Array(0), [
        layers + 1,
        hidden,
        directions?.count ?? 0,
      ]),
      [graphNames.logitRows]: new Tensor("int64", BigInt64Array.from(rows, BigInt), [rows.length]),
    };
  }
}

function ones(count: number): number[] {
  return new Array<number>(count).fill(1);
}

/** Reads every token: `batch` identity matrices. */
export function readAll(batch: number, tokens: number): { values: Float32Array; count: number } {
  const values = Float32Array.from({ length: batch * tokens * tokens }, (_, i) =>
    (i % (tokens * tokens)) % (tokens + 1) === 0 ? 1 : 0,
  );
  return { values, count: tokens };
}

/** The values of a float32 or float16 tensor. */
export function floats(tensor: Tensor): Float32Array {
  if (tensor.data instanceof Float32Array) return tensor.data;
  // Uint16Array in Node 20 and 22, Float16Array (which converts by itself) from 24 on.
  return tensor.data instanceof Uint16Array
    ? Float32Array.from(tensor.data, halfToNumber)
    : Float32Array.from(tensor.data as Iterable<number>);
}

function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
