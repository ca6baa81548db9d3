import { pairCount, pairMember, requireFinite } from "../activationSet.ts";
import type { ActivationSet } from "../activationSet.ts";
import { allRows, sumRows } from "../rowKernels.ts";
import type { Rows } from "../rowKernels.ts";

/** Differences h+ - h- of some pairs at one layer, with their sum [hidden]. */
export interface Differences extends Rows {
  readonly sum: Float64Array;
}

/** The chosen ones among differences. */
export function chooseDifferences(differences: Differences, chosen: Int32Array): Differences {
  const rows: Rows = { ...differences, chosen };
  return { ...rows, sum: sumRows(rows) };
}

/**
 * Writes h+ - h- of every pair at one layer to `out` [pairs, hidden] and returns them, all chosen. Float32 is
 * exact enough: a difference of near neighbours has no rounding, any other at most 6e-8 of itself. Throws
 * ExampleSetInvalid that names the example where one is not finite.
 */
export function gatherDifferences(set: ActivationSet, layer: number, out: Float32Array): Differences {
  const { layers, hidden, positives, negatives } = set;
  const pairs = pairCount(set);
  const sum = new Float64Array(hidden);
  for (let pair = 0; pair < pairs; pair++) {
    const from = (pairMember(set, pair, "positives") * layers + layer) * hidden;
    const less = (pairMember(set, pair, "negatives") * layers + layer) * hidden;
    const to = pair * hidden;
    for (let j = 0; j < hidden; j++) {
      const difference = positives[from + j]! - negatives[less + j]!;
      out[to + j] = difference;
      sum[j]! += difference;
    }
  }
  // Finite float32 values cannot overflow a float64 sum, and NaN or infinity never leaves it again.
  if (!sum.every((value) => Math.abs(value) < 2 ** 127)) requireFinite(set);
  return { values: out, offset: 0, stride: hidden, hidden, chosen: allRows(pairs), sum };
}
