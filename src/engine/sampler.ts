/**
 * From logits to the next token, in the order of transformers' `generate` (generation/utils.py, _get_logits_processor):
 * repetition penalty, temperature, top-k, top-p, min-p, draw. What each keeps and how it treats ties is the same as there,
 * except that of tokens which tie at the edge of top-p, those with lower ids are kept (there, the sort decides).
 */
import type { Sampling } from "../shared/engineContract.ts";
import { SteerscopeError } from "../shared/errors.ts";
import { SeededRandom } from "../steering/random.ts";
import { sumOfExponentials } from "./sumOfExponentials.ts";

export interface SampledToken {
  readonly id: number;
  /** Natural log of the token's probability in the model's own distribution, before any setting. */
  readonly logProbability: number;
}

/** Far more than a person needs; a bound because requests cross a process border. */
const maximumStops = 64;
const maximumStopLength = 1000;

/** Checks that settings are within their ranges. Throws InvalidRequest. */
export function checkSampling(settings: Sampling): void {
  const { maxTokens, temperature, topK, topP, minP, repetitionPenalty, seed, stop } = settings;
  requireSetting(isCount(maxTokens), "maxTokens", maxTokens, "a whole number, 0 or more");
  requireSetting(isWithin(temperature, 0, 1000), "temperature", temperature, "between 0 (greedy) and 1000");
  requireSetting(isCount(topK), "topK", topK, "a whole number, 0 (off) or more");
  requireSetting(isWithin(topP, 0, 1), "topP", topP, "between 0 and 1 (off)");
  requireSetting(isWithin(minP, 0, 1), "minP", minP, "between 0 (off) and 1");
  requireSetting(
    isWithin(repetitionPenalty, 0.01, 100),
    "repetitionPenalty",
    repetitionPenalty,
    "between 0.01 and 100; 1 is off",
  );
  requireSetting(Number.isSafeInteger(seed), "seed", seed, "a whole number");
  const stopsFit = Array.isArray(stop) && stop.length <= maximumStops && stop.every(isStop);
  requireSetting(
    stopsFit,
    "stop",
    "this value",
    `a list of at most ${maximumStops} texts of 1 to ${maximumStopLength} characters`,
  );
}

function requireSetting(fits: boolean, name: string, value: unknown, range: string): void {
  if (fits) return;
  throw new SteerscopeError("InvalidRequest", `The sampling setting ${name} cannot be ${String(value)}.`, {
    remedy: `Give ${range}.`,
  });
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isWithin(value: number, low: number, high: number): boolean {
  return typeof value === "number" && value >= low && value <= high;
}

function isStop(text: unknown): boolean {
  return typeof text === "string" && text.length > 0 && text.length <= maximumStopLength;
}

/**
 * Chooses the tokens of one row. Same settings, seed and logits: same tokens, whatever other rows do. A draw takes one
 * random number however many tokens are left to choose from, so settings that are off change nothing.
 */
export class TokenSampler {
  readonly #settings: Sampling;
  readonly #random: SeededRandom;
  /** Working space, [vocabulary] each. */
  #scores = new Float32Array(0);
  #ids = new Int32Array(0);
  #weights = new Float64Array(0);

  /** `rowSeed` alone decides the random numbers: rows that are given the same one share them. Throws InvalidRequest. */
  constructor(settings: Sampling, rowSeed: number) {
    checkSampling(settings);
    this.#settings = settings;
    this.#random = new SeededRandom(rowSeed);
  }

  /**
   * `logits`: [vocabulary], left as they are. `history`: prompt and completion so far. Throws InvalidRequest for logits
   * that are no distribution (NaN, infinite, all minus infinity).
   */
  sample(logits: Float32Array, history: readonly number[]): SampledToken {
    const modelMaximum = maximumOf(logits);
    if (this.#scores.length !== logits.length) {
      this.#scores = new Float32Array(logits.length);
      this.#ids = new Int32Array(logits.length);
      this.#weights = new Float64Array(logits.length);
    }
    const id = this.#choose(logits, modelMaximum, history);
    return {
      id,
      logProbability: logits[id]! - modelMaximum - Math.log(sumOfExponentials(logits, modelMaximum)),
    };
  }

  #choose(logits: Float32Array, modelMaximum: number, history: readonly number[]): number {
    const { temperature, repetitionPenalty } = this.#settings;
    const penalised = repetitionPenalty !== 1;
    const scores = penalised ? this.#penalise(logits, history) : logits;
    const maximum = penalised ? maximumOf(scores) : modelMaximum;
    return temperature === 0 ? scores.indexOf(maximum) : this.#draw(scores, maximum);
  }

  /** A copy in which each token of the history counts once: negative scores times the penalty, others divided by it. */
  #penalise(logits: Float32Array, history: readonly number[]): Float32Array {
    const scores = this.#scores;
    scores.set(logits);
    const penalty = this.#settings.repetitionPenalty;
    for (const id of history) {
      const score = logits[id];
      if (score !== undefined) scores[id] = score < 0 ? score * penalty : score / penalty;
    }
    return scores;
  }

  #draw(scores: Float32Array, maximum: number): number {
    const { temperature, topK, topP, minP } = this.#settings;
    const lowest = topK > 0 && topK < scores.length ? largest(scores, topK) : -Infinity;
    const ids = this.#ids;
    const weights = this.#weights;
    let count = 0;
    let total = 0;
    for (let id = 0; id < scores.length; id++) {
      const score = scores[id]!;
      if (score < lowest) continue;
      const weight = Math.exp((score - maximum) / temperature);
      if (weight === 0) continue;
      ids[count] = id;
      weights[count++] = weight;
      total += weight;
    }
    const edge = topP < 1 ? massEdge(weights.subarray(0, count), total, topP) : { weight: 0, ties: 0 };
    const least = Math.max(edge.weight, minP);
    // Tokens at the edge are kept up to its count, unless min-p puts the edge elsewhere or nothing is cut.
    let ties = least === edge.weight && topP < 1 ? edge.ties : Infinity;
    let kept = 0;
    let mass = 0;
    for (let i = 0; i < count; i++) {
      const weight = weights[i]!;
      if (weight < least || (weight === least && ties-- <= 0)) continue;
      ids[kept] = ids[i]!;
      weights[kept] = weight;
      mass += weight;
      kept++;
    }
    let rest = this.#random.uniform() * mass;
    let chosen = 0;
    while (chosen < kept - 1 && rest >= weights[chosen]!) rest -= weights[chosen++]!;
    return ids[chosen]!;
  }
}

/** Throws for what no softmax can be taken of. */
function maximumOf(logits: Float32Array): number {
  let maximum = -Infinity;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) {
    const value = logits[i]!;
    if (value > maximum) maximum = value;
    // NaN is never the larger of two; a sum keeps it. Minus infinity is a legal score of a token that is ruled out.
    if (value !== -Infinity) sum += value;
  }
  if (Number.isFinite(maximum) && !Number.isNaN(sum)) return maximum;
  throw new SteerscopeError("InvalidRequest", "The model's scores for the next token are not numbers.", {
    remedy: "Lower the strength of the steering; if it happens unsteered too, use the model in fp32.",
  });
}

/** The `rank`-th largest value, 1-based, ties counted. Hoare's selection over a copy: linear time for any rank. */
function largest(values: Float32Array, rank: number): number {
  const work = values.slice();
  const target = work.length - rank;
  let low = 0;
  let high = work.length - 1;
  while (low < high) {
    const pivot = medianOfThree(work[low]!, work[(low + high) >>> 1]!, work[high]!);
    let left = low;
    let right = high;
    while (left <= right) {
      while (work[left]! < pivot) left++;
      while (work[right]! > pivot) right--;
      if (left > right) break;
      const held = work[left]!;
      work[left++] = work[right]!;
      work[right--] = held;
    }
    if (target <= right) high = right;
    else if (target >= left) low = left;
    else break;
  }
  return work[target]!;
}

function medianOfThree(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}

/**
 * The smallest weight that belongs to the smallest set of largest weights with at least `share` of the total, and how
 * many of that weight it has. All weights below `(1 - share) * total / count` together cannot reach what may be left
 * out, so only the others are sorted: a few hundred of a vocabulary.
 */
function massEdge(weights: Float64Array, total: number, share: number): { weight: number; ties: number } {
  const floor = ((1 - share) * total) / weights.length;
  const sorted = weights.filter((weight) => weight >= floor).sort();
  const wanted = share * total;
  let mass = 0;
  let at = sorted.length;
  do mass += sorted[--at]!;
  while (mass < wanted && at > 0);
  const weight = sorted[at]!;
  let ties = 1;
  while (sorted[at + ties] === weight) ties++;
  return { weight, ties };
}
