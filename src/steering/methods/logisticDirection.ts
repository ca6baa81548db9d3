import { dot, norm } from "../algebra.ts";
import { addNormalProduct, addWeightedRows, multiplyRows } from "../rowKernels.ts";
import type { Rows } from "../rowKernels.ts";
import { addScaled } from "./principalDirection.ts";

/** scikit-learn's default inverse regularisation strength C. */
const inverseRegularisation = 1;

/**
 * Weights [hidden] of the L2-regularised logistic regression without intercept that tells h+ - m from h- - m, m being
 * the pair's midpoint; the rows are the differences d = h+ - h-. The pair-centred activations are +d/2 and -d/2, so a
 * pair enters the loss of scikit-learn's LogisticRegression(C=1, fit_intercept=False) twice with the same term:
 *
 *   f(w) = |w|^2 / 2 + 2 C sum log(1 + exp(-d·w / 2))
 *
 * Newton's method, each step by conjugate gradients with products over the rows only, and halving of steps that do not
 * descend. f is strongly convex with modulus 1, so |w - w*| <= |gradient|: iteration stops when the gradient is below
 * `tolerance` times |w|, which bounds the angle to the exact answer. Zero where all differences are.
 */
export function logisticWeights(rows: Rows, tolerance: number): Float64Array {
  const count = rows.chosen.length;
  const weights = new Float64Array(rows.hidden);
  // Margins d·w / 2, kept up to date along each step.
  const margins = new Float64Array(count);
  const stepMargins = new Float64Array(count);
  const slopes = new Float64Array(count);
  const curvatures = new Float64Array(count);
  let loss = marginLoss(margins, stepMargins, 0);
  let firstSteepness = 0;
  // Quadratic convergence: ten to twenty are usual; the bound is for activations at the edge of float32.
  for (let iteration = 0; iteration < 100; iteration++) {
    for (let i = 0; i < count; i++) {
      const miss = 1 / (1 + Math.exp(margins[i]!));
      slopes[i] = -inverseRegularisation * miss;
      curvatures[i] = (inverseRegularisation / 2) * miss * (1 - miss);
    }
    const gradient = Float64Array.from(weights);
    addWeightedRows(rows, slopes, gradient);
    const steepness = norm(gradient);
    if (steepness <= tolerance * norm(weights)) break;
    if (iteration === 0) firstSteepness = steepness;
    // Rough while far away, exact near the end: superlinear (Dembo, Eisenstat and Steihaug 1982).
    const forcing = Math.min(0.3, Math.sqrt(steepness / firstSteepness));
    const step = newtonStep(rows, curvatures, gradient, forcing);
    multiplyRows(rows, step, stepMargins);
    for (let i = 0; i < count; i++) stepMargins[i]! /= 2;
    const descent = dot(gradient, step);
    const taken = lineSearch(weights, step, margins, stepMargins, loss, descent);
    // No step descends: rounding is all that is left.
    if (taken === null) break;
    loss = taken.loss;
    addScaled(weights, taken.size, step);
    addScaled(margins, taken.size, stepMargins);
  }
  return weights;
}

/** Approximate solution of (1 + sum c d dᵀ) step = -gradient, to a residual of `forcing` times the gradient's norm. */
function newtonStep(
  rows: Rows,
  curvatures: Float64Array,
  gradient: Float64Array,
  forcing: number,
): Float64Array {
  const step = new Float64Array(gradient.length);
  const residual = gradient.map((value) => -value);
  let direction = Float64Array.from(residual);
  let square = dot(residual, residual);
  const goal = forcing ** 2 * square;
  for (let round = 0; round < 200 && square > goal; round++) {
    const product = Float64Array.from(direction);
    addNormalProduct(rows, curvatures, direction, product);
    const size = square / dot(direction, product);
    addScaled(step, size, direction);
    addScaled(residual, -size, product);
    const before = square;
    square = dot(residual, residual);
    direction = direction.map((value, j) => residual[j]! + (square / before) * value);
  }
  return step;
}

function lineSearch(
  weights: Float64Array,
  step: Float64Array,
  margins: Float64Array,
  stepMargins: Float64Array,
  loss: number,
  descent: number,
): { readonly size: number; readonly loss: number } | null {
  const overlap = dot(weights, step);
  const stepSquare = dot(step, step);
  const base = dot(weights, weights);
  for (let size = 1; size > 1e-10; size /= 2) {
    const square = base + 2 * size * overlap + size ** 2 * stepSquare;
    const trial = square / 2 + marginLoss(margins, stepMargins, size);
    // Near the end the decrease is below the rounding of the loss: then a full Newton step is right.
    const rounding = 1e-14 * (1 + Math.abs(loss));
    if (trial <= loss + 1e-4 * size * descent + rounding) return { size, loss: trial };
  }
  return null;
}

function marginLoss(margins: Float64Array, stepMargins: Float64Array, size: number): number {
  let sum = 0;
  for (let i = 0; i < margins.length; i++) {
    const margin = margins[i]! + size * stepMargins[i]!;
    sum += Math.log1p(Math.exp(-Math.abs(margin))) + Math.max(0, -margin);
  }
  return 2 * inverseRegularisation * sum;
}
