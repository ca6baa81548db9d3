import * as vscode from "vscode";
import type { ExampleSet } from "../formats/exampleSet.ts";
import type { SteerscopeError } from "../shared/errors.ts";

export interface ExampleSetFile {
  readonly uri: vscode.Uri;
  readonly name: string;
  /** null: the file cannot be read; `problem` says why. */
  readonly set: ExampleSet | null;
  readonly problem: SteerscopeError | null;
}

/** The example sets of the workspace; files are the truth. */
export class ExampleSets implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;
  constructor(_context: vscode.ExtensionContext, _log: vscode.LogOutputChannel) {}
  /** Resolves when the sets of the workspace were read once. */
  readonly ready: Promise<void> = Promise.resolve();
  all(): readonly ExampleSetFile[] {
    return [];
  }
  get(_uri: vscode.Uri): ExampleSetFile | undefined {
    return undefined;
  }
  active(): ExampleSetFile | undefined {
    return undefined;
  }
  async setActive(_uri: vscode.Uri): Promise<void> {}
  /** Reads the newest content, applies `edit`, writes it; serialised a file, retried where another window wrote between. */
  change(_uri: vscode.Uri, _edit: (set: ExampleSet) => ExampleSet): Promise<ExampleSet> {
    return Promise.reject(new Error("not yet"));
  }
  create(_name: string): Promise<vscode.Uri> {
    return Promise.reject(new Error("not yet"));
  }
  dispose(): void {
    this.#changed.dispose();
  }
}
