/** Problems of all example sets: of those in open editors a moment after the last change, of the others as their files change. */
import * as vscode from "vscode";
import type { LintCode, LintProblem, LintSeverity } from "../../formats/exampleSetLint.ts";
import type { ExampleSetFile, ExampleSets } from "../exampleSets.ts";
import { inSlices } from "../inSlices.ts";
import type { Services } from "../services.ts";
import { settings } from "../settings.ts";
import { columnsOfLine, isExampleSet, problemsOfSet, readExampleSet } from "./exampleSetDocuments.ts";
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
  readonly #sets: ExampleSets;
  readonly #collection = vscode.languages.createDiagnosticCollection("steering.exampleSets");
  readonly #timers = new Map<string, NodeJS.Timeout>();
  /** By address, the content of each set without an editor for which the collection has what there is to say. */
  readonly #closed = new Map<string, ExampleSetFile["set"]>();
  readonly #subscriptions: vscode.Disposable;
  #isSweepWanted = false;
  #isSweeping = false;
  #isDisposed = false;

  constructor({ context, sets }: Services) {
    this.#explanation = vscode.Uri.joinPath(context.extensionUri, "media", "help", "confounds.md");
    this.#sets = sets;
    const refreshAll = (): void => {
      this.#closed.clear();
      void this.#sweep();
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
      sets.onDidChange(() => {
        void this.#sweep();
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
    this.#isDisposed = true;
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
    this.#closed.delete(key);
    this.#report(document.uri, readExampleSet(document)?.problems ?? null);
  }

  /** `problems` null: too large to be looked at. */
  #report(uri: vscode.Uri, problems: readonly LintProblem[] | null): void {
    this.#collection.set(uri, problems?.map((each) => this.#diagnostic(each)) ?? [tooLarge()]);
  }

  /** Looks at the sets that no editor shows. Never rejects. */
  async #sweep(): Promise<void> {
    this.#isSweepWanted = true;
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    while (this.#isSweepWanted) {
      this.#isSweepWanted = false;
      await inSlices(this.#sweepSteps());
    }
    this.#isSweeping = false;
  }

  *#sweepSteps(): Generator<undefined, void> {
    const open = new Set(vscode.workspace.textDocuments.map(({ uri }) => uri.toString()));
    for (const [address, uri] of [...this.#collection].map(([each]) => [each.toString(), each] as const)) {
      if (open.has(address) || this.#sets.get(uri) !== undefined) continue;
      this.#closed.delete(address);
      this.#collection.delete(uri);
    }
    for (const file of this.#sets.all()) {
      if (this.#isDisposed) return;
      if (!open.has(file.uri.toString())) this.#refreshClosed(file);
      yield;
    }
  }

  #refreshClosed({ uri, set }: ExampleSetFile): void {
    const address = uri.toString();
    if (this.#closed.has(address) && this.#closed.get(address) === set) return;
    this.#closed.set(address, set);
    // Why a file cannot be read the view tells.
    if (set === null) this.#collection.delete(uri);
    else this.#report(uri, problemsOfSet(set));
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
    const file = this.#sets.get(document.uri);
    if (file === undefined) this.#collection.delete(document.uri);
    else this.#refreshClosed(file);
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
