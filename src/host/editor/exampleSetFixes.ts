/** Quick fixes for what the lint of example sets finds. */
import * as vscode from "vscode";
import type { LineEdit, LintProblem } from "../../formats/exampleSetLint.ts";
import { diagnosticSource } from "./exampleSetDiagnostics.ts";
import { columnsOfLine, readExampleSet } from "./exampleSetDocuments.ts";
import { describeFix } from "./exampleSetProblems.ts";

export const exampleSetFixes: vscode.CodeActionProvider = {
  provideCodeActions(document, _range, { diagnostics }) {
    const problems = readExampleSet(document)?.problems ?? [];
    return diagnostics
      .filter(({ source }) => source === diagnosticSource)
      .flatMap((diagnostic) =>
        problems
          .filter((problem) => belongsTo(problem, diagnostic))
          .flatMap((problem) => actionsOf(document, problem, diagnostic)),
      );
  },
};

export const exampleSetFixKinds: vscode.CodeActionProviderMetadata = {
  providedCodeActionKinds: [vscode.CodeActionKind.QuickFix],
};

function belongsTo({ line, from, to, code }: LintProblem, diagnostic: vscode.Diagnostic): boolean {
  return codeOf(diagnostic) === code && diagnostic.range.isEqual(columnsOfLine(line, from, to));
}

function codeOf({ code }: vscode.Diagnostic): unknown {
  return typeof code === "object" ? code.value : code;
}

function actionsOf(
  document: vscode.TextDocument,
  { fixes }: LintProblem,
  diagnostic: vscode.Diagnostic,
): vscode.CodeAction[] {
  return fixes.map(({ kind, edits }, place) => {
    const action = new vscode.CodeAction(describeFix(kind), vscode.CodeActionKind.QuickFix);
    action.diagnostics = [diagnostic];
    // The preferred fix is what "fix all at the cursor" keys apply unseen: never one that deletes.
    action.isPreferred = place === 0 && !kind.startsWith("delete");
    action.edit = new vscode.WorkspaceEdit();
    action.edit.set(
      document.uri,
      withoutNeighbours(edits).map((edit) => toTextEdit(document, edit)),
    );
    return action;
  });
}

/** Deletions of lines that follow each other as one: at the end of a file their ranges would overlap. */
function withoutNeighbours(edits: readonly LineEdit[]): readonly LineEdit[] {
  const merged: LineEdit[] = [];
  for (const edit of [...edits].sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    const isNeighbour = last?.text === null && edit.text === null && last.from + last.count === edit.from;
    if (isNeighbour) merged[merged.length - 1] = { ...last, count: last.count + edit.count };
    else merged.push(edit);
  }
  return merged;
}

function toTextEdit(
  document: vscode.TextDocument,
  { from, count, text }: LineEdit,
): vscode.TextEdit | vscode.SnippetTextEdit {
  const first = from - 1;
  if (count === 0) return insertion(document, first, text ?? "");
  const last = first + count - 1;
  const end = document.lineAt(last).range.end;
  if (text !== null)
    return vscode.TextEdit.replace(new vscode.Range(new vscode.Position(first, 0), end), text);
  // With its line break: the one behind it, or the one before the last line.
  const isLast = last === document.lineCount - 1;
  const start = isLast && first > 0 ? document.lineAt(first - 1).range.end : new vscode.Position(first, 0);
  return vscode.TextEdit.delete(new vscode.Range(start, isLast ? end : new vscode.Position(last + 1, 0)));
}

/** A line before the line `first` (0-based), or behind the last one; the cursor goes into its empty text. */
function insertion(document: vscode.TextDocument, first: number, text: string): vscode.SnippetTextEdit {
  const snippet = new vscode.SnippetString();
  const isBehind = first >= document.lineCount;
  const [before, after] = text.split(/(?<=")(?="}$)/);
  if (isBehind) snippet.appendText("\n");
  snippet.appendText(before!);
  if (after !== undefined) snippet.appendTabstop(0).appendText(after);
  if (!isBehind) snippet.appendText("\n");
  const at = isBehind ? document.lineAt(document.lineCount - 1).range.end : new vscode.Position(first, 0);
  return vscode.SnippetTextEdit.insert(at, snippet);
}
