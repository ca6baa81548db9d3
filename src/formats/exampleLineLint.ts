/** What may be wrong with one line that is an example: nothing that keeps it from being used. */
import { changedExampleLine, examplesOf, readSource, type Example, type ExampleSet } from "./exampleSet.ts";
import type { LintFix, LintProblem } from "./exampleSetLint.ts";
import { jsonMembers, valueColumns, type JsonMember } from "./jsonMembers.ts";

/** Ends soon after `most` problems. */
export function lineProblems(set: ExampleSet, most: number): readonly LintProblem[] {
  const problems: LintProblem[] = [];
  for (const { line, example } of examplesOf(set)) {
    if (problems.length >= most) break;
    const { raw } = set.lines[line - 1]!;
    const members = jsonMembers(raw);
    problems.push(
      ...repeatedKeys(line, members),
      ...badSource(line, raw, members, example),
      ...edgeBlanks(line, raw, example),
    );
  }
  return problems;
}

type Change = Pick<LintProblem, "code" | "severity" | "values"> & { readonly fix: LintFix["kind"] };

function problem(
  line: number,
  columns: { readonly from: number; readonly to: number },
  { code, severity, values, fix }: Change,
  text: string,
): LintProblem {
  const fixes: readonly LintFix[] = [{ kind: fix, edits: [{ from: line, count: 1, text }] }];
  return { line, ...columns, code, severity, values, cause: null, fixes };
}

/** One a key, at the first member of its name, which does not count. */
function repeatedKeys(line: number, members: readonly JsonMember[]): LintProblem[] {
  const last = new Map(members.map((member) => [member.key, member]));
  if (last.size === members.length) return [];
  const idle = members.filter((member) => last.get(member.key) !== member);
  return [...new Set(idle.map(({ key }) => key))].map((key) => {
    const kept = members.filter((member) => member.key !== key || last.get(key) === member);
    const { start, source } = idle.find((member) => member.key === key)!;
    return problem(
      line,
      { from: start, to: start + source.length },
      { code: "key-twice", severity: "warning", values: [key], fix: "remove-key" },
      `{${kept.map((member) => member.source).join(",")}}`,
    );
  });
}

/** Where a text was taken from has to be what this and the schema of example sets understand. */
function badSource(
  line: number,
  raw: string,
  members: readonly JsonMember[],
  { source }: Example,
): LintProblem[] {
  const member = members.findLast(({ key }) => key === "source");
  if (member === undefined) return [];
  const written = JSON.parse(raw.slice(member.valueStart, member.start + member.source.length)) as unknown;
  const isRead =
    source !== undefined &&
    ["range", "sha256"].every(
      (key) => Object.hasOwn(written as object, key) === Object.hasOwn(readSource(written)!, key),
    );
  if (isRead) return [];
  return [
    problem(
      line,
      valueColumns(raw, "source"),
      { code: "bad-source", severity: "warning", values: [], fix: "remove-source" },
      changedExampleLine(raw, { source: undefined }),
    ),
  ];
}

/** White space that most likely came along with a selection or a table. */
function edgeBlanks(line: number, raw: string, { text, prompt }: Example): LintProblem[] {
  if (text.trim() === "") return [];
  // After a prompt, the blank before the text is what joins both.
  const trimmed = prompt === undefined ? text.trim() : text.trimEnd();
  if (trimmed === text) return [];
  const atEnd = text.trimEnd() !== text;
  const atStart = prompt === undefined && text.trimStart() !== text;
  return [
    problem(
      line,
      valueColumns(raw, "text"),
      {
        code: "edge-blank",
        severity: "information",
        values: [atEnd ? (atStart ? "both" : "end") : "start"],
        fix: "trim-text",
      },
      changedExampleLine(raw, { text: trimmed }),
    ),
  ];
}
