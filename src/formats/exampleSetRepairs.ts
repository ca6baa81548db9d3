/** What a line that is not an example may have been meant to be, and repairs that keep the other pairs. */
import {
  changedExampleLine,
  examplesOf,
  parseExampleSet,
  type ExampleLabel,
  type ExampleSet,
} from "./exampleSet.ts";
import { newPairIds, pairIds } from "./exampleSetEdits.ts";
import type { LineEdit, LintFix } from "./exampleSetLint.ts";
import { jsonMembers } from "./jsonMembers.ts";

/** A text that was pasted with its line breaks is rarely longer. */
const maximumJoinedLines = 20;

/** A fix that writes more lines than this is no quick one. */
const maximumSpelledOutPairs = 200;

/** Lines (1-based) of the examples without a pair id. */
function looseLines(set: ExampleSet): Readonly<Record<ExampleLabel, readonly number[]>> {
  const loose: Record<ExampleLabel, number[]> = { positive: [], negative: [] };
  for (const { line, example } of examplesOf(set)) {
    if (example.pair === undefined) loose[example.label].push(line);
  }
  return loose;
}

/** Lines that have to be mended before anybody can say which examples pair in order. */
export function unreadableLines({ lines }: ExampleSet): number {
  return lines.filter(({ raw, example }) => example === null && raw.trim() !== "").length;
}

/**
 * Lines (1-based) that belong together, both ways: by pair id, else in order where the sides are equal in number and every
 * line can be read.
 */
export function partnerLines(set: ExampleSet): ReadonlyMap<number, number> {
  const byId = new Map<string, Partial<Record<ExampleLabel, number>>>();
  for (const { line, example } of examplesOf(set)) {
    const { label, pair } = example;
    if (pair !== undefined) byId.set(pair, { [label]: line, ...byId.get(pair) });
  }
  const partners = new Map<number, number>();
  const join = (a: number, b: number): void => {
    partners.set(a, b).set(b, a);
  };
  for (const { positive, negative } of byId.values()) {
    if (positive !== undefined && negative !== undefined) join(positive, negative);
  }
  const loose = looseLines(set);
  if (loose.positive.length === loose.negative.length && unreadableLines(set) === 0) {
    loose.positive.forEach((line, place) => {
      join(line, loose.negative[place]!);
    });
  }
  return partners;
}

/**
 * Edits that give the pairs that are formed by order alone ids, so that an example more or less moves none of them. Empty
 * where there are none; null where there are more than a quick fix should write.
 */
export function orderPairsAsIds(set: ExampleSet): readonly LineEdit[] | null {
  const { positive, negative } = looseLines(set);
  if (positive.length !== negative.length || unreadableLines(set) > 0) return [];
  if (positive.length > maximumSpelledOutPairs) return null;
  const ids = newPairIds(pairIds(set), positive.length);
  return ids.flatMap((pair, place) =>
    [positive[place]!, negative[place]!].map((line) => ({
      from: line,
      count: 1,
      text: changedExampleLine(set.lines[line - 1]!.raw, { pair }),
    })),
  );
}

/** Repairs that make the bad line at `line` (1-based) an example; none where nothing is plausible. */
export function repairsOfBadLine(set: ExampleSet, line: number): readonly LintFix[] {
  const { raw } = set.lines[line - 1]!;
  const replacement = (kind: LintFix["kind"], text: string): LintFix[] =>
    isExample(text) ? [{ kind, edits: [{ from: line, count: 1, text }] }] : [];
  if (!raw.trimStart().startsWith("{")) return [];
  return [
    ...joinedLines(set, line),
    ...replacement("escape-characters", escapeControls(raw)),
    ...replacement("remove-comma", raw.replace(/,\s*$/, "")),
    ...replacement("remove-comma", raw.replace(/,(\s*\}\s*),?\s*$/, "$1")),
    ...labelled(raw).flatMap(({ kind, text }) => replacement(kind, text)),
  ];
}

function isExample(raw: string): boolean {
  const { lines, problems } = parseExampleSet(raw, "");
  return (
    lines.length === 1 && problems.every(({ severity }) => severity !== "error") && lines[0]!.example !== null
  );
}

/** A text that was pasted with line breaks: its lines with `\n` between them. */
function joinedLines(set: ExampleSet, line: number): LintFix[] {
  let text = set.lines[line - 1]!.raw;
  for (let count = 2; count <= maximumJoinedLines; count++) {
    const next = set.lines[line + count - 2];
    // A line that is an example by itself is no part of another.
    if (next?.example !== null) break;
    text += `\\n${next.raw}`;
    const escaped = escapeControls(text);
    if (isExample(escaped)) return [{ kind: "join-lines", edits: [{ from: line, count, text: escaped }] }];
  }
  return [];
}

/** Tabs and the like, which JSON wants escaped; only strings can hold them in a line that is otherwise right. */
function escapeControls(raw: string): string {
  return raw.replace(/[\u0000-\u001f]/g, (character) => JSON.stringify(character).slice(1, -1));
}

/** The line with either label, where it is an object whose label is wrong or missing. */
function labelled(raw: string): { kind: LintFix["kind"]; text: string }[] {
  let value: unknown;
  try {
    value = JSON.parse(raw);
  } catch {
    return [];
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  const others = jsonMembers(raw).filter(({ key }) => key !== "label");
  return (["positive", "negative"] as const).map((label) => ({
    kind: `label-${label}` as const,
    text: `{${[`"label": "${label}"`, ...others.map(({ source }) => source)].join(", ")}}`,
  }));
}
