/** What a click on the status bar offers: the likely next things, the likeliest first. */
import * as vscode from "vscode";
import { commandTitle } from "./commandTitle.ts";
import { currentStatus } from "./engineStatus.ts";
import { commandIds, type CommandName } from "./ids.ts";
import type { Services } from "./services.ts";

interface CommandItem extends vscode.QuickPickItem {
  /** Settings are no command of this extension. */
  readonly run?: () => Thenable<unknown>;
}

/** Runs what the person chooses. */
export async function showStatus(services: Services): Promise<void> {
  const { context } = services;
  const status = currentStatus(services);
  const { engine, model, engineText, recipe } = status;
  const item = (name: CommandName, icon: string, description?: string): CommandItem => ({
    label: `$(${icon}) ${commandTitle(context, name)}`,
    ...(description === undefined || description === "" ? {} : { description }),
    run: () => vscode.commands.executeCommand(commandIds[name]),
  });
  const separator = (label: string): CommandItem => ({
    label,
    kind: vscode.QuickPickItemKind.Separator,
  });
  const items = [
    ...(engine.kind === "busy" && !engine.isStopping ? [item("stop", "debug-stop", engineText)] : []),
    ...(engine.kind === "crashed" ? [item("restartEngine", "debug-restart", engineText)] : []),
    item("computeVector", "play"),
    item("inspectSelection", "eye"),
    item("generateHere", "sparkle"),
    item("editRecipe", "settings", recipe),
    item("selectModel", "checklist", model),
    separator(vscode.l10n.t("Engine")),
    ...(engine.kind === "crashed" ? [] : [item("restartEngine", "debug-restart", engineText)]),
    item("clearCaches", "clear-all"),
    item("showLog", "output"),
    item("copyDiagnostics", "copy"),
    separator(vscode.l10n.t("Help")),
    item("openWalkthrough", "book"),
    {
      label: `$(gear) ${vscode.l10n.t("Settings")}`,
      run: () =>
        vscode.commands.executeCommand("workbench.action.openSettings", `@ext:${context.extension.id}`),
    },
  ];
  const chosen = await vscode.window.showQuickPick(items, {
    title: vscode.l10n.t("Steering"),
    placeHolder: [status.model, status.facts, engineText].filter((part) => part !== null).join(" · "),
    matchOnDescription: true,
  });
  await chosen?.run?.();
}
