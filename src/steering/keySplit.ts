import { SteerscopeError } from "../shared/errors.ts";
import { hashWords } from "./random.ts";

/** Indices into the list of keys, ascending. */
export interface KeySplit {
  readonly train: Int32Array;
  readonly heldOut: Int32Array;
}

/**
 * Splits items by a key (e.g. the question), never by row: items of equal key land on the same side, and where a key
 * lands depends on nothing but the key and the seed, so a set may grow without items changing sides. About
 * `heldOutFraction` of the distinct keys are held out. Throws InvalidRequest for a fraction outside [0, 1].
 */
export function splitByKey(keys: readonly string[], heldOutFraction: number, seed: number): KeySplit {
  if (!(heldOutFraction >= 0 && heldOutFraction <= 1)) {
    throw new SteerscopeError(
      "InvalidRequest",
      `The held-out fraction ${heldOutFraction} is not between 0 and 1.`,
    );
  }
  const train: number[] = [];
  const heldOut: number[] = [];
  keys.forEach((key, index) => {
    (keyFraction(key, seed) < heldOutFraction ? heldOut : train).push(index);
  });
  return { train: Int32Array.from(train), heldOut: Int32Array.from(heldOut) };
}

/** A number in [0, 1) that depends on the key's UTF-16 code units and the seed only. */
export function keyFraction(key: string, seed: number): number {
  const units = Array.from({ length: key.length }, (_, index) => key.charCodeAt(index));
  return hashWords(units, seed) / 2 ** 32;
}
