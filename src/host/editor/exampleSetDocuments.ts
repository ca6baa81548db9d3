/** Example sets as they are in editors, saved or not; each version is read once. */
import { posix } from "node:path";
import * as vscode from "vscode";
import { parseExampleSet, type ExampleSet } from "../../formats/exampleSet.ts";
import { lintExampleSet, type LintProblem } from "../../formats/exampleSetLint.ts";
import { setsFolder, steeringFolders } from "../steeringFolder.ts";

export const exampleSetSelector: vscode.DocumentSelector = { pattern: "**/*.jsonl" };

/** Reading more on each pause in typing would be felt in every extension. */
const maximumCharacters = 4 * 1024 * 1024;
const maximumLines = 20_000;

export interface ExampleSetDocument {
  readonly set: ExampleSet;
  readonly problems: readonly LintProblem[];
}

interface Read {
  readonly version: number;
  readonly content: ExampleSetDocument | null;
}

const cache = new WeakMap<vscode.TextDocument, Read>();

/** Whether a document is a file of a `sets` folder, in a workspace that is trusted. */
export function isExampleSet({ uri }: vscode.TextDocument): boolean {
  return vscode.workspace.isTrusted && uri.path.endsWith(".jsonl") && isInSetsFolder(uri);
}

function isInSetsFolder(uri: vscode.Uri): boolean {
  const parent = uri.with({ path: posix.dirname(uri.path) }).toString();
  return steeringFolders().some((folder) => vscode.Uri.joinPath(folder, setsFolder).toString() === parent);
}

/** null: no example set, or one that is too large to be looked at while somebody types. */
export function readExampleSet(document: vscode.TextDocument): ExampleSetDocument | null {
  if (!isExampleSet(document)) return null;
  const known = cache.get(document);
  if (known?.version === document.version) return known.content;
  const text = document.lineCount > maximumLines ? null : document.getText();
  let content: ExampleSetDocument | null = null;
  if (text !== null && text.length <= maximumCharacters) {
    const set = parseExampleSet(text, posix.basename(document.uri.path, ".jsonl"));
    content = { set, problems: problemsOfSet(set) ?? [] };
  }
  cache.set(document, { version: document.version, content });
  return content;
}

const found = new WeakMap<ExampleSet, readonly LintProblem[] | null>();

/** Each set is looked at once; null: too large. */
export function problemsOfSet(set: ExampleSet): readonly LintProblem[] | null {
  const known = found.get(set);
  if (known !== undefined) return known;
  const isSmall =
    set.lines.length <= maximumLines &&
    set.lines.reduce((sum, { raw }) => sum + raw.length, 0) <= maximumCharacters;
  const problems = isSmall ? lintExampleSet(set) : null;
  found.set(set, problems);
  return problems;
}

/** The range [from, to) of columns of a line (1-based, as example sets count). */
export function columnsOfLine(line: number, from: number, to: number): vscode.Range {
  return new vscode.Range(line - 1, from, line - 1, to);
}
