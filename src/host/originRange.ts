/** Where in a text an example was taken from, and where that place is after edits. No vscode: tests read it alone. */
import { createHash } from "node:crypto";
import type { ExampleSource } from "../formats/exampleSet.ts";

/** Offsets in UTF-16 units; the end is behind the last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** An edit as VS Code reports it. */
export interface TextChange {
  readonly rangeOffset: number;
  /** Units taken out. */
  readonly rangeLength: number;
  readonly text: string;
}

/**
 * The span after one edit: pushed by edits before it, stretched or shrunk by edits inside; what is typed at its edges stays
 * outside. Where an edit replaces one of its ends, the replacement stays outside too.
 */
export function shiftSpan({ start, end }: Span, { rangeOffset, rangeLength, text }: TextChange): Span {
  const removedEnd = rangeOffset + rangeLength;
  const growth = text.length - rangeLength;
  if (removedEnd <= start) return { start: start + growth, end: end + growth };
  if (rangeOffset >= end) return { start, end };
  if (rangeOffset >= start && removedEnd <= end) {
    // A span that is replaced as a whole becomes its replacement: rewriting a sentence is still that sentence's place.
    return { start, end: end + growth };
  }
  if (rangeOffset < start) {
    const newStart = rangeOffset + text.length;
    return { start: newStart, end: Math.max(newStart, end + growth) };
  }
  return { start, end: rangeOffset };
}

/** Hex sha256 of a text with its line ends as \n: a checkout with other line ends is the same text. */
export function originHash(text: string): string {
  return createHash("sha256").update(withFeeds(text)).digest("hex");
}

/** Line ends as \n. */
export function withFeeds(text: string): string {
  return text.replaceAll("\r\n", "\n").replaceAll("\r", "\n");
}

/** A text with its lines found once; lines end as in VS Code. */
export class TextLines {
  readonly text: string;
  readonly #starts: readonly number[];

  constructor(text: string) {
    this.text = text;
    const starts = [0];
    for (const { index, 0: end } of text.matchAll(/\r\n|\n|\r/g)) starts.push(index + end.length);
    this.#starts = starts;
  }

  /** Beyond the end of a line or the text: that end. */
  offsetAt(line: number, character: number): number {
    const start = this.#starts[line];
    if (start === undefined) return this.text.length;
    return Math.min(start + character, this.#lineEnd(line));
  }

  /** [line, character] of an offset, 0-based. */
  positionAt(offset: number): readonly [number, number] {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return [low, offset - this.#starts[low]!];
  }

  rangeOf({ start, end }: Span): readonly [number, number, number, number] {
    return [...this.positionAt(start), ...this.positionAt(end)];
  }

  #lineEnd(line: number): number {
    const next = this.#starts[line + 1];
    if (next === undefined) return this.text.length;
    return next - (this.text[next - 1] === "\n" && this.text[next - 2] === "\r" ? 2 : 1);
  }
}

export interface FoundOrigin {
  /** null: the source names no range and the text is nowhere. */
  readonly span: Span | null;
  /** The text there is not the one that was taken. */
  readonly isStale: boolean;
}

const maxOccurrences = 1000;

/**
 * Where `example` comes from in `lines`: its range if the text there is still the same, else the place nearest to it where
 * the same text stands (lines were added above while nobody tracked them), else its range, stale.
 */
export function findOrigin(lines: TextLines, source: ExampleSource, example: string): FoundOrigin {
  const { range, sha256 } = source;
  const wanted = sha256 ?? originHash(example);
  let old: Span | null = null;
  if (range !== undefined) {
    const start = lines.offsetAt(range[0], range[1]);
    old = { start, end: Math.max(start, lines.offsetAt(range[2], range[3])) };
    if (isText(lines, old, wanted)) return { span: old, isStale: false };
  }
  // Only a text that is still what was taken can be searched for.
  const moved = originHash(example) === wanted ? nearest(lines, example, old?.start ?? 0) : null;
  return moved === null ? { span: old, isStale: true } : { span: moved, isStale: false };
}

/** Whether the text at `span` has the hash `sha256`. */
export function isText(lines: TextLines, { start, end }: Span, sha256: string): boolean {
  return originHash(lines.text.slice(start, end)) === sha256;
}

function nearest(lines: TextLines, example: string, place: number): Span | null {
  const text = lines.text.includes("\r\n") ? withFeeds(example).replaceAll("\n", "\r\n") : example;
  let best: Span | null = null;
  let index = lines.text.indexOf(text);
  for (let count = 0; index >= 0 && count < maxOccurrences; count++) {
    if (best === null || Math.abs(index - place) < Math.abs(best.start - place)) {
      best = { start: index, end: index + text.length };
    }
    index = lines.text.indexOf(text, index + 1);
  }
  return best;
}
