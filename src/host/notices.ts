/** The one place that shows messages; of failures: what happened, what to do, and the log one click away. */
import * as vscode from "vscode";
import { SteerscopeError, isSteerscopeError, serialiseError } from "../shared/errors.ts";
import { withHeadline } from "./errorHeadline.ts";
import { commandIds } from "./ids.ts";

/** A button under a message. */
export interface NoticeAction {
  readonly title: string;
  readonly run: () => unknown;
}

/** What fails with EngineCrashed within this time failed by the same crash. */
const oneCrashMilliseconds = 1000;

export class Notices {
  readonly #log: vscode.LogOutputChannel;
  #crashShownAt = -Infinity;

  constructor(log: vscode.LogOutputChannel) {
    this.#log = log;
  }

  /** Shows an error with its remedy, "Show Log" and `actions`; Cancelled is what the person asked for and shows nothing. */
  async showError(error: unknown, actions: readonly NoticeAction[] = []): Promise<void> {
    if (isSteerscopeError(error, "Cancelled") || error instanceof vscode.CancellationError) return;
    const { kind, message, remedy, detail } = serialiseError(error);
    this.#log.error(`${kind}: ${message}${detail === undefined ? "" : `\n${detail}`}`);
    const isCrash = kind === "EngineCrashed";
    if (isCrash) {
      // One crash fails every job that waits on the engine. Messages of the same words VS Code replaces by itself.
      const now = performance.now();
      if (now - this.#crashShownAt < oneCrashMilliseconds) return;
      this.#crashShownAt = now;
    }
    const showLog = {
      title: vscode.l10n.t("Show Log"),
      run: () => {
        this.#log.show(true);
      },
    };
    const all = [...actions, ...(isCrash ? crashActions() : []), ...trustActions(error), showLog];
    const headed = withHeadline(kind, message);
    const sentence = remedy === undefined ? headed : `${headed} ${remedy}`;
    const chosen = await vscode.window.showErrorMessage(sentence, ...all.map(({ title }) => title));
    await this.guard(() => all.find(({ title }) => title === chosen)?.run());
  }

  /** A question with buttons; resolves with the title of the one that was pressed, undefined where it was closed. */
  async ask(message: string, titles: readonly string[]): Promise<string | undefined> {
    return vscode.window.showInformationMessage(message, ...titles);
  }

  /** Says what was done; resolves when the message is gone. Nobody waits for it but to test what its buttons do. */
  async showInformation(message: string, actions: readonly NoticeAction[] = []): Promise<void> {
    const chosen = await vscode.window.showInformationMessage(message, ...titlesOf(actions));
    await this.#follow(chosen, actions);
  }

  /** The same for what was done with a caveat. */
  async showWarning(message: string, actions: readonly NoticeAction[] = []): Promise<void> {
    const chosen = await vscode.window.showWarningMessage(message, ...titlesOf(actions));
    await this.#follow(chosen, actions);
  }

  async #follow(chosen: string | undefined, actions: readonly NoticeAction[]): Promise<void> {
    await this.guard(() => actions.find(({ title }) => title === chosen)?.run());
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

function crashActions(): readonly NoticeAction[] {
  return [
    {
      title: vscode.l10n.t("Restart Engine"),
      run: () => vscode.commands.executeCommand(commandIds.restartEngine),
    },
    {
      title: vscode.l10n.t("Copy Diagnostics"),
      run: () => vscode.commands.executeCommand(commandIds.copyDiagnostics),
    },
  ];
}

/** Errors of `notTrusted`, which one command sets right. */
const aboutTrust = new WeakSet<object>();

function trustActions(error: unknown): readonly NoticeAction[] {
  if (!(error instanceof SteerscopeError) || !aboutTrust.has(error)) return [];
  return [
    {
      title: vscode.l10n.t("Manage Workspace Trust"),
      run: () => vscode.commands.executeCommand("workbench.trust.manage"),
    },
  ];
}

/** Throws InvalidRequest in a workspace that is not trusted: commands refuse by themselves, whatever the menus show. */
export function requireTrust(): void {
  if (!vscode.workspace.isTrusted) throw notTrusted();
}

/** Why nothing of the workspace is read. */
export function notTrusted(): SteerscopeError {
  const error = new SteerscopeError("InvalidRequest", vscode.l10n.t("This folder is not trusted."), {
    remedy: vscode.l10n.t(
      "Trust it (Workspaces: Manage Workspace Trust) to load its example sets, vectors and models.",
    ),
  });
  aboutTrust.add(error);
  return error;
}

function titlesOf(actions: readonly NoticeAction[]): string[] {
  return actions.map(({ title }) => title);
}
