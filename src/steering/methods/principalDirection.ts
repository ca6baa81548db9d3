import { SeededRandom } from "../random.ts";
import { addNormalProduct, addWeightedRows } from "../rowKernels.ts";
import { dot, norm } from "../algebra.ts";
import type { Differences } from "./differences.ts";
import { tridiagonalEigen } from "./tridiagonalEigen.ts";

export interface PrincipalOptions {
  /** true: the mean of the rows is taken off first (ordinary PCA). */
  readonly centred: boolean;
  /** Angle, in radians, that the direction may be off. */
  readonly tolerance: number;
}

/** A hard spectrum (576 dimensions of noise) needs about 80 steps for 1e-7; more than this is no direction at all. */
const maximumSteps = 300;

/**
 * First right singular vector of the rows, [hidden], norm 1, sign arbitrary; null where the rows are all zero (or all
 * equal, when centred). Where the two largest singular values are equal the direction is not unique and any of them
 * comes back.
 *
 * Lanczos iteration with full reorthogonalisation on the Gram matrix of the columns, which is never formed: a step
 * costs one pass over the rows, and a direction that stands out is found in a handful. It stops when the residual of
 * the Ritz vector over the gap to the second Ritz value, a bound of the angle (Parlett, The Symmetric Eigenvalue
 * Problem, 11.7), is below the tolerance.
 */
export function principalDirection(rows: Differences, options: PrincipalOptions): Float64Array | null {
  const count = rows.chosen.length;
  const centre = options.centred ? rows.sum.map((value) => value / count) : null;
  const start = startVector(rows, centre);
  const size = norm(start);
  // Equal float32 rows differ from their mean by rounding only; unequal ones by 1e-8 of it at least.
  if (size <= (centre ? 1e-13 * count * norm(centre) : 0)) return null;
  let current = start.map((value) => value / size);
  const basis: Float64Array[] = [];
  const diagonal: number[] = [];
  const off: number[] = [];
  for (;;) {
    basis.push(current);
    const next = new Float64Array(rows.hidden);
    addNormalProduct(rows, null, current, next);
    if (centre) addScaled(next, -count * dot(centre, current), centre);
    diagonal.push(dot(current, next));
    // Twice is enough (Kahan and Parlett).
    for (let round = 0; round < 2; round++) {
      for (const earlier of basis) addScaled(next, -dot(earlier, next), earlier);
    }
    const beta = norm(next);
    const steps = basis.length;
    // The whole row space is spent, or what is left is rounding.
    const exhausted =
      beta <= 1e-14 * Math.max(...diagonal) || steps === rows.hidden || steps === maximumSteps;
    // The small eigenproblem costs steps^3: beyond 16 steps it would cost as much as the passes.
    if (exhausted || (steps > 1 && (steps <= 16 || steps % 4 === 0))) {
      const weights = convergedWeights(diagonal, off, exhausted ? 0 : beta, options.tolerance);
      if (weights) return combine(basis, weights);
    }
    off.push(beta);
    current = next.map((value) => value / beta);
  }
}

/**
 * Near the mean of the rows, for that is where the answer mostly lies, but never orthogonal to it by accident: random
 * weights mix in every direction that the rows have.
 */
function startVector(rows: Differences, centre: Float64Array | null): Float64Array {
  const random = new SeededRandom(rows.chosen.length, rows.hidden);
  const weights = Float64Array.from(rows.chosen, () => 0.75 + random.uniform() / 2);
  const start = new Float64Array(rows.hidden);
  addWeightedRows(rows, weights, start);
  if (centre) addScaled(start, -weights.reduce((sum, weight) => sum + weight, 0), centre);
  return start;
}

/** Coefficients of the largest Ritz vector in the basis, or null while it is not within the tolerance. */
function convergedWeights(
  diagonal: readonly number[],
  off: readonly number[],
  beta: number,
  tolerance: number,
): Float64Array | null {
  const { values, vectors } = tridiagonalEigen(diagonal, off);
  const size = values.length;
  const top = values.indexOf(Math.max(...values));
  const second = Math.max(...values.filter((_, index) => index !== top));
  const residual = beta * Math.abs(vectors[(size - 1) * size + top]!);
  if (residual > tolerance * (values[top]! - second) && beta > 0) return null;
  return Float64Array.from({ length: size }, (_, row) => vectors[row * size + top]!);
}

function combine(basis: readonly Float64Array[], weights: Float64Array): Float64Array {
  const sum = new Float64Array(basis[0]!.length);
  basis.forEach((vector, index) => {
    addScaled(sum, weights[index]!, vector);
  });
  const length = norm(sum);
  return sum.map((value) => value / length);
}

/** target += factor * vector */
export function addScaled(target: Float64Array, factor: number, vector: Float64Array): void {
  for (let j = 0; j < target.length; j++) target[j]! += factor * vector[j]!;
}
