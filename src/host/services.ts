/** What the parts of the extension share; built once in extension.ts. */
import type * as vscode from "vscode";
import type { EngineHost } from "./engineHost.ts";
import type { ExampleSets } from "./exampleSets.ts";
import type { Models } from "./models.ts";
import type { Notices } from "./notices.ts";
import type { Vectors } from "./vectors.ts";

export interface Services {
  readonly context: vscode.ExtensionContext;
  readonly log: vscode.LogOutputChannel;
  readonly notices: Notices;
  readonly engine: EngineHost;
  readonly models: Models;
  readonly sets: ExampleSets;
  readonly vectors: Vectors;
}

/** What `activate` returns. */
export interface ActivatedServices extends Services {
  /** How long it took; the engine and the files of the workspace come later. */
  readonly activationMilliseconds: number;
}
