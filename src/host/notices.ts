/** The one place that shows messages of failures: what happened, what to do, and the log one click away. */
import * as vscode from "vscode";
import { SteerscopeError, isSteerscopeError, serialiseError } from "../shared/errors.ts";

/** A button under a message. */
export interface NoticeAction {
  readonly title: string;
  readonly run: () => unknown;
}

export class Notices {
  readonly #log: vscode.LogOutputChannel;

  constructor(log: vscode.LogOutputChannel) {
    this.#log = log;
  }

  /** Shows an error with its remedy, "Show Log" and `actions`; Cancelled is what the person asked for and shows nothing. */
  async showError(error: unknown, actions: readonly NoticeAction[] = []): Promise<void> {
    if (isSteerscopeError(error, "Cancelled") || error instanceof vscode.CancellationError) return;
    const { kind, message, remedy, detail } = serialiseError(error);
    this.#log.error(`${kind}: ${message}${detail === undefined ? "" : `\n${detail}`}`);
    const showLog = {
      title: vscode.l10n.t("Show Log"),
      run: () => {
        this.#log.show(true);
      },
    };
    const all = [...actions, showLog];
    const sentence = remedy === undefined ? message : `${message} ${remedy}`;
    const chosen = await vscode.window.showErrorMessage(sentence, ...all.map(({ title }) => title));
    await all.find(({ title }) => title === chosen)?.run();
  }

  /** Runs a command's body; what it throws is shown and does not reach VS Code, which would show it raw. */
  async guard<T>(body: () => Promise<T> | T): Promise<T | undefined> {
    try {
      return await body();
    } catch (error) {
      void this.showError(error);
      return undefined;
    }
  }
}

/** Throws InvalidRequest in a workspace that is not trusted: commands refuse by themselves, whatever the menus show. */
export function requireTrust(): void {
  if (vscode.workspace.isTrusted) return;
  throw new SteerscopeError("InvalidRequest", vscode.l10n.t("This folder is not trusted."), {
    remedy: vscode.l10n.t(
      "Trust it (Workspaces: Manage Workspace Trust) to load its example sets, vectors and models.",
    ),
  });
}
