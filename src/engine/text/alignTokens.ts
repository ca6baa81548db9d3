/**
 * Where each token lies in the text it came from. The tokens spell the text as the tokenizer saw it, after its
 * normaliser: a space put in front, accents composed, letters lowered, ends stripped. This spelling is laid along the
 * original; where they differ, the shortest stretches that are the same under Unicode compatibility folding are matched.
 */
import { characterLength } from "./tokenSurfaces.ts";

/** A stretch [from, to) of UTF-16 units for each character of the spelling. */
interface Spans {
  readonly from: Int32Array;
  readonly to: Int32Array;
}

interface Spelling {
  /** Code points; -1 stands for a token of unknown text. */
  readonly characters: readonly number[];
  /** For each token, its first character and the one after its last; equal where it has none. Characters may be shared. */
  readonly first: Int32Array;
  readonly end: Int32Array;
}

const unknown = -1;
const replacement = 0xfffd;
const space = 0x20;
/** Characters on both sides together. Compatibility forms expand to at most 18 (U+FDFA). */
const maximumStretch = 20;

/** The characters that the tokens spell together, and which token touches which. Bytes that form no character count singly. */
function spell(surfaces: readonly (Uint8Array | null)[]): Spelling {
  const characters: number[] = [];
  const first = new Int32Array(surfaces.length);
  const end = new Int32Array(surfaces.length);
  const total = surfaces.reduce((sum, surface) => sum + (surface?.length ?? 0), 0);
  const bytes = new Uint8Array(total);
  let filled = 0;
  for (const surface of surfaces) {
    if (surface === null) continue;
    bytes.set(surface, filled);
    filled += surface.length;
  }
  // Without the flag, U+FEFF at the start would vanish.
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let tokenEnd = 0;
  /** Byte offset up to which `characters` reaches. */
  let decoded = 0;
  for (let token = 0; token < surfaces.length; token++) {
    const surface = surfaces[token] ?? null;
    const isShared = decoded > tokenEnd;
    first[token] =
      isShared && surface !== null && surface.length > 0 ? characters.length - 1 : characters.length;
    if (surface === null) {
      characters.push(unknown);
    } else {
      tokenEnd += surface.length;
      while (decoded < tokenEnd) {
        const length = characterLength(bytes, decoded);
        if (length === 0) characters.push(replacement);
        else if (length === 1) characters.push(bytes[decoded]!);
        else characters.push(decoder.decode(bytes.subarray(decoded, decoded + length)).codePointAt(0)!);
        decoded += Math.max(1, length);
      }
    }
    end[token] = characters.length;
  }
  return { characters, first, end };
}

/** What the tokens spell, and the stretch of it that each token covers: [tokens, 2] UTF-16 offsets. */
export function spellTokens(surfaces: readonly (Uint8Array | null)[]): { text: string; offsets: Int32Array } {
  const spelling = spell(surfaces);
  const text = spelling.characters
    .map((character) => String.fromCodePoint(character === unknown ? replacement : character))
    .join("");
  return { text, offsets: tokenOffsets(spelling, identitySpans(spelling.characters), text.length) };
}

/**
 * [tokens, 2] UTF-16 offsets [from, to) into `text`, monotone, together covering it. Tokens of one character all get
 * its stretch; a space that the tokenizer put in front belongs to the character that follows. `surfaces`: see
 * TokenSurfaces.bytes; `text` is well-formed UTF-16.
 */
export function alignTokens(surfaces: readonly (Uint8Array | null)[], text: string): Int32Array {
  const spelling = spell(surfaces);
  const original = Array.from(text, (character) => character.codePointAt(0)!);
  const isSame =
    original.length === spelling.characters.length &&
    original.every((character, i) => character === spelling.characters[i]);
  const spans = isSame ? identitySpans(original) : matchSpans(spelling.characters, original);
  return tokenOffsets(spelling, spans, text.length);
}

function units(codePoint: number): number {
  return codePoint > 0xffff ? 2 : 1;
}

function identitySpans(characters: readonly number[]): Spans {
  const from = new Int32Array(characters.length);
  const to = new Int32Array(characters.length);
  let at = 0;
  characters.forEach((character, i) => {
    from[i] = at;
    at += units(character);
    to[i] = at;
  });
  return { from, to };
}

/** Empty where a character is unknown. */
function fold(characters: readonly number[], from: number, to: number): string {
  const stretch = characters.slice(from, to);
  if (stretch.includes(unknown)) return "";
  return String.fromCodePoint(...stretch)
    .normalize("NFKC")
    .toLowerCase()
    .normalize("NFKC");
}

/** Lengths of the shortest stretches at `i` and `j` that fold to the same text; null where there are none. */
function sameStretch(
  spelled: readonly number[],
  i: number,
  original: readonly number[],
  j: number,
): readonly [number, number] | null {
  const most = Math.min(maximumStretch, spelled.length - i + original.length - j);
  for (let total = 2; total <= most; total++) {
    for (let a = 1; a < total; a++) {
      const b = total - a;
      if (i + a > spelled.length || j + b > original.length) continue;
      const folded = fold(spelled, i, i + a);
      if (folded !== "" && folded === fold(original, j, j + b)) return [a, b];
    }
  }
  return null;
}

/** Spaces of all widths, which compatibility forms make one. */
function isSpace(character: number | undefined): boolean {
  return character !== undefined && /^\p{Zs}$/u.test(String.fromCodePoint(Math.max(0, character)));
}

function runOfSpaces(characters: readonly number[], at: number): number {
  let length = 0;
  while (isSpace(characters[at + length])) length++;
  return length;
}

/** What normalisers drop: blanks at the ends, and accents. */
function isDroppable(character: number): boolean {
  return /^[\s\p{M}\p{Cf}]$/u.test(String.fromCodePoint(character));
}

/** Lays the spelling along the original, left to right. */
function matchSpans(spelled: readonly number[], original: readonly number[]): Spans {
  const { from: starts, to: ends } = identitySpans(original);
  const length = ends.at(-1) ?? 0;
  const from = new Int32Array(spelled.length);
  const to = new Int32Array(spelled.length);
  let i = 0;
  let j = 0;
  const assign = (count: number, taken: number): void => {
    from.fill(starts[j] ?? length, i, i + count);
    to.fill(taken === 0 ? (ends[j] ?? length) : (ends[j + taken - 1] ?? length), i, i + count);
    i += count;
    j += taken;
  };
  while (i < spelled.length) {
    const character = spelled[i]!;
    if (j >= original.length) {
      assign(1, 0);
      continue;
    }
    if (character === space) {
      // More spaces than the text has: the tokenizer put the first ones in front of what follows.
      const inserted = runOfSpaces(spelled, i) - runOfSpaces(original, j);
      if (inserted > 0) {
        assign(inserted, 0);
        continue;
      }
    }
    if (character === original[j]) {
      assign(1, 1);
      continue;
    }
    if (character === unknown) {
      assign(1, unknownLength(spelled[i + 1], original, j));
      continue;
    }
    const stretch = sameStretch(spelled, i, original, j);
    if (stretch !== null) assign(...stretch);
    else if (isDroppable(original[j]!)) j++;
    else assign(1, 1);
  }
  return { from, to };
}

/** How many characters an unknown-token stands for: up to the next character that is spelled, at least one. */
function unknownLength(next: number | undefined, original: readonly number[], j: number): number {
  if (next === undefined) return original.length - j;
  if (next === unknown) return 1;
  const found = original.indexOf(next, j + 1);
  return found < 0 ? 1 : found - j;
}

/** Stretches of tokens from those of their characters; made monotone, and holes given to the token that follows them. */
function tokenOffsets({ first, end }: Spelling, { from, to }: Spans, length: number): Int32Array {
  const offsets = new Int32Array(2 * first.length);
  let lastFrom = 0;
  let covered = 0;
  let lastWithText = -1;
  for (let token = 0; token < first.length; token++) {
    if (first[token] === end[token]) {
      offsets.fill(covered, 2 * token, 2 * token + 2);
      lastFrom = covered;
      continue;
    }
    const begin = Math.max(lastFrom, Math.min(covered, from[first[token]!]!));
    const stop = Math.max(covered, to[end[token]! - 1]!);
    offsets[2 * token] = begin;
    offsets[2 * token + 1] = stop;
    lastFrom = begin;
    covered = stop;
    lastWithText = token;
  }
  if (lastWithText >= 0) {
    offsets[2 * lastWithText + 1] = length;
    offsets.fill(length, 2 * lastWithText + 2);
  }
  return offsets;
}
