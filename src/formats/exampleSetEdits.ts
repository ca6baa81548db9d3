/**
 * Edits of example sets that keep pairs sound: a pair that an edit leaves without one example on each side is dissolved.
 * Lines are 1-based. All are pure; lines that an edit does not concern keep their characters.
 */
import { SteerscopeError } from "../shared/errors.ts";
import type { Localisation } from "../shared/localisation.ts";
import {
  changeExamples,
  examplesOf,
  insertLines,
  parseExampleSet,
  withLines,
  type Example,
  type ExampleChange,
  type ExampleLabel,
  type ExampleSet,
} from "./exampleSet.ts";

/** Where a line was when somebody looked; the file may have changed since. */
export interface LineReference {
  readonly line: number;
  readonly raw: string;
}

/** Where the referenced lines are now, in ascending order: at their old place or the nearest line with the same characters. */
export function locateLines(set: ExampleSet, references: readonly LineReference[]): readonly number[] {
  const taken = new Set<number>();
  const moved: LineReference[] = [];
  for (const reference of references) {
    if (set.lines[reference.line - 1]?.raw === reference.raw) taken.add(reference.line);
    else moved.push(reference);
  }
  if (moved.length > 0) {
    const places = new Map<string, number[]>();
    set.lines.forEach(({ raw }, index) => {
      const lines = places.get(raw);
      if (lines === undefined) places.set(raw, [index + 1]);
      else lines.push(index + 1);
    });
    for (const { line, raw } of moved) {
      const free = (places.get(raw) ?? []).filter((place) => !taken.has(place));
      const nearest = free.sort((a, b) => Math.abs(a - line) - Math.abs(b - line))[0];
      if (nearest !== undefined) taken.add(nearest);
    }
  }
  return [...taken].sort((a, b) => a - b);
}

/** The referenced lines as they are now. Throws InvalidRequest when there is none. */
export function requireLines(
  set: ExampleSet,
  references: readonly LineReference[],
  l10n: Localisation,
): readonly number[] {
  const lines = locateLines(set, references).filter((line) => set.lines[line - 1]!.example !== null);
  if (lines.length > 0) return lines;
  throw new SteerscopeError("InvalidRequest", l10n.t("{0} no longer holds the example.", set.name), {
    remedy: l10n.t("The file was changed meanwhile; choose the example again."),
  });
}

/** The set without `lines`, and what was taken out; pairs that were torn apart are dissolved in both. */
export function takeLines(
  set: ExampleSet,
  lines: readonly number[],
): { readonly rest: ExampleSet; readonly taken: readonly string[] } {
  const gone = new Set(lines);
  const pairs = pairsAt(set, lines);
  const kept = set.lines.filter((_, index) => !gone.has(index + 1));
  const rest = dissolveBroken(withLines(set, kept), pairs);
  const taken = withLines(
    set,
    lines.map((line) => ({ ...set.lines[line - 1]!, end: "\n" as const })),
  );
  return { rest, taken: dissolveBroken(taken, pairs).lines.map(({ raw }) => raw) };
}

/** The set with the examples at `lines` on `label`'s side, or each on its other side. */
export function moveToSide(
  set: ExampleSet,
  lines: readonly number[],
  label: ExampleLabel | "other",
): ExampleSet {
  const changes = new Map<number, ExampleChange>();
  for (const line of lines) {
    const old = exampleAt(set, line).label;
    const wanted = label === "other" ? otherLabel(old) : label;
    if (wanted !== old) changes.set(line, { label: wanted });
  }
  return dissolveBroken(changeExamples(set, changes), pairsAt(set, [...changes.keys()]));
}

/** Pairs the positive examples among `lines` with the negative ones, in order. Throws InvalidRequest unless there are as many. */
export function pairLines(
  set: ExampleSet,
  lines: readonly number[],
  l10n: Localisation,
): { readonly set: ExampleSet; readonly pairs: readonly string[] } {
  const side = (label: ExampleLabel): readonly number[] =>
    lines.filter((line) => exampleAt(set, line).label === label);
  const positive = side("positive");
  const negative = side("negative");
  if (positive.length === 0 || positive.length !== negative.length) {
    throw new SteerscopeError(
      "InvalidRequest",
      l10n.t(
        "A pair is one positive and one negative example; {0} positive and {1} negative are selected.",
        positive.length,
        negative.length,
      ),
      { remedy: l10n.t("Select as many examples of one side as of the other.") },
    );
  }
  const ids = newPairIds(pairIds(set), positive.length);
  const changes = new Map<number, ExampleChange>();
  ids.forEach((pair, index) => {
    changes.set(positive[index]!, { pair });
    changes.set(negative[index]!, { pair });
  });
  return { set: dissolveBroken(changeExamples(set, changes), pairsAt(set, lines)), pairs: ids };
}

/** Dissolves the pairs of the examples at `lines`, on both sides. */
export function unpairLines(set: ExampleSet, lines: readonly number[]): ExampleSet {
  return withoutPairs(set, pairsAt(set, lines));
}

/** The set with `raws`, lines of another set, at its end; their pairs get new names where theirs are taken. */
export function appendLines(set: ExampleSet, raws: readonly string[]): ExampleSet {
  const incoming = parseExampleSet(raws.join("\n"), set.name);
  const taken = pairIds(set);
  const used = new Set([...taken, ...pairIds(incoming)]);
  const names = new Map<string, string>();
  const changes = new Map<number, ExampleChange>();
  for (const { line, example } of examplesOf(incoming)) {
    if (example.pair === undefined || !taken.has(example.pair)) continue;
    const name = names.get(example.pair) ?? newPairIds(used, 1)[0]!;
    names.set(example.pair, name);
    used.add(name);
    changes.set(line, { pair: name });
  }
  const renamed = changeExamples(incoming, changes);
  return insertLines(
    set,
    set.lines.length,
    renamed.lines.map(({ raw }) => raw),
  );
}

/** `count` pair names, p1, p2, ..., after the highest that is `taken`. */
export function newPairIds(taken: Iterable<string>, count: number): readonly string[] {
  let highest = 0;
  for (const id of taken) {
    const number = /^p(\d{1,9})$/.exec(id)?.[1];
    if (number !== undefined) highest = Math.max(highest, Number(number));
  }
  return Array.from({ length: count }, (_, index) => `p${highest + index + 1}`);
}

/** The names of the pairs of a set. */
export function pairIds(set: ExampleSet): Set<string> {
  return new Set(examplesOf(set).flatMap(({ example: { pair } }) => (pair === undefined ? [] : [pair])));
}

/** An edit's trace: what it took out and what it put in, each with its place at the time. */
export interface EditTrace {
  readonly removed: readonly LineReference[];
  readonly added: readonly LineReference[];
}

/** What turned `before` into `after`; the lines of an edit keep their order. */
export function traceEdit(before: ExampleSet, after: ExampleSet): EditTrace {
  const removed: LineReference[] = [];
  const added: LineReference[] = [];
  if (before.lines.length === after.lines.length) {
    before.lines.forEach(({ raw }, index) => {
      const now = after.lines[index]!.raw;
      if (now === raw) return;
      removed.push({ line: index + 1, raw });
      added.push({ line: index + 1, raw: now });
    });
    return { removed, added };
  }
  /** Of each line, how many more there are after than before. */
  const surplus = new Map<string, number>();
  for (const { raw } of after.lines) surplus.set(raw, (surplus.get(raw) ?? 0) + 1);
  for (const { raw } of before.lines) surplus.set(raw, (surplus.get(raw) ?? 0) - 1);
  for (let old = 0, now = 0; old < before.lines.length || now < after.lines.length;) {
    const was = before.lines[old]?.raw;
    const is = after.lines[now]?.raw;
    if (was === is) {
      old++;
      now++;
    } else if (is !== undefined && (was === undefined || surplus.get(is)! > 0)) {
      surplus.set(is, surplus.get(is)! - 1);
      added.push({ line: ++now, raw: is });
    } else {
      removed.push({ line: ++old, raw: was! });
    }
  }
  return { removed, added };
}

/** Takes an edit back in a set that may have changed since: what others did meanwhile stays. */
export function undoEdit(set: ExampleSet, { removed, added }: EditTrace): ExampleSet {
  const gone = new Set(locateLines(set, added));
  let result = withLines(
    set,
    set.lines.filter((_, index) => !gone.has(index + 1)),
  );
  for (const { line, raw } of removed) {
    result = insertLines(result, Math.min(line - 1, result.lines.length), [raw]);
  }
  return result;
}

function otherLabel(label: ExampleLabel): ExampleLabel {
  return label === "positive" ? "negative" : "positive";
}

function exampleAt(set: ExampleSet, line: number): Example {
  const example = set.lines[line - 1]?.example;
  if (example) return example;
  throw new SteerscopeError("InvalidRequest", `${set.name} has no example at line ${line}.`);
}

function pairsAt(set: ExampleSet, lines: readonly number[]): ReadonlySet<string> {
  return new Set(
    lines.flatMap((line) => {
      const pair = set.lines[line - 1]?.example?.pair;
      return pair === undefined ? [] : [pair];
    }),
  );
}

function dissolveBroken(set: ExampleSet, pairs: ReadonlySet<string>): ExampleSet {
  if (pairs.size === 0) return set;
  const sides = new Map<string, ExampleLabel[]>();
  for (const { example } of examplesOf(set)) {
    if (example.pair === undefined || !pairs.has(example.pair)) continue;
    const labels = sides.get(example.pair);
    if (labels === undefined) sides.set(example.pair, [example.label]);
    else labels.push(example.label);
  }
  const broken = [...sides].filter(([, labels]) => labels.length !== 2 || labels[0] === labels[1]);
  return withoutPairs(set, new Set(broken.map(([pair]) => pair)));
}

function withoutPairs(set: ExampleSet, pairs: ReadonlySet<string>): ExampleSet {
  const changes = new Map<number, ExampleChange>();
  for (const { line, example } of examplesOf(set)) {
    if (example.pair !== undefined && pairs.has(example.pair)) changes.set(line, { pair: undefined });
  }
  return changeExamples(set, changes);
}
