/** Differences between the two sides of a set that a vector may be made of instead of what was meant. */
import type { ExampleLabel } from "./exampleSet.ts";

export interface SideComparison {
  /** Median words a side, where one is over 1.5 times the other; null otherwise. */
  readonly imbalance: Readonly<Record<ExampleLabel, number>> | null;
  /** Sides all of whose texts are the same (`opening` null) or begin with the same words, unlike the other side. */
  readonly alike: readonly { readonly label: ExampleLabel; readonly opening: string | null }[];
  /** Words whose presence tells the sides apart, the most telling first. `example`: index of the first text with it. */
  readonly tellingWords: readonly {
    readonly word: string;
    readonly label: ExampleLabel;
    readonly auroc: number;
    readonly example: number;
  }[];
}

/** Fewer texts a side are alike by chance. */
const fewestTexts = 3;
const fewestForWords = 4;
const largestRatio = 1.5;
const tellingAuroc = 0.9;
const mostTellingWords = 3;
/** Common words at the beginning of all texts of a side that are worth a word. */
const openingWords = 3;
/** Bounds of hostile files. */
const maximumCharacters = 20_000;
const maximumWords = 200_000;

// Scripts without spaces: every character is counted, which is near enough to a word.
const wordPattern =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]|[\p{L}\p{N}][\p{L}\p{M}\p{N}'’-]*/gu;

/** `texts` of each side, both not empty. */
export function compareSides(texts: Readonly<Record<ExampleLabel, readonly string[]>>): SideComparison {
  const words = { positive: texts.positive.map(wordsOf), negative: texts.negative.map(wordsOf) };
  const fewest = Math.min(texts.positive.length, texts.negative.length);
  const alike = alikeSides(texts, words);
  return {
    imbalance: fewest < fewestTexts ? null : imbalance(words),
    alike,
    tellingWords:
      fewest < fewestForWords
        ? []
        : tellingWords(words).filter(({ label }) => !alike.some((side) => side.label === label)),
  };
}

function wordsOf(text: string): string[] {
  return text.slice(0, maximumCharacters).toLowerCase().match(wordPattern) ?? [];
}

/** Where `word`, as `compareSides` tells it, stands first in `text`: [from, to) in UTF-16 units; null: nowhere. */
export function placeOfWord(
  text: string,
  word: string,
): { readonly from: number; readonly to: number } | null {
  for (const { 0: found, index } of text.slice(0, maximumCharacters).matchAll(wordPattern)) {
    if (found.toLowerCase() === word) return { from: index, to: index + found.length };
  }
  return null;
}

type SideWords = Readonly<Record<ExampleLabel, readonly (readonly string[])[]>>;

function imbalance(words: SideWords): SideComparison["imbalance"] {
  const positive = median(words.positive.map(({ length }) => length));
  const negative = median(words.negative.map(({ length }) => length));
  return Math.max(positive, negative) > largestRatio * Math.min(positive, negative)
    ? { positive, negative }
    : null;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function alikeSides(
  texts: Readonly<Record<ExampleLabel, readonly string[]>>,
  words: SideWords,
): SideComparison["alike"] {
  const openings = { positive: commonOpening(words.positive), negative: commonOpening(words.negative) };
  const isShared = openings.positive.join(" ") === openings.negative.join(" ");
  return (["positive", "negative"] as const).flatMap((label): SideComparison["alike"] => {
    const [first, ...others] = texts[label];
    if (texts[label].length < fewestTexts) return [];
    if (others.every((text) => text === first)) return [{ label, opening: null }];
    // A beginning that both sides have is a template and tells nothing.
    return openings[label].length < openingWords || isShared
      ? []
      : [{ label, opening: openings[label].join(" ") }];
  });
}

function commonOpening(texts: readonly (readonly string[])[]): readonly string[] {
  let common = texts[0]!.slice(0, openingWords);
  for (const words of texts) {
    const different = common.findIndex((word, place) => word !== words[place]);
    if (different >= 0) common = common.slice(0, different);
  }
  return common;
}

function tellingWords(words: SideWords): SideComparison["tellingWords"] {
  const counts = new Map<
    string,
    { positive: number; negative: number; first: Record<ExampleLabel, number> }
  >();
  for (const label of ["positive", "negative"] as const) {
    words[label].forEach((text, example) => {
      for (const word of new Set(text)) {
        const count = counts.get(word);
        if (count !== undefined) {
          if (count[label]++ === 0) count.first[label] = example;
        } else if (counts.size < maximumWords) {
          counts.set(word, {
            positive: label === "positive" ? 1 : 0,
            negative: label === "negative" ? 1 : 0,
            first: { positive: example, negative: example },
          });
        }
      }
    });
  }
  const telling = [...counts].flatMap(([word, { positive, negative, first }]) => {
    // Of a quantity that is 0 or 1: the mean of both rates of being right.
    const auroc = (1 + positive / words.positive.length - negative / words.negative.length) / 2;
    const label = auroc > 0.5 ? "positive" : "negative";
    const strength = Math.max(auroc, 1 - auroc);
    return strength < tellingAuroc ? [] : [{ word, label, auroc: strength, example: first[label] } as const];
  });
  return telling.sort((a, b) => b.auroc - a.auroc || (a.word < b.word ? -1 : 1)).slice(0, mostTellingWords);
}
