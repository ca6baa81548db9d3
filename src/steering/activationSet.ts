import { SteerscopeError } from "../shared/errors.ts";

/** Captured activations of contrastive examples, as computed: nothing here is centred or scaled. */
export interface ActivationSet {
  readonly layers: number;
  readonly hidden: number;
  /** [positives, layers, hidden] */
  readonly positives: Float32Array;
  /** [negatives, layers, hidden] */
  readonly negatives: Float32Array;
  /** [pairs, 2]: index of a positive, index of a negative; empty for unpaired lists. An example is in one pair at most. */
  readonly pairs: Int32Array;
}

export type Side = "positives" | "negatives";

/** Examples on one side of a set. */
export function exampleCount(set: ActivationSet, side: Side): number {
  return set[side].length / (set.layers * set.hidden);
}

export function pairCount(set: ActivationSet): number {
  return set.pairs.length / 2;
}

/** Index of the positive (or negative) example of a pair. */
export function pairMember(set: ActivationSet, pair: number, side: Side): number {
  return set.pairs[2 * pair + (side === "positives" ? 0 : 1)]!;
}

/**
 * Checks shapes and pair indices, not values (`requireFinite` does). Throws InvalidRequest where the arrays do not fit
 * their shape, ExampleSetInvalid where a side has no example or an example is in two pairs.
 */
export function validateActivationSet(set: ActivationSet): void {
  const { layers, hidden, pairs } = set;
  if (!isCount(layers) || !isCount(hidden)) {
    throw new SteerscopeError("InvalidRequest", `Activations of ${layers} layers and hidden size ${hidden}.`);
  }
  for (const side of ["positives", "negatives"] as const) {
    const count = exampleCount(set, side);
    if (!Number.isInteger(count)) {
      throw new SteerscopeError(
        "InvalidRequest",
        `${set[side].length} values do not divide into layers and hidden size.`,
      );
    }
    if (count === 0) {
      throw new SteerscopeError("ExampleSetInvalid", `The set has no ${sideName(side)} example.`, {
        remedy: "Add at least one positive and one negative example.",
      });
    }
    const seen = new Set<number>();
    for (let pair = 0; pair < pairs.length / 2; pair++) {
      const index = pairMember(set, pair, side);
      if (!(index >= 0 && index < count)) {
        throw new SteerscopeError(
          "InvalidRequest",
          `Pair ${pair + 1} names a ${sideName(side)} example that is not there.`,
        );
      }
      if (seen.has(index)) {
        // A shared example would be on both sides of a held-out split.
        throw new SteerscopeError("ExampleSetInvalid", `The ${exampleName(side, index)} is in two pairs.`, {
          remedy: "Give each pair its own examples: repeat the example where it is needed twice.",
        });
      }
      seen.add(index);
    }
  }
  if (pairs.length % 2 !== 0) throw new SteerscopeError("InvalidRequest", "Pairs are lists of two indices.");
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value > 0;
}

function sideName(side: Side): string {
  return side === "positives" ? "positive" : "negative";
}

function exampleName(side: Side, index: number): string {
  return `${sideName(side)} example number ${index + 1}`;
}

/**
 * Throws ExampleSetInvalid that names the first example and layer with NaN, infinity, or values so large that float32
 * cannot hold their differences. Reads everything: call it when a sum has shown that there is something to find.
 */
export function requireFinite(set: ActivationSet): void {
  const largest = 2 ** 126;
  for (const side of ["positives", "negatives"] as const) {
    const values = set[side];
    const found = values.findIndex((value) => !(Math.abs(value) <= largest));
    if (found < 0) continue;
    const example = Math.floor(found / (set.layers * set.hidden));
    const layer = Math.floor(found / set.hidden) % set.layers;
    throw new SteerscopeError(
      "ExampleSetInvalid",
      `The ${exampleName(side, example)} has an activation of ${values[found]!} at layer ${layer}, out of range for a vector.`,
      { remedy: "Remove the example, or use a model file of higher precision: fp16 weights can overflow." },
    );
  }
}
