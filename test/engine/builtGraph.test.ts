/**
 * Graphs built over checkpoints, run by onnxruntime itself, against what PyTorch computes: plain, steered, on caches,
 * in batches and packed.
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildDecoderGraph, newRowsOutput, type BuiltGraph } from "../../src/engine/build/decoderGraph.ts";
import type { Shard } from "../../src/engine/build/weights.ts";
import { parseOnnx } from "../../src/engine/onnx/model.ts";
import { graphNames, patchGraph } from "../../src/engine/onnx/patch.ts";
import { MemoryByteSource } from "../../src/engine/onnx/wire.ts";
import { parseSafetensorsHeader } from "../../src/formats/safetensors.ts";
import { isSteerscopeError } from "../../src/shared/errors.ts";

const fixtures = fileURLToPath(new URL("../fixtures/", import.meta.url));
const checkpoints = [
  "decoder-graphs/safetensors/llama",
  "decoder-graphs/safetensors/qwen2",
  ...readdirSync(`${fixtures}checkpoints`, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `checkpoints/${name}`),
];

interface Reference {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, "utf8"));
}

function build(folder: string): BuiltGraph {
  const shards = readdirSync(folder)
    .filter((file) => file.endsWith(".safetensors"))
    .map((file): Shard => {
      const bytes = readFileSync(`${folder}/${file}`);
      return { file, header: parseSafetensorsHeader(bytes, bytes.length) };
    });
  return buildDecoderGraph(readJson(`${folder}/config.json`), shards);
}

function range(length: number, from = 0): number[] {
  return Array.from({ length }, (_, i) => from + i);
}

/** One sequence or batch to run. All rows have the same number of tokens. */
interface Run {
  readonly ids: readonly (readonly number[])[];
  readonly positions: readonly (readonly number[])[];
  /** Tokens of each row that count, these ones included. */
  readonly lengths: readonly number[];
  readonly cache?: Cache;
  /** Whether token i of this run may see position j of the sequence. */
  readonly visible?: (i: number, j: number) => boolean;
  /** Added to the output of block 1 at every token. */
  readonly vector?: readonly number[];
}

interface Result {
  /** [batch * tokens, vocabulary] */
  readonly logits: Float32Array;
  /** [layers + 1, tokens, hidden] of the first row */
  readonly resid: Float32Array;
  /** The new rows of each cache by what follows `past_key_values.` in its name, [batch, tokens, keyValueHeads * headSize] */
  readonly added: ReadonlyMap<string, Float32Array>;
}

/** Buffers with room for more than they hold; what is behind the tokens is NaN, and must not matter. */
class Cache {
  readonly capacity = 32;
  readonly data: ReadonlyMap<string, Float32Array>;
  readonly batch: number;
  readonly #model: Model;

  constructor(model: Model, batch: number) {
    this.batch = batch;
    this.#model = model;
    const size = batch * model.keyValueHeads * this.capacity * model.headSize;
    this.data = new Map(model.cacheNames.map((name) => [name, new Float32Array(size).fill(NaN)]));
  }

  /** Writes the `count` tokens that a run of one row computed behind `at` tokens of `row`. */
  write(result: Result, row: number, at: number, count: number): this {
    const { keyValueHeads, headSize } = this.#model;
    for (const [name, added] of result.added) {
      for (let i = 0; i < count * keyValueHeads; i++) {
        const token = at + Math.floor(i / keyValueHeads);
        const head = i % keyValueHeads;
        const to = ((row * keyValueHeads + head) * this.capacity + token) * headSize;
        this.data.get(name)!.set(added.subarray(i * headSize, (i + 1) * headSize), to);
      }
    }
    return this;
  }
}

const prefix = "past_key_values.";

class Model {
  readonly layers: number;
  readonly hidden: number;
  readonly vocabulary: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  readonly cacheNames: readonly string[];
  readonly #session: InferenceSession;

  private constructor(session: InferenceSession, layers: number, hidden: number, vocabulary: number) {
    this.#session = session;
    this.layers = layers;
    this.hidden = hidden;
    this.vocabulary = vocabulary;
    const past = session.inputMetadata.filter((input) => input.name.startsWith(prefix));
    this.cacheNames = past.map(({ name }) => name.slice(prefix.length));
    const [first] = past;
    if (!first?.isTensor) throw new Error("no cache");
    this.keyValueHeads = first.shape[1] as number;
    this.headSize = first.shape[3] as number;
  }

  static async open(folder: string): Promise<Model> {
    const config = readJson(`${folder}/config.json`) as Record<string, number>;
    const source = new MemoryByteSource(build(folder).bytes);
    const hidden = config["hidden_size"]!;
    const layers = config["num_hidden_layers"]!;
    const headDim = config["head_dim"] ?? hidden / config["num_attention_heads"]!;
    const { bytes } = patchGraph(parseOnnx(source), source, {
      weightsFile: "",
      hidden,
      layers,
      headDim,
      keepOutputs: range(layers).flatMap((n) =>
        ["key", "value"].map((kind) => newRowsOutput(`${prefix}${n}.${kind}`)),
      ),
    });
    const session = await InferenceSession.create(bytes, {
      logSeverityLevel: 4,
      intraOpNumThreads: 2,
      extra: { session: { model_external_initializers_file_folder_path: folder } },
    });
    return new Model(session, layers, hidden, config["vocab_size"]!);
  }

  async run({ ids, positions, lengths, cache, visible, vector }: Run): Promise<Result> {
    const batch = ids.length;
    const tokens = ids[0]!.length;
    const total = Math.max(...lengths);
    const integers = (values: readonly number[], shape: number[]): Tensor =>
      new Tensor("int64", BigInt64Array.from(values, BigInt), shape);
    const bias = new Float32Array(tokens * total);
    if (visible) {
      for (let at = 0; at < bias.length; at++) {
        if (!visible(Math.floor(at / total), at % total)) bias[at] = -1e9;
      }
    }
    const steer = new Float32Array(this.layers * this.hidden);
    if (vector) steer.set(vector, this.hidden);
    const one = range(tokens).flatMap((i) => range(tokens).map((j) => Number(i === j)));
    const feeds: Record<string, Tensor> = {
      input_ids: integers(ids.flat(), [batch, tokens]),
      position_ids: integers(positions.flat(), [batch, tokens]),
      attention_mask: integers(
        lengths.flatMap((length) => range(total).map((i) => Number(i < length))),
        [batch, total],
      ),
      attention_bias: new Tensor("float32", bias, [1, 1, tokens, total]),
      [graphNames.steer]: new Tensor("float32", steer, [this.layers, 1, this.hidden]),
      [graphNames.steerMask]: new Tensor("float32", new Float32Array(batch * tokens).fill(1), [
        batch,
        tokens,
      ]),
      [graphNames.readPool]: new Tensor("float32", Float32Array.from(range(batch).flatMap(() => one)), [
        batch,
        tokens,
        tokens,
      ]),
      [graphNames.directions]: new Tensor("float32", new Float32Array(0), [this.layers + 1, this.hidden, 0]),
      [graphNames.logitRows]: integers(range(batch * tokens), [batch * tokens]),
    };
    for (const name of this.cacheNames) {
      const data = cache?.data.get(name) ?? new Float32Array(0);
      const shape = [batch, this.keyValueHeads, cache?.capacity ?? 0, this.headSize];
      feeds[prefix + name] = new Tensor("float32", data, shape);
    }
    const wanted = this.cacheNames.map((name) => newRowsOutput(prefix + name));
    const outputs = await this.#session.run(feeds, ["logits", graphNames.readOut, ...wanted]);
    const values = (name: string): Float32Array => outputs[name]!.data as Float32Array;
    return {
      logits: values("logits"),
      resid: values(graphNames.readOut),
      added: new Map(this.cacheNames.map((name, i) => [name, values(wanted[i]!)])),
    };
  }

  /** A text of its own, from its beginning. */
  plain(ids: readonly number[], vector?: readonly number[]): Promise<Result> {
    const run = { ids: [ids], positions: [range(ids.length)], lengths: [ids.length] };
    return this.run(vector ? { ...run, vector } : run);
  }

  row(logits: Float32Array, row: number): Float32Array {
    return logits.subarray(row * this.vocabulary, (row + 1) * this.vocabulary);
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

/** The largest distance of two rows of `width`, relative to the length of the expected one; NaN counts as infinite. */
function deviation(actual: ArrayLike<number>, expected: ArrayLike<number>, width: number): number {
  expect(actual.length).toBe(expected.length);
  let largest = 0;
  for (let row = 0; row < expected.length; row += width) {
    let distance = 0;
    let norm = 0;
    for (let i = row; i < row + width; i++) {
      distance += (actual[i]! - expected[i]!) ** 2;
      norm += expected[i]! ** 2;
    }
    const relative = Math.sqrt(distance / norm);
    largest = relative <= largest ? largest : Number.isNaN(relative) ? Infinity : relative;
  }
  return largest;
}

const limit = 1e-5;

describe.each(checkpoints)("%s", (name) => {
  const folder = fixtures + name;
  const reference = readJson(`${folder}/reference.json`) as Readonly<Record<string, Reference>>;
  const ids = reference["ids"]!.data;
  const vector = reference["v"]!.data;
  const windowed = build(folder).window !== null;
  let model: Model;
  let whole: Result;
  beforeAll(async () => {
    model = await Model.open(folder);
    whole = await model.plain(ids);
  });
  afterAll(() => model.release());

  it("has PyTorch's residual stream and logits", () => {
    const stream = ["emb", ...range(model.layers).map((layer) => `r${layer}`)];
    const expected = stream.flatMap((key) => [...reference[key]!.data]);
    expect(deviation(whole.resid, expected, model.hidden)).toBeLessThan(limit);
    expect(deviation(whole.logits, reference["logits"]!.data, model.vocabulary)).toBeLessThan(limit);
  });

  it("has PyTorch's steered logits", async () => {
    const { logits } = await model.plain(ids, vector);
    const expected = reference["steered"]!.data;
    expect(deviation(logits, expected, model.vocabulary)).toBeLessThan(limit);
    expect(deviation(logits, whole.logits, model.vocabulary)).toBeGreaterThan(100 * limit);
  });

  it("computes chunks and single tokens on a cache as it does the whole", async () => {
    const cache = new Cache(model, 1);
    const chunks = [3, 2, ...range(ids.length - 5).map(() => 1)];
    let at = 0;
    for (const tokens of chunks) {
      const run = {
        ids: [ids.slice(at, at + tokens)],
        positions: [range(tokens, at)],
        lengths: [at + tokens],
      };
      const result = await model.run(at === 0 ? run : { ...run, cache });
      cache.write(result, 0, at, tokens);
      const expected = whole.logits.subarray(at * model.vocabulary, (at + tokens) * model.vocabulary);
      expect(deviation(result.logits, expected, model.vocabulary)).toBeLessThan(limit);
      at += tokens;
    }
  });

  it("decodes rows of different lengths in one batch as alone", async () => {
    const lengths = [2, 5, 3];
    const cache = new Cache(model, lengths.length);
    for (const [row, length] of lengths.entries()) {
      cache.write(await model.plain(ids.slice(0, length)), row, 0, length);
    }
    const result = await model.run({
      ids: lengths.map((length) => [ids[length]!]),
      positions: lengths.map((length) => [length]),
      lengths: lengths.map((length) => length + 1),
      cache,
    });
    const expected = lengths.flatMap((length) => [...model.row(whole.logits, length)]);
    expect(deviation(result.logits, expected, model.vocabulary)).toBeLessThan(limit);
  });

  it("computes right-padded rows as alone", async () => {
    const result = await model.run({
      ids: [ids.slice(0, 6), [...ids.slice(0, 4), 0, 0]],
      positions: [range(6), [...range(4), 0, 0]],
      lengths: [6, 4],
    });
    const expected = whole.logits.subarray(0, 6 * model.vocabulary);
    const size = model.vocabulary;
    expect(deviation(result.logits.subarray(0, 6 * size), expected, size)).toBeLessThan(limit);
    expect(
      deviation(result.logits.subarray(6 * size, 10 * size), expected.subarray(0, 4 * size), size),
    ).toBeLessThan(limit);
  });

  it.skipIf(windowed)("computes a tree of texts packed as one sequence as one by one", async () => {
    const prefix = ids.slice(0, 4);
    const tails = [[7, 3, 11], [20], [5, 9], [33, 34, 35, 36]];
    const tailOf = tails.flatMap((tail, index) => tail.map(() => index));
    const tailPositions = tails.flatMap((tail) => range(tail.length, prefix.length));
    const alone = await Promise.all(tails.map((tail) => model.plain([...prefix, ...tail])));
    const expected = alone.flatMap(({ logits }) => [...logits.subarray(prefix.length * model.vocabulary)]);
    const branchOf = (j: number): number => (j < prefix.length ? -1 : tailOf[j - prefix.length]!);
    const sees = (i: number, j: number): boolean => branchOf(j) === -1 || branchOf(j) === branchOf(i);
    const total = prefix.length + tailOf.length;

    const packed = await model.run({
      ids: [[...prefix, ...tails.flat()]],
      positions: [[...range(prefix.length), ...tailPositions]],
      lengths: [total],
      visible: sees,
    });
    const tailLogits = packed.logits.subarray(prefix.length * model.vocabulary);
    expect(deviation(tailLogits, expected, model.vocabulary)).toBeLessThan(limit);

    const onCache = await model.run({
      ids: [tails.flat()],
      positions: [tailPositions],
      lengths: [total],
      cache: new Cache(model, 1).write(await model.plain(prefix), 0, 0, prefix.length),
      visible: (i, j) => sees(prefix.length + i, j),
    });
    expect(deviation(onCache.logits, expected, model.vocabulary)).toBeLessThan(limit);
  });
});

describe("what a built graph says about itself", () => {
  it("names the precision that the matrices are stored in", () => {
    const precisions = checkpoints.map((name) => [name, build(fixtures + name).precision]);
    const halves = precisions.filter(([, precision]) => precision !== "fp32");
    expect(Object.fromEntries(halves)).toEqual({
      "checkpoints/llama-bias-bf16": "bf16",
      "checkpoints/qwen2-fp16-sharded": "fp16",
    });
  });

  it("names the window within which texts may be packed", () => {
    const windows = checkpoints.map((name) => [name, build(fixtures + name).window]);
    expect(Object.fromEntries(windows.filter(([, window]) => window !== null))).toEqual({
      "checkpoints/mistral-window": 4,
      "checkpoints/qwen3-windows": 4,
    });
  });

  it.each(["gemma2", "gpt2"])("refuses %s", (name) => {
    try {
      build(`${fixtures}decoder-graphs/safetensors/${name}`);
    } catch (error) {
      expect(isSteerscopeError(error, "ModelUnsupported")).toBe(true);
      expect((error as Error).message).toContain(name);
      return;
    }
    expect.unreachable();
  });
});
