import * as vscode from "vscode";
import type { ModelDescription } from "../shared/engineContract.ts";
import type { EngineHost, Job } from "./engineHost.ts";

/** The models that can be used, and the one that is. */
export class Models implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;
  readonly #engine: EngineHost;
  constructor(_context: vscode.ExtensionContext, engine: EngineHost, _log: vscode.LogOutputChannel) {
    this.#engine = engine;
  }
  /** Catalogue id or folder that commands use where nothing else is said. */
  selected(): string {
    return "stories15m";
  }
  async select(_reference: string): Promise<void> {}
  /** References that can be loaded now, the selected one first, with names for people. */
  async available(): Promise<
    readonly { readonly reference: string; readonly name: string; readonly detail: string }[]
  > {
    return Promise.resolve([]);
  }
  /** Loads `reference` (default: the selected model) as part of a job. */
  async load(job: Job, reference = this.selected()): Promise<ModelDescription> {
    return this.#engine.load(job, reference);
  }
  dispose(): void {
    this.#changed.dispose();
  }
}
