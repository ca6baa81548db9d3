import { SteerscopeError } from "../shared/errors.ts";

/**
 * Algebra of steering vectors. A vector is [hidden] or, for all layers at once, [layers, hidden] row-major: the
 * functions only ask for equal lengths. Sums accumulate in float64 and round to float32 once. Two lengths that differ
 * throw VectorMismatch.
 */
type Vector = Float32Array | Float64Array;

export interface WeightedVector {
  readonly weight: number;
  readonly vector: Float32Array;
}

/** Sum of weight times vector. Throws InvalidRequest without a term. */
export function linearCombination(terms: readonly WeightedVector[]): Float32Array {
  const first = terms[0];
  if (!first) throw new SteerscopeError("InvalidRequest", "A combination of no vectors.");
  const sum = new Float64Array(first.vector.length);
  for (const { weight, vector } of terms) {
    requireEqualLength(sum, vector);
    for (let i = 0; i < sum.length; i++) sum[i]! += weight * vector[i]!;
  }
  return Float32Array.from(sum);
}

export function add(a: Float32Array, b: Float32Array): Float32Array {
  return linearCombination([
    { weight: 1, vector: a },
    { weight: 1, vector: b },
  ]);
}

export function subtract(a: Float32Array, b: Float32Array): Float32Array {
  return linearCombination([
    { weight: 1, vector: a },
    { weight: -1, vector: b },
  ]);
}

export function scale(vector: Float32Array, factor: number): Float32Array {
  return vector.map((value) => value * factor);
}

export function negate(vector: Float32Array): Float32Array {
  return scale(vector, -1);
}

export function dot(a: Vector, b: Vector): number {
  requireEqualLength(a, b);
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Euclidean norm. */
export function norm(vector: Vector): number {
  return Math.sqrt(dot(vector, vector));
}

/** The vector scaled to norm 1; a zero vector stays zero (it has no direction). */
export function unit<V extends Vector>(vector: V): V {
  const length = norm(vector);
  const factor = length > 0 ? 1 / length : 0;
  // `map` of either array type gives the same type; the union of the two signatures does not say so.
  return (vector as Float32Array).map((value) => value * factor) as V;
}

/** Cosine of the angle between two vectors; 0 where one of them is zero. */
export function cosine(a: Vector, b: Vector): number {
  const product = dot(a, b);
  const norms = norm(a) * norm(b);
  return norms > 0 ? Math.max(-1, Math.min(1, product / norms)) : 0;
}

/** Row `layer` of a vector [layers, hidden], without copying. */
export function layerOf(vectors: Float32Array, layer: number, hidden: number): Float32Array {
  return vectors.subarray(layer * hidden, (layer + 1) * hidden);
}

/** Scales each layer of [layers, hidden] to norm 1; zero layers stay zero. */
export function unitLayers(vectors: Float32Array, hidden: number): Float32Array {
  const result = new Float32Array(vectors.length);
  for (let start = 0; start < vectors.length; start += hidden) {
    result.set(unit(vectors.subarray(start, start + hidden)), start);
  }
  return result;
}

/** Cosines of every vector with every other: [vectors, vectors], symmetric. */
export function cosineMatrix(vectors: readonly Float32Array[]): Float64Array {
  const count = vectors.length;
  const matrix = new Float64Array(count * count);
  for (let row = 0; row < count; row++) {
    for (let column = row; column < count; column++) {
      const value = cosine(vectors[row]!, vectors[column]!);
      matrix[row * count + column] = value;
      matrix[column * count + row] = value;
    }
  }
  return matrix;
}

/** Cosines of every layer of one vector [layers, hidden] with every other: [layers, layers]. */
export function layerCosineMatrix(vectors: Float32Array, hidden: number): Float64Array {
  return cosineMatrix(
    Array.from({ length: vectors.length / hidden }, (_, layer) => layerOf(vectors, layer, hidden)),
  );
}

/** Cosine of two vectors [layers, hidden] at each layer: [layers]. */
export function cosinesByLayer(a: Float32Array, b: Float32Array, hidden: number): Float64Array {
  requireEqualLength(a, b);
  return Float64Array.from({ length: a.length / hidden }, (_, layer) =>
    cosine(layerOf(a, layer, hidden), layerOf(b, layer, hidden)),
  );
}

function requireEqualLength(a: Vector, b: Vector): void {
  if (a.length !== b.length) {
    throw new SteerscopeError(
      "VectorMismatch",
      `Vectors of ${a.length} and ${b.length} values do not combine.`,
      {
        remedy: "Use vectors of the same model: equal layer count and hidden size.",
      },
    );
  }
}
