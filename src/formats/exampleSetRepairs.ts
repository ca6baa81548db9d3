/** What a line that is not an example may have been meant to be. */
import { parseExampleSet, type ExampleSet } from "./exampleSet.ts";
import type { LintFix } from "./exampleSetLint.ts";
import { jsonMembers } from "./jsonMembers.ts";

/** A text that was pasted with its line breaks is rarely longer. */
const maximumJoinedLines = 20;

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
