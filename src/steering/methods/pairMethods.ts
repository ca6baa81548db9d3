import type { MethodId } from "../../shared/methods.ts";
import { cosine, dot, unit } from "../algebra.ts";
import { multiplyRows } from "../rowKernels.ts";
import type { Differences } from "./differences.ts";
import { logisticWeights } from "./logisticDirection.ts";
import { principalDirection } from "./principalDirection.ts";

/**
 * Makes the vector [hidden] of one layer from the differences h+ - h- of the chosen pairs; zero where the method finds
 * no direction. `tolerance`: angle in radians that the direction may be off.
 */
export type PairMethod = (differences: Differences, tolerance: number) => Float64Array;

/** The methods that see pairs only through their differences; mean-difference is not among them, for it needs no pairs. */
export const pairMethods: Partial<Record<MethodId, PairMethod>> = {
  "pca-uncentred": scaledPrincipalDirection,
  // The pair's activations about their midpoint are +d/2 and -d/2: their mean is zero and their first component is
  // the first right singular vector of the differences, at half the scale, which the rule below takes away. repeng's
  // `pca_center` is this formula; what IBM's code calls by that name is not.
  "pca-pairwise": scaledPrincipalDirection,
  "repeng-pca-diff": repengDirection,
  logistic: (differences, tolerance) => unit(logisticWeights(differences, tolerance)),
};

/** Sign: the differences project above zero on average. Length: the projection of the mean difference. */
function scaledPrincipalDirection(differences: Differences, tolerance: number): Float64Array {
  const direction = principalDirection(differences, { centred: false, tolerance });
  if (direction === null) return new Float64Array(differences.hidden);
  const { sum } = differences;
  // Rounding is no projection: without a mean along it, the direction has no sign.
  if (Math.abs(cosine(sum, direction)) < 1e-12) return new Float64Array(differences.hidden);
  const projection = dot(sum, direction) / differences.chosen.length;
  return direction.map((value) => value * projection);
}

/**
 * repeng 0.4.0, `read_representations` with method "pca_diff": first component of scikit-learn's PCA of the
 * differences, which centres them and so takes the mean difference away; norm 1. Sign: more pairs in which the positive
 * projects higher; on a draw, as scikit-learn leaves it (svd_flip: the entry of largest size is positive).
 */
function repengDirection(differences: Differences, tolerance: number): Float64Array {
  const direction = principalDirection(differences, { centred: true, tolerance });
  if (direction === null) return new Float64Array(differences.hidden);
  const projections = new Float64Array(differences.chosen.length);
  multiplyRows(differences, direction, projections);
  const majority = projections.reduce((sum, projection) => sum + Math.sign(projection), 0);
  const largest = direction.reduce((held, value) => (Math.abs(value) > Math.abs(held) ? value : held), 0);
  const sign = Math.sign(majority === 0 ? largest : majority);
  return direction.map((value) => value * sign);
}
