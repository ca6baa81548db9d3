/** Problems of example sets in open editors, a moment after the last change. */
import * as vscode from "vscode";
import type { LintCode, LintProblem, LintSeverity } from "../../formats/exampleSetLint.ts";
import { settings } from "../settings.ts";
import { columnsOfLine, isExampleSet, readExampleSet } from "./exampleSetDocuments.ts";
import { describeProblem } from "./exampleSetProblems.ts";

export const diagnosticSource = "Steerscope";

const pauseMilliseconds = 300;

const severities: Readonly<Record<LintSeverity, vscode.DiagnosticSeverity>> = {
  error: vscode.DiagnosticSeverity.Error,
  warning: vscode.DiagnosticSeverity.Warning,
  information: vscode.DiagnosticSeverity.Information,
};

/** No edit of one line sets these right: a page says what they are about. */
const explained: readonly LintCode[] = ["telling-word", "side-alike", "side-identical", "length-imbalance"];

export class ExampleSetDiagnostics implements vscode.Disposable {
  readonly #explanation: vscode.Uri;
  readonly #collection = vscode.languages.createDiagnosticCollection("steering.exampleSets");
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #subscriptions: vscode.Disposable;

  constructor(extensionUri: vscode.Uri) {
    this.#explanation = vscode.Uri.joinPath(extensionUri, "media", "help", "confounds.md");
    const refreshAll = (): void => {
      vscode.workspace.textDocuments.forEach((document) => {
        this.#refresh(document);
      });
    };
    this.#subscriptions = vscode.Disposable.from(
      vscode.workspace.onDidOpenTextDocument((document) => {
        this.#refresh(document);
      }),
      vscode.workspace.onDidChangeTextDocument(({ document }) => {
        this.#refreshLater(document);
      }),
      vscode.workspace.onDidCloseTextDocument((document) => {
        this.#forget(document);
      }),
      vscode.workspace.onDidGrantWorkspaceTrust(refreshAll),
      vscode.workspace.onDidChangeWorkspaceFolders(refreshAll),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (settings.isChanged(event, "folder") || settings.isChanged(event, "decimals")) refreshAll();
      }),
    );
    refreshAll();
  }

  dispose(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#subscriptions.dispose();
    this.#collection.dispose();
  }

  #refreshLater(document: vscode.TextDocument): void {
    if (!isExampleSet(document)) return;
    const key = document.uri.toString();
    clearTimeout(this.#timers.get(key));
    const timer = setTimeout(() => {
      this.#refresh(document);
    }, pauseMilliseconds);
    this.#timers.set(key, timer);
  }

  #refresh(document: vscode.TextDocument): void {
    const key = document.uri.toString();
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
    if (document.isClosed) return;
    if (!isExampleSet(document)) {
      if (this.#collection.has(document.uri)) this.#collection.delete(document.uri);
      return;
    }
    const content = readExampleSet(document);
    this.#collection.set(
      document.uri,
      content?.problems.map((each) => this.#diagnostic(each)) ?? [tooLarge()],
    );
  }

  #diagnostic(problem: LintProblem): vscode.Diagnostic {
    const { line, from, to, code, severity } = problem;
    const diagnostic = new vscode.Diagnostic(
      columnsOfLine(line, from, to),
      describeProblem(problem),
      severities[severity],
    );
    diagnostic.source = diagnosticSource;
    diagnostic.code = explained.includes(code) ? { value: code, target: this.#explanation } : code;
    return diagnostic;
  }

  #forget(document: vscode.TextDocument): void {
    const key = document.uri.toString();
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
    this.#collection.delete(document.uri);
  }
}

function tooLarge(): vscode.Diagnostic {
  const diagnostic = new vscode.Diagnostic(
    new vscode.Range(0, 0, 0, 0),
    vscode.l10n.t(
      "This example set is too large to be checked. About a hundred pairs are enough for a vector.",
    ),
    vscode.DiagnosticSeverity.Information,
  );
  diagnostic.source = diagnosticSource;
  return diagnostic;
}
