/**
 * Examples out of files that others wrote: JSON lines, JSON, CSV, TSV, plain text. What cannot be an example is skipped
 * and reported with its line, never guessed at.
 */
import { SteerscopeError } from "../shared/errors.ts";
import type { Localisation } from "../shared/localisation.ts";
import { delimitedRecords, guessDelimiter } from "./delimited.ts";
import { exampleLabels, examplesOf, parseExampleSet, type Example, type ExampleLabel } from "./exampleSet.ts";
import { readColumns, type ExampleColumns } from "./exampleColumns.ts";
import { newPairIds } from "./exampleSetEdits.ts";
import { lineProblemText, notJson } from "./lineProblem.ts";

export const importFormats = ["jsonl", "json", "csv", "tsv", "txt"] as const;
export type ImportFormat = (typeof importFormats)[number];

export interface SkippedPart {
  /** 1-based line of the file; in a JSON file the number of the entry. */
  readonly line: number;
  readonly reason: string;
}

export interface ImportedExamples {
  /** Lines of an example set, without their ends. */
  readonly lines: readonly string[];
  readonly positive: number;
  readonly negative: number;
  /** Entries that do not say their side; they are in `lines` only when `side` was given. */
  readonly unlabelled: number;
  /** The first 200. */
  readonly skipped: readonly SkippedPart[];
  readonly skippedCount: number;
}

/** Beyond this a file is data for a sample, not an example set. */
const maxExamples = 50_000;
const maxSkippedKept = 200;
/** JSON.parse cannot be interrupted: this is about a tenth of a second. */
const maxJsonCharacters = 8 * 1024 * 1024;
const entriesAStep = 500;

/** One thing of a file that may be one example, or a pair. */
interface Entry {
  readonly line: number;
  readonly value: unknown;
  /** As it stands in the file, where it is a line of an example set already. */
  readonly raw?: string;
  readonly problem?: string;
}

/**
 * Reads a file's examples; `side` is given to those that do not say theirs, reasons and errors are in the language of `l10n`. A generator for threads that have other things
 * to do between its steps. Throws ExampleSetInvalid when the whole cannot be understood, with what would be.
 */
export function* importExamples(
  text: string,
  format: ImportFormat,
  side: ExampleLabel | null,
  l10n: Localisation,
): Generator<undefined, ImportedExamples> {
  const collector = new Collector(side, l10n);
  let count = 0;
  for (const entry of entriesOf(text, format, l10n)) {
    collector.add(entry);
    if (++count % entriesAStep === 0) yield;
    if (count > maxExamples) {
      throw new SteerscopeError(
        "ExampleSetInvalid",
        l10n.t("The file has more than {0} entries, too many for an example set.", maxExamples),
        { remedy: l10n.t("More than about a hundred pairs add little: take a sample.") },
      );
    }
  }
  return collector.result();
}

/** The format that a file name's ending tells; undefined for others. */
export function importFormatOf(path: string): ImportFormat | undefined {
  const ending = /\.([a-z]+)$/i.exec(path)?.[1]?.toLowerCase();
  return importFormats.find((format) => format === ending);
}

class Collector {
  readonly #side: ExampleLabel | null;
  readonly #l10n: Localisation;
  readonly #lines: string[] = [];
  readonly #counts: Record<ExampleLabel, number> = { positive: 0, negative: 0 };
  readonly #pairs = new Set<string>();
  readonly #skipped: SkippedPart[] = [];
  #skippedCount = 0;
  #unlabelled = 0;
  /** Lines that want a pair's name of their own, once all names of the file are known. */
  readonly #unnamed: [positive: number, negative: number][] = [];

  constructor(side: ExampleLabel | null, l10n: Localisation) {
    this.#side = side;
    this.#l10n = l10n;
  }

  add(entry: Entry): void {
    if (entry.problem !== undefined) {
      this.#skip(entry.line, entry.problem);
      return;
    }
    const found = examplesIn(entry.value, this.#side, this.#l10n);
    if (typeof found === "string") {
      this.#skip(entry.line, found);
      return;
    }
    if (found === null) {
      this.#unlabelled++;
      return;
    }
    if (found.wasUnlabelled) this.#unlabelled++;
    const raws = found.examples.map((example) => JSON.stringify(example));
    // An example set's own line keeps its unknown keys.
    const whole = found.isOwnLine && entry.raw !== undefined ? [entry.raw] : raws;
    const read = parseExampleSet(whole.join("\n"), "import");
    const problem = read.problems.find(({ severity }) => severity === "error");
    if (problem !== undefined) {
      this.#skip(entry.line, lineProblemText(problem, this.#l10n));
      return;
    }
    for (const { example } of examplesOf(read)) {
      this.#counts[example.label]++;
      if (example.pair !== undefined) this.#pairs.add(example.pair);
    }
    const first = this.#lines.push(...whole) - whole.length;
    if (whole.length === 2 && found.examples[0]!.pair === undefined) this.#unnamed.push([first, first + 1]);
  }

  result(): ImportedExamples {
    const names = newPairIds(this.#pairs, this.#unnamed.length);
    this.#unnamed.forEach((places, index) => {
      for (const place of places) {
        const example = JSON.parse(this.#lines[place]!) as Example;
        this.#lines[place] = JSON.stringify({ ...example, pair: names[index]! });
      }
    });
    return {
      lines: this.#lines,
      ...this.#counts,
      unlabelled: this.#unlabelled,
      skipped: this.#skipped,
      skippedCount: this.#skippedCount,
    };
  }

  #skip(line: number, reason: string): void {
    this.#skippedCount++;
    if (this.#skipped.length < maxSkippedKept) this.#skipped.push({ line, reason });
  }
}

function* entriesOf(text: string, format: ImportFormat, l10n: Localisation): Generator<Entry> {
  switch (format) {
    case "txt":
      // As of a line that is added from the editor: blanks at its end would be the token that is read.
      for (const { line, raw } of textLines(text)) yield { line, value: raw.trim() };
      return;
    case "jsonl":
      for (const { line, raw } of textLines(text)) yield jsonEntry(line, raw, l10n);
      return;
    case "json":
      yield* jsonFileEntries(text, l10n);
      return;
    case "csv":
    case "tsv":
      yield* delimitedEntries(text, format, l10n);
  }
}

function* textLines(text: string): Generator<{ line: number; raw: string }> {
  let line = 0;
  for (let start = text.startsWith("\uFEFF") ? 1 : 0; start < text.length;) {
    const feed = text.indexOf("\n", start);
    const stop = feed < 0 ? text.length : feed;
    const raw = text.slice(start, stop).replace(/\r$/, "");
    line++;
    if (raw.trim() !== "") yield { line, raw };
    start = stop + 1;
  }
}

function jsonEntry(line: number, raw: string, l10n: Localisation): Entry {
  try {
    return { line, value: JSON.parse(raw) as unknown, raw };
  } catch (error) {
    return { line, value: null, problem: lineProblemText(notJson(error), l10n) };
  }
}

function* jsonFileEntries(text: string, l10n: Localisation): Generator<Entry> {
  if (text.length > maxJsonCharacters) {
    throw new SteerscopeError("ExampleSetInvalid", l10n.t("The JSON file is too large to import at once."), {
      remedy: l10n.t("Write it as JSON lines, one example a line."),
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new SteerscopeError("ExampleSetInvalid", lineProblemText(notJson(error), l10n), {
      remedy: l10n.t("Correct the file, or write one example a line (JSON lines)."),
    });
  }
  const sides = sidesOf(value);
  if (sides !== null) {
    let number = 0;
    for (const [label, list] of sides) {
      for (const item of list) yield { line: ++number, value: withLabel(item, label) };
    }
    return;
  }
  const list = listIn(value);
  if (list === null) {
    throw new SteerscopeError("ExampleSetInvalid", l10n.t("The JSON file holds no list of examples."), {
      remedy: l10n.t(
        "Use a list of {0} or {1}, or an object with the lists {2} and {3}.",
        '{"label","text"}',
        '{"positive","negative"}',
        '"positive"',
        '"negative"',
      ),
    });
  }
  for (const [index, item] of list.entries()) yield { line: index + 1, value: item };
}

/** {"positive":[...],"negative":[...]}, either of them. */
function sidesOf(value: unknown): readonly (readonly [ExampleLabel, readonly unknown[]])[] | null {
  if (!isObject(value)) return null;
  const sides = exampleLabels.flatMap((label) => {
    const list = own(value, label);
    return Array.isArray(list) ? [[label, list as readonly unknown[]] as const] : [];
  });
  return sides.length === 0 ? null : sides;
}

function withLabel(item: unknown, label: ExampleLabel): unknown {
  if (typeof item === "string") return { label, text: item };
  return isObject(item) ? { ...item, label } : item;
}

function listIn(value: unknown): readonly unknown[] | null {
  if (Array.isArray(value)) return value as readonly unknown[];
  if (!isObject(value)) return null;
  for (const key of ["examples", "pairs", "data", "rows"]) {
    const list = own(value, key);
    if (Array.isArray(list)) return list as readonly unknown[];
  }
  return null;
}

function* delimitedEntries(text: string, format: "csv" | "tsv", l10n: Localisation): Generator<Entry> {
  const delimiter = format === "tsv" ? "\t" : guessDelimiter(text);
  let columns: ExampleColumns | undefined;
  for (const { line, fields, isOpen } of delimitedRecords(text, delimiter)) {
    if (columns === undefined) {
      columns = readColumns(fields, l10n);
      if (columns.isHeader) continue;
    }
    if (isOpen) yield { line, value: null, problem: l10n.t("A quoted field never ends.") };
    // Windows' line ends are other tokens; texts that are added from an editor have line feeds as well.
    else yield { line, value: columns.valueOf(fields.map((field) => field.replaceAll("\r\n", "\n"))) };
  }
}

interface FoundExamples {
  readonly examples: readonly Example[];
  readonly wasUnlabelled: boolean;
  /** The value is what an example set's line holds, to the letter. */
  readonly isOwnLine: boolean;
}

/** null: the side is not known. A sentence: why this is no example. */
function examplesIn(
  value: unknown,
  side: ExampleLabel | null,
  l10n: Localisation,
): FoundExamples | string | null {
  if (typeof value === "string") {
    if (value === "") return l10n.t("The text is empty.");
    if (side === null) return null;
    return { examples: [{ label: side, text: value }], wasUnlabelled: true, isOwnLine: false };
  }
  if (!isObject(value)) return l10n.t("This is neither a text nor an object.");
  const positive = own(value, "positive");
  const negative = own(value, "negative");
  const more = {
    ...optional(value, "prompt"),
    ...optional(value, "pair"),
  };
  if (typeof positive === "string" && typeof negative === "string") {
    if (positive === "" || negative === "") return l10n.t("One side of the pair is empty.");
    return {
      examples: [
        { label: "positive", text: positive, ...more },
        { label: "negative", text: negative, ...more },
      ],
      wasUnlabelled: false,
      isOwnLine: false,
    };
  }
  const text = own(value, "text");
  if (typeof text !== "string" || text === "") return l10n.t('"text" is missing or empty.');
  const written = own(value, "label");
  if (written === undefined || written === "") {
    if (side === null) return null;
    return { examples: [{ label: side, text, ...more }], wasUnlabelled: true, isOwnLine: false };
  }
  const label = readLabel(written);
  if (label === undefined)
    return l10n.t("{0} is no side: use positive or negative.", JSON.stringify(written).slice(0, 40));
  return { examples: [{ label, text, ...more }], wasUnlabelled: false, isOwnLine: label === written };
}

const spellings: Record<ExampleLabel, readonly string[]> = {
  positive: ["positive", "pos", "p", "+", "+1", "1", "true", "yes"],
  negative: ["negative", "neg", "n", "-", "-1", "0", "false", "no"],
};

/** The side that a label means, in the usual spellings. */
function readLabel(value: unknown): ExampleLabel | undefined {
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") return undefined;
  const word = String(value).trim().toLowerCase();
  return exampleLabels.find((label) => spellings[label].includes(word));
}

function optional(value: object, key: "prompt" | "pair"): Partial<Record<typeof key, string>> {
  const found = own(value, key);
  if (typeof found === "number") return { [key]: String(found) };
  return typeof found === "string" && found !== "" ? { [key]: found } : {};
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Own members only: a "__proto__" in the file is a key like any other. */
function own(value: object, key: string): unknown {
  return Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}
