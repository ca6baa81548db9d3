import { SteerscopeError } from "../shared/errors.ts";
import type { MethodId } from "../shared/methods.ts";
import { exampleCount, pairCount, requireFinite, validateActivationSet } from "./activationSet.ts";
import type { ActivationSet } from "./activationSet.ts";
import { norm, unitLayers } from "./algebra.ts";
import { gatherDifferences } from "./methods/differences.ts";
import { pairMethods } from "./methods/pairMethods.ts";
import type { PairMethod } from "./methods/pairMethods.ts";
import { requireExamplesFor } from "./methods/requirements.ts";
import { SeededRandom } from "./random.ts";
import { addBlocks } from "./rowKernels.ts";
import { runSteps } from "./steps.ts";
import type { LoopControl, Steps } from "./steps.ts";

export interface ComputeOptions extends LoopControl {
  /** true: every layer's vector is scaled to norm 1. */
  readonly unit: boolean;
  /** For `random`. */
  readonly seed: number;
}

/** Angle in radians that an iterative method may be off its exact answer: about what float32 resolves. */
const tolerance = 1e-7;

/**
 * Steering vectors of all layers: [layers, hidden], row L made from resid[L+1] and to be added there. Formulas, signs
 * and scales of each method: docs/concepts.md. A layer at which the two sides do not differ gets a zero vector.
 *
 * mean-difference and random use every example; the other methods use the pairs only. Order of the examples does not
 * matter beyond rounding.
 *
 * Throws ExampleSetInvalid (no examples, too few pairs for the method, an activation that is not finite, no difference
 * at any layer), InvalidRequest (arrays that do not fit their shape), Cancelled.
 */
export function computeVectors(set: ActivationSet, method: MethodId, options: ComputeOptions): Float32Array {
  return runSteps(computeVectorSteps(set, method, options), options);
}

/** The same, layer by layer. */
export function* computeVectorSteps(
  set: ActivationSet,
  method: MethodId,
  options: Pick<ComputeOptions, "unit" | "seed">,
): Steps<Float32Array> {
  validateActivationSet(set);
  requireExamplesFor(set, method);
  const pairMethod = pairMethods[method];
  const vectors = pairMethod ? yield* pairVectors(set, pairMethod) : sideVectors(set, method, options.seed);
  if (vectors.every((value) => value === 0)) {
    throw new SteerscopeError(
      "ExampleSetInvalid",
      `The method ${method} finds no difference between the positive and the negative examples at any layer.`,
      {
        remedy:
          "Check that the two sides are different texts and that the read position comes after where they part.",
      },
    );
  }
  return options.unit ? unitLayers(vectors, set.hidden) : vectors;
}

function* pairVectors(set: ActivationSet, method: PairMethod): Steps<Float32Array> {
  const { layers, hidden } = set;
  const vectors = new Float32Array(layers * hidden);
  const scratch = new Float32Array(pairCount(set) * hidden);
  for (let layer = 0; layer < layers; layer++) {
    vectors.set(method(gatherDifferences(set, layer, scratch), tolerance), layer * hidden);
    yield { done: layer + 1, total: layers };
  }
  return vectors;
}

function sideVectors(set: ActivationSet, method: MethodId, seed: number): Float32Array {
  const difference = meanDifference(set);
  if (method !== "random") return Float32Array.from(difference);
  const vectors = new Float32Array(difference.length);
  for (let layer = 0; layer < set.layers; layer++) {
    const start = layer * set.hidden;
    const length = norm(difference.subarray(start, start + set.hidden));
    vectors.set(randomDirection(set.hidden, length, seed, layer), start);
  }
  return vectors;
}

/**
 * A direction drawn uniformly from the sphere (normalised Gaussian), [hidden], of the given norm: the control of a
 * vector of that norm. The same for equal seed, layer and size, whatever the other layers.
 */
export function randomDirection(hidden: number, length: number, seed: number, layer: number): Float64Array {
  const random = new SeededRandom(seed, layer);
  const direction = Float64Array.from({ length: hidden }, () => random.gaussian());
  const factor = length / norm(direction);
  return direction.map((value) => value * factor);
}

/** mean(h+) - mean(h-) over all examples, [layers, hidden], true means in float64. Throws ExampleSetInvalid. */
function meanDifference(set: ActivationSet): Float64Array {
  const positive = new Float64Array(set.layers * set.hidden);
  const negative = new Float64Array(set.layers * set.hidden);
  addBlocks(set.positives, positive);
  addBlocks(set.negatives, negative);
  const positives = exampleCount(set, "positives");
  const negatives = exampleCount(set, "negatives");
  let check = 0;
  for (let k = 0; k < positive.length; k++) {
    positive[k] = positive[k]! / positives - negative[k]! / negatives;
    check += Math.abs(positive[k]!);
  }
  if (!(check < 2 ** 127)) requireFinite(set);
  return positive;
}
