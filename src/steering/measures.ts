import { SteerscopeError } from "../shared/errors.ts";
import type { MethodId } from "../shared/methods.ts";
import type {
  LayerMeasures,
  Outlier,
  Separation,
  Stability,
  VectorMeasures,
} from "../shared/vectorMeasures.ts";
import { exampleCount, pairCount, requireFinite, validateActivationSet } from "./activationSet.ts";
import type { ActivationSet } from "./activationSet.ts";
import { cosine, layerOf, norm } from "./algebra.ts";
import { LayerFitter } from "./layerFitter.ts";
import { pairMethods } from "./methods/pairMethods.ts";
import { needsPairs, requireExamplesFor } from "./methods/requirements.ts";
import { leaveOutPair, makeFolds, makeHalves, pairsOrMore, wholeSet } from "./splits.ts";
import type { Split } from "./splits.ts";
import { auroc, bootstrapInterval, cohensD, mean, median } from "./statistics.ts";
import { runSteps } from "./steps.ts";
import type { LoopControl, Steps } from "./steps.ts";
import { suggestLayer } from "./suggestLayer.ts";

export interface MeasureOptions extends LoopControl {
  /** For folds, halves and the bootstrap. */
  readonly seed: number;
}

/** Fewer pairs give no separation, stability or outliers: halves would be single pairs. */
const fewestPairs = 4;
const halfSplits = 8;
/** Angle in radians: one pair of many turns the vector by little. */
const outlierTolerance = 1e-5;
/** Beyond this many pairs, only those farthest from the mean difference are tried as outliers. */
const mostOutlierTrials = 128;

/**
 * Measures of vectors [layers, hidden] that `method` made from a set: docs/concepts.md says what each means.
 *
 * Separation is held out: the vector is re-made by the same method without each fold (one pair a fold up to 20 pairs,
 * ten folds beyond; unpaired lists are dealt into folds side by side) and scores that fold only. Scores are projections
 * on the fold's unit vector from the midpoint of the training means, pooled over folds. It is null below four pairs, as
 * is stability. `random` does not depend on the examples: it has a separation (the control), but no stability and no
 * outliers. Examples without a partner count only for methods that use them.
 *
 * Throws ExampleSetInvalid as `computeVectors` does, VectorMismatch where the vectors do not fit the set, Cancelled.
 */
export function measureVectors(
  set: ActivationSet,
  vectors: Float32Array,
  method: MethodId,
  options: MeasureOptions,
): VectorMeasures {
  return runSteps(measureVectorSteps(set, vectors, method, options.seed), options);
}

/** The same, layer by layer. */
export function* measureVectorSteps(
  set: ActivationSet,
  vectors: Float32Array,
  method: MethodId,
  seed: number,
): Steps<VectorMeasures> {
  validateActivationSet(set);
  requireExamplesFor(set, method);
  const { layers, hidden } = set;
  if (vectors.length !== layers * hidden) {
    throw new SteerscopeError(
      "VectorMismatch",
      `Vectors of ${vectors.length} values do not fit activations of ${layers} layers and hidden size ${hidden}.`,
      { remedy: "Measure vectors on activations of the model that made them." },
    );
  }
  const residualNorms = medianResidualNorms(set);
  const pairedOnly = needsPairs(method);
  const whole = wholeSet(set, pairedOnly);
  const scratch = new Float32Array(pairMethods[method] ? pairCount(set) * hidden : 0);
  const enough = pairsOrMore(set, pairedOnly) >= fewestPairs;
  const folds = enough ? makeFolds(set, pairedOnly, seed) : [];
  const halves = enough && method !== "random" ? makeHalves(set, pairedOnly, seed, halfSplits) : [];
  const fitterOf = (layer: number) =>
    new LayerFitter(set, whole, method, layer, layerOf(vectors, layer, hidden), scratch);

  const measures: LayerMeasures[] = [];
  // The outliers of one layer are the last step.
  const total = layers + 1;
  for (let layer = 0; layer < layers; layer++) {
    const vector = layerOf(vectors, layer, hidden);
    const vectorNorm = norm(vector);
    const medianResidualNorm = residualNorms[layer]!;
    const fitter = fitterOf(layer);
    measures.push({
      layer,
      vectorNorm,
      medianResidualNorm,
      relativeNorm: medianResidualNorm > 0 ? vectorNorm / medianResidualNorm : 0,
      separation: enough ? separationOf(fitter, folds) : null,
      stability: halves.length > 0 ? stabilityOf(fitter, halves, seed) : null,
      cosineWithPrevious: layer === 0 ? null : cosine(layerOf(vectors, layer - 1, hidden), vector),
    });
    yield { done: layer + 1, total };
  }
  const suggested = suggestLayer(
    measures,
    method === "random"
      ? "a random control has no best layer"
      : "there are too few examples to measure which layer is best",
  );
  let outliers: Outlier[] = [];
  if (halves.length > 0 && set.pairs.length > 0) {
    const fitter = fitterOf(suggested.layer);
    const vector = Float64Array.from(layerOf(vectors, suggested.layer, hidden));
    for (const pair of likelyOutliers(fitter)) {
      const without = fitter.fitRest(leaveOutPair(set, pairedOnly, pair), outlierTolerance);
      outliers.push({ pair, shift: 1 - cosine(vector, without) });
      yield { done: layers, total };
    }
    outliers = outliers.sort((a, b) => b.shift - a.shift || a.pair - b.pair);
  }
  yield { done: total, total };
  return { layers: measures, suggested, outliers };
}

function separationOf(fitter: LayerFitter, folds: readonly Split[]): Separation {
  const positives: number[] = [];
  const negatives: number[] = [];
  for (const fold of folds) {
    const scores = fitter.scorePart(fold);
    positives.push(...scores.positives);
    negatives.push(...scores.negatives);
  }
  return {
    auroc: auroc(positives, negatives),
    cohensD: cohensD(positives, negatives),
    folds: folds.length,
  };
}

function stabilityOf(fitter: LayerFitter, halves: readonly Split[], seed: number): Stability {
  const cosines = halves.map((split) => cosine(...fitter.fitBoth(split)));
  const { low, high } = bootstrapInterval(cosines, mean, { seed });
  return { meanCosine: mean(cosines), low, high, splits: halves.length };
}

/** Pairs to leave out one by one, those that can turn the vector the most first. */
function likelyOutliers(fitter: LayerFitter): Int32Array {
  const leverages = fitter.leverages();
  return Int32Array.from(leverages.keys())
    .sort((a, b) => leverages[b]! - leverages[a]!)
    .slice(0, mostOutlierTrials);
}

/** Median Euclidean norm at each layer over all examples: [layers]. Throws ExampleSetInvalid on what is not finite. */
function medianResidualNorms(set: ActivationSet): Float64Array {
  const { layers, hidden } = set;
  const examples = exampleCount(set, "positives") + exampleCount(set, "negatives");
  const norms = Array.from({ length: layers }, () => new Float64Array(examples));
  let example = 0;
  let check = 0;
  for (const values of [set.positives, set.negatives]) {
    for (let start = 0; start < values.length; example++) {
      for (let layer = 0; layer < layers; layer++, start += hidden) {
        let square = 0;
        for (let j = start; j < start + hidden; j++) square += values[j]! * values[j]!;
        norms[layer]![example] = Math.sqrt(square);
        check += square;
      }
    }
  }
  if (!(check < 2 ** 252)) requireFinite(set);
  return Float64Array.from(norms, median);
}
