import { SteerscopeError } from "../shared/errors.ts";
import { SeededRandom } from "./random.ts";

/** Any list of numbers; nothing here changes its arguments. NaN in, NaN out, unless said otherwise. */
type Numbers = ArrayLike<number>;

/** Throws InvalidRequest on an empty list. */
export function mean(values: Numbers): number {
  requireSome(values, "mean");
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** Sum of squared deviations from the mean (two passes: exact enough where mean and spread differ by 1e6). */
function squaredDeviations(values: Numbers, centre: number): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i]! - centre) ** 2;
  return sum;
}

/** Throws InvalidRequest on an empty list. */
export function median(values: Numbers): number {
  return quantile(values, 0.5);
}

/**
 * The quantile of `probability` in [0, 1], interpolated linearly between order statistics (type 7 of Hyndman and Fan,
 * the default of R and NumPy). Throws InvalidRequest on an empty list or another probability.
 */
export function quantile(values: Numbers, probability: number): number {
  requireSome(values, "quantile");
  if (!(probability >= 0 && probability <= 1)) {
    throw new SteerscopeError("InvalidRequest", `${probability} is not a probability.`);
  }
  return sortedQuantile(Float64Array.from(values).sort(), probability);
}

function sortedQuantile(sorted: Float64Array, probability: number): number {
  const place = (sorted.length - 1) * probability;
  const below = Math.floor(place);
  const low = sorted[below]!;
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return low + (high - low) * (place - below);
}

/**
 * Area under the ROC curve: the probability that a positive exceeds a negative, ties counting half; exact (whole
 * counts, Mann-Whitney). Throws InvalidRequest where a side is empty or holds NaN.
 */
export function auroc(positives: Numbers, negatives: Numbers): number {
  requireSome(positives, "AUROC");
  requireSome(negatives, "AUROC");
  const high = Float64Array.from(positives).sort();
  const low = Float64Array.from(negatives).sort();
  // Typed arrays sort NaN to the end.
  if (Number.isNaN(high.at(-1)) || Number.isNaN(low.at(-1))) {
    throw new SteerscopeError("InvalidRequest", "AUROC of values that are not numbers.");
  }
  let smaller = 0;
  let notGreater = 0;
  let halves = 0;
  for (const value of high) {
    while (smaller < low.length && low[smaller]! < value) smaller++;
    while (notGreater < low.length && low[notGreater]! <= value) notGreater++;
    halves += smaller + notGreater;
  }
  return halves / (2 * high.length * low.length);
}

/**
 * Cohen's d: difference of the means over the pooled standard deviation (n-1 weights). null where it is undefined:
 * fewer than three values in all, or no spread at all on either side. Throws InvalidRequest where a side is empty.
 */
export function cohensD(positives: Numbers, negatives: Numbers): number | null {
  const high = mean(positives);
  const low = mean(negatives);
  const freedom = positives.length + negatives.length - 2;
  const pooled = (squaredDeviations(positives, high) + squaredDeviations(negatives, low)) / freedom;
  return pooled > 0 ? (high - low) / Math.sqrt(pooled) : null;
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

export interface BootstrapOptions {
  readonly seed: number;
  /** Default 1000. */
  readonly resamples?: number;
  /** Default 0.95. */
  readonly confidence?: number;
}

/**
 * Percentile bootstrap interval (Efron) of a statistic of independent values, seeded. Values that belong together
 * (e.g. the tokens of one text) must be reduced to one before. Throws InvalidRequest on an empty list.
 */
export function bootstrapInterval(
  values: Numbers,
  statistic: (sample: Float64Array) => number,
  options: BootstrapOptions,
): Interval {
  requireSome(values, "bootstrap interval");
  const { seed, resamples = 1000, confidence = 0.95 } = options;
  const random = new SeededRandom(seed);
  const sample = new Float64Array(values.length);
  const results = Float64Array.from({ length: resamples }, () => {
    for (let i = 0; i < sample.length; i++) sample[i] = values[random.below(values.length)]!;
    return statistic(sample);
  }).sort();
  const tail = (1 - confidence) / 2;
  return { low: sortedQuantile(results, tail), high: sortedQuantile(results, 1 - tail) };
}

function requireSome(values: Numbers, what: string): void {
  if (values.length === 0) throw new SteerscopeError("InvalidRequest", `The ${what} of no values.`);
}
