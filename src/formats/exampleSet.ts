/**
 * Example sets: JSON lines, one example a line (docs/file-formats.md). A set keeps every line as it was read, also lines
 * that are not examples, so that writing it back changes nothing that nobody changed.
 */
import { SteerscopeError } from "../shared/errors.ts";
import type { TextInput } from "../shared/tokenInput.ts";
import { english } from "../shared/localisation.ts";
import { jsonMembers } from "./jsonMembers.ts";
import { lineProblemText, notJson, type LineProblem } from "./lineProblem.ts";

export const exampleLabels = ["positive", "negative"] as const;
export type ExampleLabel = (typeof exampleLabels)[number];

/** Where a text was taken from. */
export interface ExampleSource {
  /** Relative to the workspace. */
  readonly uri: string;
  /** Start line, start character, end line, end character; 0-based, as in the editor. */
  readonly range?: readonly [number, number, number, number];
  /** Of the text when it was taken. */
  readonly sha256?: string;
}

export interface Example {
  readonly label: ExampleLabel;
  readonly text: string;
  readonly prompt?: string;
  /** Joins one positive and one negative example. */
  readonly pair?: string;
  readonly source?: ExampleSource;
}

/** Those at which VS Code ends a line; "" at the end of the file. */
export type LineEnd = "\n" | "\r\n" | "\r" | "";

export interface ExampleSetLine {
  /** The line without its end. */
  readonly raw: string;
  readonly end: LineEnd;
  /** null: an empty line or one that is not an example. */
  readonly example: Example | null;
}

export interface ExampleSetProblem extends LineProblem {
  /** 1-based. */
  readonly line: number;
  /** In English; `lineProblemText` says it in other languages. */
  readonly message: string;
  /** error: the set cannot be computed with; warning: it can, but may not be what was meant. */
  readonly severity: "error" | "warning";
}

export interface ExampleSet {
  readonly name: string;
  readonly byteOrderMark: boolean;
  readonly lines: readonly ExampleSetLine[];
  readonly problems: readonly ExampleSetProblem[];
}

/** Examples in the order of the file, and who belongs to whom. */
export interface PairedExamples {
  readonly positive: readonly TextInput[];
  readonly negative: readonly TextInput[];
  /** [pairs, 2]: index into `positive`, index into `negative`. */
  readonly pairs: Int32Array;
}

/** A set is written by hand or from selections; ten times what any published one holds. */
const maxLines = 100_000;
const maxSetCharacters = 128 * 1024 * 1024;
/** No supported context is longer. */
const maxLineCharacters = 2 * 1024 * 1024;
const maxPairCharacters = 200;
const maxProblems = 200;

/** A line whose content is still to be read. */
export type ExampleSetText = Pick<ExampleSetLine, "raw" | "end">;

/** Between two of its steps a parse has read about so much: some milliseconds. */
const charactersAStep = 256 * 1024;

/**
 * Reads a set. Lines that are not examples are kept and reported in `problems`. Throws ExampleSetInvalid only when the
 * whole is beyond the bounds (128 Mi characters, 100,000 lines).
 */
export function parseExampleSet(text: string, name: string): ExampleSet {
  const steps = parseExampleSetSteps(text, name);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** `parseExampleSet` for a thread that has other things to do between the steps. */
export function* parseExampleSetSteps(text: string, name: string): Generator<undefined, ExampleSet> {
  if (text.length > maxSetCharacters) throw tooLarge(name, `${text.length} characters`);
  const byteOrderMark = text.startsWith("\uFEFF");
  const lines: ExampleSetLine[] = [];
  const problems: ExampleSetProblem[] = [];
  let stepEnd = charactersAStep;
  const lineEnds = /\r\n|[\r\n]/g;
  for (let start = byteOrderMark ? 1 : 0; start < text.length;) {
    if (lines.length >= maxLines) throw tooLarge(name, `more than ${maxLines} lines`);
    lineEnds.lastIndex = start;
    const found = lineEnds.exec(text);
    const stop = found?.index ?? text.length;
    const end = (found?.[0] ?? "") as LineEnd;
    const line = readLine(text.slice(start, stop));
    lines.push({ raw: line.raw, end, example: line.example });
    if (line.problem !== null) report(problems, lines.length, line.problem, "error");
    start = stop + Math.max(1, end.length);
    if (start > stepEnd) {
      yield;
      stepEnd = start + charactersAStep;
    }
  }
  return assemble(name, byteOrderMark, lines, problems);
}

/** The inverse of `parseExampleSet`: the same characters for every line that was not changed. */
export function formatExampleSet(set: ExampleSet): string {
  return (set.byteOrderMark ? "\uFEFF" : "") + set.lines.map(({ raw, end }) => raw + end).join("");
}

/** The set with `examples` after its last line; line ends as in the rest of the file. Throws ExampleSetInvalid. */
export function appendExamples(set: ExampleSet, examples: readonly Example[]): ExampleSet {
  return insertLines(
    set,
    set.lines.length,
    examples.map((example) => JSON.stringify(example)),
  );
}

/** The set with `raws`, lines without their ends, before the line at `index` (0-based). Throws ExampleSetInvalid. */
export function insertLines(set: ExampleSet, index: number, raws: readonly string[]): ExampleSet {
  const [first] = set.lines;
  const end = first === undefined || first.end === "" ? "\n" : first.end;
  const kept = set.lines.map((line) => (line.end === "" ? { ...line, end } : line) satisfies ExampleSetLine);
  const added: ExampleSetText[] = raws.map((raw) => ({ raw, end }));
  return withLines(set, [...kept.slice(0, index), ...added, ...kept.slice(index)]);
}

/** Keys to write; `undefined` takes a key away. */
export type ExampleChange = { readonly [K in keyof Example]?: Example[K] | undefined };

/**
 * The set with some keys of the example at `line` (1-based) changed. Other keys of the line keep their order and
 * spelling. Throws InvalidRequest when there is no example, ExampleSetInvalid beyond bounds.
 */
export function changeExample(set: ExampleSet, line: number, change: ExampleChange): ExampleSet {
  return changeExamples(set, new Map([[line, change]]));
}

/** `changeExample` for several lines (1-based) at once. */
export function changeExamples(set: ExampleSet, changes: ReadonlyMap<number, ExampleChange>): ExampleSet {
  const lines: (ExampleSetLine | ExampleSetText)[] = [...set.lines];
  for (const [line, change] of changes) {
    const { raw, end } = exampleLine(set, line);
    lines[line - 1] = { raw: changedExampleLine(raw, change), end };
  }
  return withLines(set, lines);
}

/** A line that holds an example, with some keys changed; the others keep their order and spelling. */
export function changedExampleLine(raw: string, change: ExampleChange): string {
  const written = new Set<string>();
  const parts: string[] = [];
  for (const { key, source } of jsonMembers(raw)) {
    if (!Object.hasOwn(change, key)) parts.push(source);
    else if (!written.has(key)) {
      written.add(key);
      const value = change[key as keyof Example];
      if (value !== undefined) parts.push(member(key, value));
    }
  }
  for (const [key, value] of Object.entries(change)) {
    if (!written.has(key) && value !== undefined) parts.push(member(key, value));
  }
  return `{${parts.join(",")}}`;
}

/** The set without the example at `line` (1-based). Throws InvalidRequest when there is none. */
export function removeExample(set: ExampleSet, line: number): ExampleSet {
  exampleLine(set, line);
  return withLines(set, set.lines.toSpliced(line - 1, 1));
}

/** The examples with their line numbers (1-based), in the order of the file. */
export function examplesOf(set: ExampleSet): readonly { readonly line: number; readonly example: Example }[] {
  return set.lines.flatMap(({ example }, index) => (example === null ? [] : [{ line: index + 1, example }]));
}

/**
 * What the engine computes with. Examples with the same `pair` form a pair. Examples without `pair` pair in order, the
 * first positive with the first negative, when there are as many of both; otherwise they stay unpaired.
 */
export function pairExamples(set: ExampleSet): PairedExamples {
  const inputs: Record<ExampleLabel, TextInput[]> = { positive: [], negative: [] };
  const loose: Record<ExampleLabel, number[]> = { positive: [], negative: [] };
  const byId = new Map<string, Partial<Record<ExampleLabel, number>>>();
  for (const { example } of examplesOf(set)) {
    const { label, text, prompt, pair } = example;
    const index = inputs[label].push(prompt === undefined ? { text } : { text, prompt }) - 1;
    if (pair === undefined) loose[label].push(index);
    else {
      const sides = byId.get(pair) ?? {};
      sides[label] ??= index;
      byId.set(pair, sides);
    }
  }
  const pairs: number[] = [];
  for (const { positive, negative } of byId.values()) {
    if (positive !== undefined && negative !== undefined) pairs.push(positive, negative);
  }
  if (loose.positive.length === loose.negative.length) {
    loose.positive.forEach((positive, place) => pairs.push(positive, loose.negative[place]!));
  }
  return { ...inputs, pairs: Int32Array.from(pairs) };
}

/**
 * sha256 (hex) of what the set contributes to a vector: label, text, prompt and pair of each example in order. Unknown
 * keys, sources, empty lines and line ends do not change it.
 */
export async function exampleSetHash(set: ExampleSet): Promise<string> {
  const content = examplesOf(set).map(({ example }) =>
    JSON.stringify([example.label, example.text, example.prompt ?? null, example.pair ?? null]),
  );
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(content.join("\n")));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Throws ExampleSetInvalid, with the first of them, when the set has problems of severity error or no examples. */
export function requireSoundSet(set: ExampleSet): void {
  const errors = set.problems.filter(({ severity }) => severity === "error");
  const [first] = errors;
  if (first !== undefined) {
    const others = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
    throw new SteerscopeError(
      "ExampleSetInvalid",
      `${set.name}, line ${first.line}: ${first.message}${others}`,
      {
        remedy:
          "Correct or remove the line; pairs are formed in order, so that a skipped line would move them.",
        detail: errors.map(({ line, message }) => `line ${line}: ${message}`).join("\n"),
      },
    );
  }
  if (examplesOf(set).length === 0) {
    throw new SteerscopeError("ExampleSetInvalid", `${set.name} has no examples.`, {
      remedy: 'Write one example a line: {"label":"positive","text":"…"}.',
    });
  }
}

/** The set with other lines; those that were read before are not read again. Throws ExampleSetInvalid. */
export function withLines(set: ExampleSet, lines: readonly (ExampleSetLine | ExampleSetText)[]): ExampleSet {
  const characters = lines.reduce((sum, { raw, end }) => sum + raw.length + end.length, 0);
  if (characters > maxSetCharacters) throw tooLarge(set.name, `${characters} characters`);
  if (lines.length > maxLines) throw tooLarge(set.name, `more than ${maxLines} lines`);
  const problems: ExampleSetProblem[] = [];
  const read = lines.map((line, index): ExampleSetLine => {
    if ("example" in line && line.example !== null) return line;
    const { example, problem } = readLine(line.raw);
    if (problem !== null) report(problems, index + 1, problem, "error");
    return { raw: line.raw, end: line.end, example };
  });
  return assemble(set.name, set.byteOrderMark, read, problems);
}

function assemble(
  name: string,
  byteOrderMark: boolean,
  lines: readonly ExampleSetLine[],
  problems: readonly ExampleSetProblem[],
): ExampleSet {
  return {
    name,
    byteOrderMark,
    lines,
    problems: [...problems, ...pairProblems(lines)].slice(0, maxProblems),
  };
}

function exampleLine(set: ExampleSet, line: number): ExampleSetLine {
  const found = set.lines[line - 1];
  if (found?.example) return found;
  throw new SteerscopeError("InvalidRequest", `${set.name} has no example at line ${line}.`);
}

function member(key: string, value: unknown): string {
  return `${JSON.stringify(key)}:${JSON.stringify(value)}`;
}

interface ReadLine {
  readonly raw: string;
  readonly example: Example | null;
  readonly problem: LineProblem | null;
}

function readLine(raw: string): ReadLine {
  const refused = (problem: LineProblem): ReadLine => ({ raw, example: null, problem });
  const bad = (code: LineProblem["code"], ...values: LineProblem["values"]): ReadLine =>
    refused({ code, values });
  if (raw.trim() === "") return { raw, example: null, problem: null };
  if (raw.length > maxLineCharacters) return bad("line-too-long", maxLineCharacters);
  let value: unknown;
  try {
    value = JSON.parse(raw);
  } catch (error) {
    return refused(notJson(error));
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return bad("not-an-object");
  }
  // Own members only: a "__proto__" in the file is a key like any other.
  const field = (key: keyof Example): unknown =>
    Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
  const label = exampleLabels.find((candidate) => candidate === field("label"));
  if (label === undefined) return bad("bad-label");
  const text = field("text");
  if (typeof text !== "string" || text === "") return bad("bad-text");
  const prompt = field("prompt");
  if (prompt !== undefined && typeof prompt !== "string") return bad("bad-prompt");
  const pair = field("pair");
  if (pair !== undefined && !isPairId(pair)) return bad("bad-pair", maxPairCharacters);
  if ([text, prompt ?? ""].some((each) => /\p{Surrogate}/u.test(each))) return bad("half-character");
  const source = readSource(field("source"));
  const example: Example = {
    label,
    text,
    ...(prompt === undefined ? {} : { prompt }),
    ...(pair === undefined ? {} : { pair }),
    ...(source === undefined ? {} : { source }),
  };
  return { raw, example, problem: null };
}

/** Characters are counted as JSON schemas count them, a surrogate pair as one. */
function isPairId(value: unknown): value is string {
  if (typeof value !== "string" || value === "" || value.length > 2 * maxPairCharacters) return false;
  return Array.from(value).length <= maxPairCharacters;
}

/** A source only says where to look; one that cannot be understood is left alone in the file. */
export function readSource(value: unknown): ExampleSource | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { uri, range, sha256 } = value as Record<string, unknown>;
  if (typeof uri !== "string") return undefined;
  return {
    uri,
    ...(isRange(range) ? { range } : {}),
    ...(typeof sha256 === "string" ? { sha256 } : {}),
  };
}

function isRange(value: unknown): value is readonly [number, number, number, number] {
  return (
    Array.isArray(value) &&
    value.length === 4 &&
    value.every((each) => Number.isSafeInteger(each) && each >= 0)
  );
}

function pairProblems(lines: readonly ExampleSetLine[]): ExampleSetProblem[] {
  const problems: ExampleSetProblem[] = [];
  const seen = new Map<string, Partial<Record<ExampleLabel, number>>>();
  lines.forEach(({ example }, index) => {
    if (example?.pair === undefined) return;
    const { label, pair } = example;
    const sides = seen.get(pair) ?? {};
    const earlier = sides[label];
    if (earlier === undefined) sides[label] = index + 1;
    else {
      report(problems, index + 1, { code: "pair-twice", values: [pair, label, earlier] }, "error");
    }
    seen.set(pair, sides);
  });
  for (const [pair, { positive, negative }] of seen) {
    const line = positive ?? negative;
    if (line === undefined || (positive !== undefined && negative !== undefined)) continue;
    const missing = positive === undefined ? "positive" : "negative";
    report(problems, line, { code: "pair-one-sided", values: [pair, missing] }, "warning");
  }
  return problems;
}

function report(
  problems: ExampleSetProblem[],
  line: number,
  problem: LineProblem,
  severity: ExampleSetProblem["severity"],
): void {
  if (problems.length >= maxProblems) return;
  problems.push({ line, ...problem, message: lineProblemText(problem, english), severity });
}

function tooLarge(name: string, what: string): SteerscopeError {
  return new SteerscopeError("ExampleSetInvalid", `${name} is too large for an example set (${what}).`, {
    remedy: "More than about a hundred pairs add little: take a sample.",
  });
}
