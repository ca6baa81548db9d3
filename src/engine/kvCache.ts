/**
 * KV caches. A cache is a value: running tokens on it gives another one and leaves it readable, so that texts which
 * share a prefix can branch off it. Three ways to hold it:
 *  - growing: the graph concatenates and each run's outputs are the next cache (any graph);
 *  - shared: GroupQueryAttention writes behind the tokens it finds in a buffer of fixed capacity that is given as past
 *    and as present;
 *  - rows: graphs that we build give the new keys and values alone, and they are put into such a buffer here. onnxruntime
 *    copies every output into a fresh array, so this is what decodes fastest.
 * In a fixed buffer a branch overwrites what another branch wrote behind the common prefix: finish one branch before the
 * next begins, or take a copy with `gatherRows` first.
 */
import { Tensor } from "onnxruntime-node";
import type { CacheTensor } from "./onnx/patch.ts";

type CacheData = Float32Array | Uint16Array;

export type CacheKind = "growing" | "shared" | "rows";

export interface KvCache {
  readonly batch: number;
  /** Tokens held for every row. */
  readonly length: number;
  /** Tokens the buffers can hold; for a growing cache, what they hold now. */
  readonly capacity: number;
  /** By input name of the graph. */
  readonly tensors: ReadonlyMap<string, Tensor>;
}

function axisOf(spec: CacheTensor, axis: "batch" | "past"): number {
  return spec.dims.indexOf(axis);
}

function shapeOf(spec: CacheTensor, batch: number, capacity: number): number[] {
  return spec.dims.map((dim) => (dim === "batch" ? batch : dim === "past" ? capacity : dim));
}

function product(values: readonly number[]): number {
  return values.reduce((total, value) => total * value, 1);
}

function allocate(spec: CacheTensor, batch: number, capacity: number): Tensor {
  const shape = shapeOf(spec, batch, capacity);
  const size = product(shape);
  // Node 24 hands out Float16Array for float16, older versions Uint16Array; onnxruntime accepts the latter everywhere.
  return spec.elementType === "float16"
    ? new Tensor("float16", new Uint16Array(size), shape)
    : new Tensor("float32", new Float32Array(size), shape);
}

/** A cache without tokens. */
export function emptyCache(specs: readonly CacheTensor[], batch: number, capacity: number): KvCache {
  return {
    batch,
    length: 0,
    capacity,
    tensors: new Map(specs.map((spec) => [spec.input, allocate(spec, batch, capacity)])),
  };
}

function dataOf(tensor: Tensor): CacheData {
  const { data } = tensor;
  if (data instanceof Float32Array || data instanceof Uint16Array) return data;
  // Float16Array of Node 24 and later: the same bits seen as Uint16Array.
  const view = data as unknown as ArrayBufferView;
  return new Uint16Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength / 2);
}

/**
 * A new cache whose row i is row `rows[i].row` of `rows[i].cache`; all caches must hold the same number of tokens.
 * `capacity` 0: exactly what is held (growing caches).
 */
export function gatherRows(
  specs: readonly CacheTensor[],
  rows: readonly { readonly cache: KvCache; readonly row: number }[],
  capacity: number,
): KvCache {
  const length = rows[0]!.cache.length;
  const size = capacity === 0 ? length : capacity;
  const result = emptyCache(specs, rows.length, size);
  for (const spec of specs) {
    const target = result.tensors.get(spec.input)!;
    rows.forEach(({ cache, row }, index) => {
      copyRow(spec, cache, row, target, index, rows.length, size, length);
    });
  }
  return { ...result, length };
}

/** Puts the keys or values that a run computed, [batch, tokens, heads * headSize], behind those that a fixed cache holds. */
export function appendRows(spec: CacheTensor, cache: KvCache, rows: Float32Array, tokens: number): void {
  const [, heads, , size] = spec.dims as readonly [unknown, number, unknown, number];
  const buffer = cache.tensors.get(spec.input)!.data as Float32Array;
  for (let row = 0; row < cache.batch; row++) {
    for (let token = 0; token < tokens; token++) {
      for (let head = 0; head < heads; head++) {
        const from = ((row * tokens + token) * heads + head) * size;
        const to = ((row * heads + head) * cache.capacity + cache.length + token) * size;
        for (let i = 0; i < size; i++) buffer[to + i] = rows[from + i]!;
      }
    }
  }
}

function copyRow(
  spec: CacheTensor,
  source: KvCache,
  sourceRow: number,
  target: Tensor,
  targetRow: number,
  targetBatch: number,
  targetCapacity: number,
  length: number,
): void {
  const from = source.tensors.get(spec.input)!;
  const batchAxis = axisOf(spec, "batch");
  const pastAxis = axisOf(spec, "past");
  // dims: outer... batch, middle..., past, inner...
  const numeric = spec.dims.map((dim) => (typeof dim === "number" ? dim : 1));
  const outer = product(numeric.slice(0, batchAxis));
  const middle = product(numeric.slice(batchAxis + 1, pastAxis));
  const inner = product(numeric.slice(pastAxis + 1));
  const input = dataOf(from);
  const output = dataOf(target);
  const count = length * inner;
  for (let o = 0; o < outer; o++) {
    for (let m = 0; m < middle; m++) {
      const at = ((o * source.batch + sourceRow) * middle + m) * source.capacity * inner;
      const to = ((o * targetBatch + targetRow) * middle + m) * targetCapacity * inner;
      output.set(input.subarray(at, at + count), to);
    }
  }
}

/** The same rows of one cache, each `times` times. */
export function repeatCache(
  specs: readonly CacheTensor[],
  cache: KvCache,
  times: number,
  capacity: number,
): KvCache {
  return gatherRows(
    specs,
    Array.from({ length: times }, () => ({ cache, row: 0 })),
    capacity,
  );
}
