import * as vscode from "vscode";
import type { VectorFile } from "../formats/vectorFile.ts";
import type { SteerscopeError } from "../shared/errors.ts";
import type { Scope } from "../shared/scope.ts";

export interface VectorEntry {
  readonly uri: vscode.Uri;
  /** File name without extension. */
  readonly name: string;
  readonly file: VectorFile | null;
  readonly problem: SteerscopeError | null;
}

/** A vector that is switched on. */
export interface AppliedVector {
  readonly entry: VectorEntry;
  readonly layers: readonly number[];
  readonly strength: number;
}

/** The vectors of the workspace, and which of them are switched on, at which layers and strength. */
export class Vectors implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;
  constructor(_context: vscode.ExtensionContext, _log: vscode.LogOutputChannel) {}
  readonly ready: Promise<void> = Promise.resolve();
  all(): readonly VectorEntry[] {
    return [];
  }
  get(_uri: vscode.Uri): VectorEntry | undefined {
    return undefined;
  }
  /** The vector that views and commands are about when none is named: last touched, else the first. */
  current(): VectorEntry | undefined {
    return undefined;
  }
  setCurrent(_uri: vscode.Uri): void {}
  applied(): readonly AppliedVector[] {
    return [];
  }
  scope(): Scope {
    return "after-prompt";
  }
  /** Layer of `entry` that is shown and steered: as set, else the suggested one. */
  layerOf(_entry: VectorEntry): number {
    return 0;
  }
  async apply(
    _uri: vscode.Uri,
    _change: { on?: boolean; layers?: readonly number[]; strength?: number },
  ): Promise<void> {}
  /** Writes a new vector under a free name; resolves with its address once the view knows it. */
  write(_name: string, _bytes: Uint8Array, _near?: vscode.Uri): Promise<vscode.Uri> {
    return Promise.reject(new Error("not yet"));
  }
  dispose(): void {
    this.#changed.dispose();
  }
}
