/** One item: model, what the engine does, what is applied. */
import * as vscode from "vscode";
import { commandTitle } from "./commandTitle.ts";
import { currentStatus, type Status } from "./engineStatus.ts";
import { commandIds, type CommandName } from "./ids.ts";
import type { Services } from "./services.ts";

/** A job reports more often than anyone can read. */
const updateMilliseconds = 100;
/** The bar is shared with others; the whole line is in the tooltip. */
const longestRecipe = 40;

export function registerStatusBar(services: Services): vscode.Disposable {
  const { context, engine, models, vectors } = services;
  const item = vscode.window.createStatusBarItem("steering.status", vscode.StatusBarAlignment.Left, 10);
  item.name = vscode.l10n.t("Steering");
  item.command = commandIds.showStatus;
  const show = (): void => {
    const status = currentStatus(services);
    item.text = statusText(status);
    item.tooltip = statusTooltip(status, context);
    item.accessibilityInformation = { label: spoken(status), role: "button" };
    item.backgroundColor = isBlocked(status)
      ? new vscode.ThemeColor("statusBarItem.errorBackground")
      : undefined;
  };
  let timer: NodeJS.Timeout | undefined;
  const showSoon = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      show();
    }, updateMilliseconds);
  };
  show();
  item.show();
  return vscode.Disposable.from(
    item,
    engine.onDidChangeState(showSoon),
    engine.onDidChangeModel(showSoon),
    models.onDidChange(showSoon),
    vectors.onDidChange(showSoon),
    {
      dispose: () => {
        clearTimeout(timer);
      },
    },
  );
}

function isBlocked({ engine }: Status): boolean {
  return engine.kind === "crashed" && engine.blocked;
}

function statusText(status: Status): string {
  const { model, engine, applied } = status;
  const icon = engine.kind === "busy" ? "loading~spin" : isBlocked(status) ? "error" : "compass";
  const short = applied.length > longestRecipe ? `${applied.slice(0, longestRecipe - 1)}…` : applied;
  // "$(" in a file name would be drawn as an icon.
  const parts = [model, ...(short === "" ? [] : [short])].map((part) => part.replaceAll("$(", "$ ("));
  return `$(${icon}) ${parts.join("  ")}`;
}

function spoken({ model, engineText, applied }: Status): string {
  const parts = [model, engineText, applied === "" ? vscode.l10n.t("no vector is on") : applied];
  return vscode.l10n.t("Steering: {0}", parts.join(", "));
}

/** Names come from files: they are shown as text, never as Markdown. */
function statusTooltip(status: Status, context: vscode.ExtensionContext): vscode.MarkdownString {
  const names = [
    ...(status.engine.kind === "busy" && !status.engine.isStopping ? (["stop"] as const) : []),
    ...(status.engine.kind === "crashed" ? (["restartEngine"] as const) : []),
    ...(["selectModel", "editRecipe", "showLog"] as const),
  ] satisfies CommandName[];
  const tooltip = new vscode.MarkdownString();
  tooltip.isTrusted = { enabledCommands: names.map((name) => commandIds[name]) };
  tooltip.appendMarkdown("**").appendText(status.model).appendMarkdown("**");
  if (status.facts !== null) tooltip.appendText(` ${status.facts}`);
  tooltip.appendMarkdown("\n\n").appendText(status.engineText);
  tooltip
    .appendMarkdown("\n\n")
    .appendText(status.recipe === "" ? vscode.l10n.t("No vector is switched on.") : status.recipe);
  const links = names.map((name) => `[${commandTitle(context, name)}](command:${commandIds[name]})`);
  return tooltip.appendMarkdown(`\n\n${links.join(" · ")}`);
}
