import { isSteerscopeError } from "../../src/shared/errors.ts";
import type { SteerscopeError } from "../../src/shared/errors.ts";
import type { ActivationSet } from "../../src/steering/activationSet.ts";
import { SeededRandom } from "../../src/steering/random.ts";

export interface Planted {
  readonly set: ActivationSet;
  /** [layers, hidden]: mean difference before noise. */
  readonly direction: Float32Array;
}

/**
 * Pairs that share a context (norm about 3 sqrt(hidden), beside a large mean common to all, as real residual streams
 * have) and differ by `strength[layer]` times a random unit direction plus noise of deviation `noise` a value.
 */
export function plantedSet(options: {
  readonly pairs: number;
  readonly hidden: number;
  readonly strengths: readonly number[];
  readonly noise: number;
  readonly seed: number;
  readonly unpaired?: boolean;
}): Planted {
  const { pairs, hidden, strengths, noise, seed, unpaired = false } = options;
  const layers = strengths.length;
  const random = new SeededRandom(seed);
  const size = layers * hidden;
  const direction = new Float32Array(size);
  const common = Float64Array.from({ length: size }, () => 10 * random.gaussian());
  for (let layer = 0; layer < layers; layer++) {
    const gaussians = Float64Array.from({ length: hidden }, () => random.gaussian());
    const length = Math.hypot(...gaussians);
    gaussians.forEach((value, j) => {
      direction[layer * hidden + j] = (value / length) * strengths[layer]!;
    });
  }
  const positives = new Float32Array(pairs * size);
  const negatives = new Float32Array(pairs * size);
  for (let pair = 0; pair < pairs; pair++) {
    for (let k = 0; k < size; k++) {
      const context = common[k]! + (unpaired ? 0 : random.gaussian());
      positives[pair * size + k] = context + direction[k]! / 2 + noise * random.gaussian();
      negatives[pair * size + k] = context - direction[k]! / 2 + noise * random.gaussian();
    }
  }
  const indices = unpaired ? new Int32Array(0) : Int32Array.from({ length: 2 * pairs }, (_, k) => k >> 1);
  return { set: { layers, hidden, positives, negatives, pairs: indices }, direction };
}

/** A set of one layer from rows of numbers, paired in order. */
export function setOf(
  positives: readonly number[][],
  negatives: readonly number[][],
  paired = true,
): ActivationSet {
  const count = paired ? positives.length : 0;
  return {
    layers: 1,
    hidden: positives[0]!.length,
    positives: Float32Array.from(positives.flat()),
    negatives: Float32Array.from(negatives.flat()),
    pairs: Int32Array.from({ length: 2 * count }, (_, k) => k >> 1),
  };
}

/** Positive and negative examples change sides. */
export function flipped(set: ActivationSet): ActivationSet {
  return {
    ...set,
    positives: set.negatives,
    negatives: set.positives,
    pairs: set.pairs.map((_, k, all) => all[k ^ 1]!),
  };
}

/** Same pairs, examples of each side and pairs in another order. */
export function permuted(set: ActivationSet, seed: number): ActivationSet {
  const random = new SeededRandom(seed);
  const size = set.layers * set.hidden;
  const reorder = (values: Float32Array) => {
    const order = random.permutation(values.length / size);
    const moved = new Float32Array(values.length);
    order.forEach((to, from) => {
      moved.set(values.subarray(from * size, (from + 1) * size), to * size);
    });
    return { order, moved };
  };
  const plus = reorder(set.positives);
  const minus = reorder(set.negatives);
  const pairOrder = random.permutation(set.pairs.length / 2);
  const pairs = Int32Array.from(
    Array.from(pairOrder, (pair) => [
      plus.order[set.pairs[2 * pair]!]!,
      minus.order[set.pairs[2 * pair + 1]!]!,
    ]).flat(),
  );
  return { ...set, positives: plus.moved, negatives: minus.moved, pairs };
}

/** Largest deviation relative to the norm of the expected values. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let square = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    square += expected[i]! ** 2;
    largest = Math.max(largest, Math.abs(actual[i]! - expected[i]!));
  }
  return actual.length === expected.length ? largest / Math.sqrt(square) : Infinity;
}

/** The typed error that a call ends with, or null; other errors pass through. */
export function thrownBy(run: () => unknown): SteerscopeError | null {
  try {
    run();
  } catch (error) {
    if (isSteerscopeError(error)) return error;
    throw error;
  }
  return null;
}
