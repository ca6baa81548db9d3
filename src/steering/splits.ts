import { exampleCount, pairCount, pairMember } from "./activationSet.ts";
import type { ActivationSet } from "./activationSet.ts";
import { SeededRandom } from "./random.ts";
import { allRows } from "./rowKernels.ts";

/** Some examples of a set, by index. */
export interface Subset {
  readonly positives: Int32Array;
  readonly negatives: Int32Array;
  readonly pairs: Int32Array;
}

/** A set cut in two; both partners of a pair are always on the same side. */
export interface Split {
  readonly part: Subset;
  readonly rest: Subset;
}

/** What is cut: pairs as wholes, and examples without a partner. */
interface Units {
  readonly pairs: Int32Array;
  readonly lonePositives: Int32Array;
  readonly loneNegatives: Int32Array;
}

/** Up to this many pairs, each fold is one of them (leave one out); beyond, there are ten folds. */
const mostFoldsOfOne = 20;
const foldsBeyond = 10;

/** Examples that a measure may use; `pairedOnly` leaves those without a partner aside. */
export function wholeSet(set: ActivationSet, pairedOnly: boolean): Subset {
  return subsetOf(set, unitsOf(set, pairedOnly));
}

/** Pairs, or the positives that could be joined with a negative: what decides whether there is enough to measure. */
export function pairsOrMore(set: ActivationSet, pairedOnly: boolean): number {
  return pairedOnly
    ? pairCount(set)
    : Math.min(exampleCount(set, "positives"), exampleCount(set, "negatives"));
}

/**
 * Folds for held-out scores, dealt in seeded random order; the part is what is held out. Every example is held out
 * once. Each fold holds at least one example of each side.
 */
export function makeFolds(set: ActivationSet, pairedOnly: boolean, seed: number): readonly Split[] {
  const units = unitsOf(set, pairedOnly);
  const available = pairsOrMore(set, pairedOnly);
  const folds = available <= mostFoldsOfOne ? available : foldsBeyond;
  const random = new SeededRandom(seed, 1);
  const pairs = shuffled(units.pairs, random);
  const lonePositives = shuffled(units.lonePositives, random);
  const loneNegatives = shuffled(units.loneNegatives, random);
  // Lone examples are dealt on from where the pairs end, so that folds stay equally large.
  return Array.from({ length: folds }, (_, fold) =>
    cut(set, units, {
      pairs: pairs.filter((_, place) => place % folds === fold),
      lonePositives: lonePositives.filter((_, place) => (place + pairs.length) % folds === fold),
      loneNegatives: loneNegatives.filter((_, place) => (place + pairs.length) % folds === fold),
    }),
  );
}

/** Random halves, seeded. */
export function makeHalves(
  set: ActivationSet,
  pairedOnly: boolean,
  seed: number,
  splits: number,
): readonly Split[] {
  const units = unitsOf(set, pairedOnly);
  const random = new SeededRandom(seed, 2);
  const half = (indices: Int32Array) => shuffled(indices, random).subarray(0, indices.length >> 1);
  return Array.from({ length: splits }, () =>
    cut(set, units, {
      pairs: half(units.pairs),
      lonePositives: half(units.lonePositives),
      loneNegatives: half(units.loneNegatives),
    }),
  );
}

/** The part is one pair. */
export function leaveOutPair(set: ActivationSet, pairedOnly: boolean, pair: number): Split {
  const none = new Int32Array(0);
  return cut(set, unitsOf(set, pairedOnly), {
    pairs: Int32Array.of(pair),
    lonePositives: none,
    loneNegatives: none,
  });
}

function cut(set: ActivationSet, units: Units, part: Units): Split {
  const rest: Units = {
    pairs: without(units.pairs, part.pairs),
    lonePositives: without(units.lonePositives, part.lonePositives),
    loneNegatives: without(units.loneNegatives, part.loneNegatives),
  };
  return { part: subsetOf(set, part), rest: subsetOf(set, rest) };
}

function without(all: Int32Array, taken: Int32Array): Int32Array {
  const gone = new Set(taken);
  return all.filter((index) => !gone.has(index));
}

function subsetOf(set: ActivationSet, units: Units): Subset {
  return {
    pairs: units.pairs,
    positives: joined(
      units.pairs.map((pair) => pairMember(set, pair, "positives")),
      units.lonePositives,
    ),
    negatives: joined(
      units.pairs.map((pair) => pairMember(set, pair, "negatives")),
      units.loneNegatives,
    ),
  };
}

function joined(a: Int32Array, b: Int32Array): Int32Array {
  const both = new Int32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

function unitsOf(set: ActivationSet, pairedOnly: boolean): Units {
  const pairs = allRows(pairCount(set));
  const lone = (side: "positives" | "negatives") =>
    pairedOnly
      ? new Int32Array(0)
      : without(
          allRows(exampleCount(set, side)),
          pairs.map((pair) => pairMember(set, pair, side)),
        );
  return { pairs, lonePositives: lone("positives"), loneNegatives: lone("negatives") };
}

function shuffled(indices: Int32Array, random: SeededRandom): Int32Array {
  return random.permutation(indices.length).map((place) => indices[place]!);
}
