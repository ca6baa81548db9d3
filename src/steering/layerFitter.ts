import type { MethodId } from "../shared/methods.ts";
import type { ActivationSet, Side } from "./activationSet.ts";
import { dot, unit } from "./algebra.ts";
import { chooseDifferences, gatherDifferences } from "./methods/differences.ts";
import type { Differences } from "./methods/differences.ts";
import { pairMethods } from "./methods/pairMethods.ts";
import { multiplyRows, sumRows } from "./rowKernels.ts";
import type { Rows } from "./rowKernels.ts";
import type { Split, Subset } from "./splits.ts";

/** One value [hidden], or one value an example, for each side. */
interface Sides {
  readonly positives: Float64Array;
  readonly negatives: Float64Array;
}

/**
 * Angle in radians that vectors which only serve to measure may be off: below what AUROC or a cosine of halves resolves
 * (1 - cos is 5e-5), at half the passes of an exact one.
 */
const measuringTolerance = 1e-2;

/**
 * Re-makes the vector of one layer from parts of a set, with the method that made it from the whole. Sums of a part
 * are taken once, those of the rest are the total less the part, so that no fold reads the whole set again.
 */
export class LayerFitter {
  private readonly set: ActivationSet;
  private readonly whole: Subset;
  private readonly method: MethodId;
  private readonly layer: number;
  private readonly vector: Float64Array;
  private readonly totals: Sides;
  private readonly differences: Differences | null;

  /** `vector` [hidden]: what the method made from the whole set; `scratch` [pairs, hidden] is overwritten. */
  constructor(
    set: ActivationSet,
    whole: Subset,
    method: MethodId,
    layer: number,
    vector: Float32Array,
    scratch: Float32Array,
  ) {
    this.set = set;
    this.whole = whole;
    this.method = method;
    this.layer = layer;
    this.vector = Float64Array.from(vector);
    this.totals = this.sums(whole);
    this.differences = pairMethods[method] ? gatherDifferences(set, layer, scratch) : null;
  }

  /** The vectors [hidden] of the part and of the rest. */
  fitBoth(split: Split): readonly [Float64Array, Float64Array] {
    if (this.differences) {
      return [this.fitPairs(split.part, measuringTolerance), this.fitPairs(split.rest, measuringTolerance)];
    }
    const part = this.sums(split.part);
    return [meanDifference(part, split.part), meanDifference(this.totalsLess(part), split.rest)];
  }

  /**
   * The vector [hidden] made without the part, to an angle of `tolerance` radians. `random` does not look at examples:
   * it stays what it is.
   */
  fitRest(split: Split, tolerance: number): Float64Array {
    if (this.method === "random") return this.vector;
    if (this.differences) return this.fitPairs(split.rest, tolerance);
    return meanDifference(this.totalsLess(this.sums(split.part)), split.rest);
  }

  /**
   * Projections of the part's examples on the unit vector made from the rest, measured from the midpoint of the rest's
   * two means. Folds differ in their vector, and the large common part of all activations projects on each differently:
   * without the midpoint, scores of different folds could not be pooled. Vector and midpoint come from the rest alone,
   * so the scores are those of a classifier that has never seen the part.
   */
  scorePart(split: Split): Sides {
    const direction = unit(this.fitRest(split, measuringTolerance));
    const rest = this.totalsLess(this.sums(split.part));
    const midpoint =
      (dot(rest.positives, direction) / split.rest.positives.length +
        dot(rest.negatives, direction) / split.rest.negatives.length) /
      2;
    const score = (side: Side) => {
      const rows = this.rows(side, split.part[side]);
      const scores = new Float64Array(rows.chosen.length);
      multiplyRows(rows, direction, scores);
      return scores.map((value) => value - midpoint);
    };
    return { positives: score("positives"), negatives: score("negatives") };
  }

  /** Squared distance of each pair's difference from their mean: how much leaving it out can turn the vector. */
  leverages(): Float64Array {
    const { set, whole } = this;
    const count = whole.pairs.length;
    const [positives, negatives] = [
      this.rows("positives", whole.positives.subarray(0, count)),
      this.rows("negatives", whole.negatives.subarray(0, count)),
    ];
    const mean = sumRows(positives);
    sumRows(negatives).forEach((value, j) => {
      mean[j] = (mean[j]! - value) / count;
    });
    return Float64Array.from({ length: count }, (_, pair) => {
      const plus = positives.offset + positives.chosen[pair]! * positives.stride;
      const minus = negatives.offset + negatives.chosen[pair]! * negatives.stride;
      let square = 0;
      for (let j = 0; j < set.hidden; j++) {
        square += (set.positives[plus + j]! - set.negatives[minus + j]! - mean[j]!) ** 2;
      }
      return square;
    });
  }

  private fitPairs(subset: Subset, tolerance: number): Float64Array {
    return pairMethods[this.method]!(chooseDifferences(this.differences!, subset.pairs), tolerance);
  }

  private sums(subset: Subset): Sides {
    return {
      positives: sumRows(this.rows("positives", subset.positives)),
      negatives: sumRows(this.rows("negatives", subset.negatives)),
    };
  }

  private totalsLess(part: Sides): Sides {
    return {
      positives: this.totals.positives.map((value, j) => value - part.positives[j]!),
      negatives: this.totals.negatives.map((value, j) => value - part.negatives[j]!),
    };
  }

  private rows(side: Side, chosen: Int32Array): Rows {
    const { layers, hidden } = this.set;
    return { values: this.set[side], offset: this.layer * hidden, stride: layers * hidden, hidden, chosen };
  }
}

function meanDifference(sums: Sides, subset: Subset): Float64Array {
  return sums.positives.map(
    (value, j) => value / subset.positives.length - sums.negatives[j]! / subset.negatives.length,
  );
}
