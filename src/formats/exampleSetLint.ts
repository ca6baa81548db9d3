/**
 * What may be wrong with an example set, beyond what parsing reports: places in the file, a code with its values (the
 * words are the caller's), and repairs as edits of lines.
 */
import {
  changedExampleLine,
  exampleLabels,
  examplesOf,
  type Example,
  type ExampleLabel,
  type ExampleSet,
} from "./exampleSet.ts";
import { lineProblems } from "./exampleLineLint.ts";
import { newPairIds, pairIds } from "./exampleSetEdits.ts";
import { orderPairsAsIds, partnerLines, repairsOfBadLine } from "./exampleSetRepairs.ts";
import { valueColumns } from "./jsonMembers.ts";
import { readJsonText } from "./jsonText.ts";
import type { LineProblem } from "./lineProblem.ts";
import { compareSides, placeOfWord } from "./sideComparison.ts";

/** Each with what `values` hold. */
export type LintCode =
  /** `cause` says it. */
  | "bad-line"
  | "empty-text"
  /** The key; the last one counts. */
  | "key-twice"
  | "bad-source"
  /** Where the text has white space: at its start, its end or both. */
  | "edge-blank"
  /** Line of the first. */
  | "duplicate-example"
  /** Line of the same text on the other side. */
  | "same-text"
  /** Id of the pair, label that is missing. */
  | "pair-one-sided"
  /** Id of the pair, label, line of the first. */
  | "pair-twice"
  /** Positive and negative examples without a pair, which therefore do not pair in order. */
  | "unequal-sides"
  /** The label that no example has. */
  | "side-missing"
  /** Median words of a positive and of a negative example. */
  | "length-imbalance"
  /** The label all of whose texts are the same. */
  | "side-identical"
  /** The label all of whose texts begin alike, and how. */
  | "side-alike"
  /** A word, the label it goes with, and the AUROC of its presence (0.5: says nothing, 1: tells the sides apart). */
  | "telling-word";

export type LintSeverity = "error" | "warning" | "information";

/** Lines `from` (1-based) to `from + count - 1` become `text`; null: they go away. Count 0: `text` comes before line `from`. */
export interface LineEdit {
  readonly from: number;
  readonly count: number;
  readonly text: string | null;
}

export type LintFixKind =
  | "delete-line"
  | "delete-pair"
  | "delete-only"
  | "add-positive"
  | "add-negative"
  | "trim-text"
  | "remove-key"
  | "remove-source"
  | "new-pair-id"
  | "join-lines"
  | "escape-characters"
  | "remove-comma"
  | "label-positive"
  | "label-negative"
  | "remove-pair-id";

export interface LintFix {
  readonly kind: LintFixKind;
  /** Of different lines. */
  readonly edits: readonly LineEdit[];
}

export interface LintProblem {
  /** 1-based. */
  readonly line: number;
  /** Columns [from, to) of the line, in UTF-16 units. */
  readonly from: number;
  readonly to: number;
  readonly code: LintCode;
  readonly severity: LintSeverity;
  readonly values: readonly (string | number)[];
  /** What parsing says of a bad line; null of other problems. */
  readonly cause: LineProblem | null;
  readonly fixes: readonly LintFix[];
}

export const maximumLintProblems = 200;

/** The first 200 problems, by line. Linear in the size of the set. */
export function lintExampleSet(set: ExampleSet): readonly LintProblem[] {
  const problems = [
    ...badLines(set),
    ...lineProblems(set, maximumLintProblems),
    ...repetitions(set),
    ...pairProblems(set),
    ...sideProblems(set),
  ];
  return problems.sort((a, b) => a.line - b.line).slice(0, maximumLintProblems);
}

function deletion(line: number): LineEdit {
  return { from: line, count: 1, text: null };
}

function badLines(set: ExampleSet): LintProblem[] {
  const problems: LintProblem[] = [];
  let joined = 0;
  for (const { line, code, values, severity } of set.problems) {
    const { raw, example } = set.lines[line - 1]!;
    // Pairs are looked at below; a line that another one swallows needs no word of its own.
    if (severity !== "error" || example !== null || line <= joined) continue;
    const repairs = repairsOfBadLine(set, line);
    joined = Math.max(
      joined,
      ...repairs.flatMap(({ edits }) => edits.map((edit) => edit.from + edit.count - 1)),
    );
    const emptyText = emptyTextColumns(raw);
    problems.push({
      line,
      ...(emptyText ?? { from: 0, to: raw.length }),
      code: emptyText === null ? "bad-line" : "empty-text",
      severity: "error",
      values: [],
      cause: emptyText === null ? { code, values } : null,
      fixes: [...repairs, { kind: "delete-line", edits: [deletion(line)] }],
    });
  }
  return problems;
}

function emptyTextColumns(raw: string): { from: number; to: number } | null {
  try {
    const value = JSON.parse(raw) as unknown;
    if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
    return (value as Record<string, unknown>)["text"] === "" ? valueColumns(raw, "text") : null;
  } catch {
    return null;
  }
}

function repetitions(set: ExampleSet): LintProblem[] {
  const problems: LintProblem[] = [];
  const partners = partnerLines(set);
  const spelledOut = orderPairsAsIds(set);
  const seen = new Map<string, number>();
  const other = { positive: "negative", negative: "positive" } as const;
  const keyOf = (label: ExampleLabel, { text, prompt }: Example): string =>
    JSON.stringify([label, text, prompt ?? ""]);
  for (const { line, example } of examplesOf(set)) {
    if (problems.length >= maximumLintProblems) break;
    const partner = partners.get(line);
    // Without its partner the other half of a pair would move to another, or stand alone.
    const fixes: LintFix[] =
      partner === undefined
        ? [{ kind: "delete-line", edits: [deletion(line)] }]
        : [{ kind: "delete-pair", edits: [deletion(line), deletion(partner)] }];
    if (partner !== undefined) {
      const others = example.pair === undefined ? spelledOut : [];
      const kept = others?.filter(({ from }) => from !== line && from !== partner);
      if (kept !== undefined) fixes.push({ kind: "delete-only", edits: [deletion(line), ...kept] });
    }
    const report = (code: LintCode, values: LintProblem["values"]): void => {
      const { raw } = set.lines[line - 1]!;
      problems.push({
        line,
        ...valueColumns(raw, "text"),
        code,
        severity: "warning",
        values,
        cause: null,
        fixes,
      });
    };
    if (example.text.trim() === "") report("empty-text", []);
    const same = seen.get(keyOf(example.label, example));
    const opposite = seen.get(keyOf(other[example.label], example));
    if (same !== undefined) report("duplicate-example", [same]);
    else seen.set(keyOf(example.label, example), line);
    if (opposite !== undefined) report("same-text", [opposite]);
  }
  return problems;
}

function pairProblems(set: ExampleSet): LintProblem[] {
  const problems: LintProblem[] = [];
  const byId = new Map<string, Partial<Record<ExampleLabel, number>>>();
  const [freshId] = newPairIds(pairIds(set), 1);
  const spelledOut = orderPairsAsIds(set);
  const report = (
    line: number,
    code: LintCode,
    severity: LintSeverity,
    values: LintProblem["values"],
  ): void => {
    const { raw } = set.lines[line - 1]!;
    const changed = (pair: string | undefined): LineEdit => ({
      from: line,
      count: 1,
      text: changedExampleLine(raw, { pair }),
    });
    // One more loose example would be paired in order with another one's partner, or leave all of them unpaired.
    const repair: readonly LintFix[] =
      code === "pair-twice"
        ? [{ kind: "new-pair-id", edits: [changed(freshId)] }]
        : spelledOut === null
          ? []
          : [{ kind: "remove-pair-id", edits: [changed(undefined), ...spelledOut] }];
    problems.push({
      line,
      ...valueColumns(raw, "pair"),
      code,
      severity,
      values,
      cause: null,
      fixes: [...repair, { kind: "delete-line", edits: [deletion(line)] }],
    });
  };
  for (const { line, example } of examplesOf(set)) {
    const { label, pair } = example;
    if (pair === undefined) continue;
    const sides = byId.get(pair) ?? {};
    const first = sides[label];
    if (first === undefined) byId.set(pair, { ...sides, [label]: line });
    else if (problems.length < maximumLintProblems) {
      report(line, "pair-twice", "error", [pair, label, first]);
    }
  }
  for (const [pair, { positive, negative }] of byId) {
    if (problems.length >= maximumLintProblems) break;
    if (positive === undefined) report(negative!, "pair-one-sided", "warning", [pair, "positive"]);
    else if (negative === undefined) report(positive, "pair-one-sided", "warning", [pair, "negative"]);
  }
  return problems;
}

/** Of a side as a whole, or of both; each is reported at one example. */
function sideProblems(set: ExampleSet): LintProblem[] {
  const examples = examplesOf(set);
  const lines = (label: ExampleLabel) => examples.filter(({ example }) => example.label === label);
  const positive = lines("positive");
  const negative = lines("negative");
  const sides = { positive, negative };
  const problems: LintProblem[] = [];
  const report = (
    at: (typeof examples)[number] | undefined,
    key: "label" | "text",
    code: LintCode,
    severity: LintSeverity,
    values: LintProblem["values"],
    fixes: readonly LintFix[] = [],
    place: Pick<LintProblem, "from" | "to"> | null = null,
  ): void => {
    if (at === undefined) return;
    const { raw } = set.lines[at.line - 1]!;
    problems.push({
      line: at.line,
      ...(place ?? valueColumns(raw, key)),
      code,
      severity,
      values,
      cause: null,
      fixes,
    });
  };
  const missing = (label: ExampleLabel): readonly LintFix[] => [
    {
      kind: `add-${label}`,
      edits: [{ from: set.lines.length + 1, count: 0, text: `{"label": "${label}", "text": ""}` }],
    },
  ];
  // A line that cannot be read may be what is missing.
  const isWhole = !set.lines.some(({ raw, example }) => example === null && raw.trim() !== "");
  for (const label of exampleLabels) {
    if (!isWhole || sides[label].length > 0) continue;
    report(positive[0] ?? negative[0], "label", "side-missing", "warning", [label], missing(label));
  }
  if (positive.length === 0 || negative.length === 0) return problems;

  const loose = [positive, negative].map((side) => side.filter(({ example }) => example.pair === undefined));
  const [loosePositive, looseNegative] = loose.map(({ length }) => length) as [number, number];
  if (isWhole && loosePositive !== looseNegative) {
    const larger = loosePositive > looseNegative ? loose[0]! : loose[1]!;
    const firstWithout = larger[Math.min(loosePositive, looseNegative)];
    const smaller = loosePositive > looseNegative ? "negative" : "positive";
    const values = [loosePositive, looseNegative];
    report(firstWithout, "label", "unequal-sides", "information", values, missing(smaller));
  }
  const textsOf = (side: typeof positive): string[] => side.map(({ example }) => example.text);
  const found = compareSides({ positive: textsOf(positive), negative: textsOf(negative) });
  const { imbalance } = found;
  if (imbalance !== null) {
    const longer = imbalance.positive > imbalance.negative ? positive : negative;
    report(longer[0], "text", "length-imbalance", "information", [imbalance.positive, imbalance.negative]);
  }
  for (const { label, opening } of found.alike) {
    if (opening === null) report(sides[label][0], "text", "side-identical", "warning", [label]);
    else report(sides[label][0], "text", "side-alike", "information", [label, opening]);
  }
  for (const { word, label, auroc, example } of found.tellingWords) {
    const at = sides[label][example]!;
    const values = [word, label, auroc];
    report(at, "text", "telling-word", "information", values, [], wordColumns(set, at.line, word));
  }
  return problems;
}

/** Where a word of the text is written in its line; null: the text does not have it as `compareSides` read it. */
function wordColumns(set: ExampleSet, line: number, word: string): { from: number; to: number } | null {
  const { raw } = set.lines[line - 1]!;
  const { text, offsets } = readJsonText(raw, valueColumns(raw, "text").from);
  const place = placeOfWord(text, word);
  return place && { from: offsets[place.from]!, to: offsets[place.to]! };
}
