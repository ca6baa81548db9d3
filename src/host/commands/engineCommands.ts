/** The engine's life, its caches, its log, and the menu of the status bar. */
import { join } from "node:path";
import * as vscode from "vscode";
import { activationsFolder } from "../../shared/engineContract.ts";
import { size } from "../../shared/units.ts";
import { emptyFolder, folderBytes } from "../activationFiles.ts";
import { collectDiagnostics } from "../diagnostics.ts";
import { walkthroughId } from "../ids.ts";
import { registerCommand } from "../registerCommand.ts";
import type { Services } from "../services.ts";
import { settings } from "../settings.ts";
import { showStatus } from "../statusMenu.ts";

export function registerEngineCommands(services: Services): vscode.Disposable {
  const { engine, log, notices } = services;
  return vscode.Disposable.from(
    registerCommand(services, "stop", () => engine.stopJobs()),
    registerCommand(services, "restartEngine", () => restartEngine(services)),
    registerCommand(services, "clearCaches", (options?: { readonly confirm?: boolean }) =>
      clearCaches(services, options?.confirm ?? true),
    ),
    registerCommand(services, "showLog", () => {
      log.show(true);
    }),
    registerCommand(services, "copyDiagnostics", async () => {
      const text = await collectDiagnostics(services);
      await vscode.env.clipboard.writeText(text);
      void notices.showInformation(
        vscode.l10n.t(
          "Diagnostics are in the clipboard: versions, settings, model, memory; no text of yours.",
        ),
      );
      return text;
    }),
    registerCommand(services, "showStatus", () => showStatus(services)),
    registerCommand(services, "openWalkthrough", () =>
      vscode.commands.executeCommand("workbench.action.openWalkthrough", walkthroughId, false),
    ),
    hintAtSettings(services),
  );
}

/** Another process, with the model that was loaded. Returns its process id. */
async function restartEngine({ engine, models }: Services): Promise<number | undefined> {
  const loaded = engine.model?.model;
  await engine.restart();
  const options = {
    title: vscode.l10n.t("Starting the engine"),
    location: vscode.ProgressLocation.Window,
  };
  await engine.run(options, async (job) => {
    if (loaded === undefined) await job.engine.hello(undefined, job.call);
    else await models.load(job, loaded);
  });
  return engine.pid;
}

/** Empties the cache of activations. Returns the bytes that it had, undefined where the person thought better of it. */
async function clearCaches({ engine, notices }: Services, mustConfirm: boolean): Promise<number | undefined> {
  const folder = join(engine.cacheFolder, activationsFolder);
  const bytes = await folderBytes(folder);
  if (mustConfirm) {
    const clear = vscode.l10n.t("Clear");
    const chosen = await vscode.window.showWarningMessage(
      vscode.l10n.t("Clear {0} of captured activations?", size(bytes)),
      {
        modal: true,
        detail: vscode.l10n.t(
          "They are computed again when they are needed. Models, vectors and example sets are kept.",
        ),
      },
      clear,
    );
    if (chosen !== clear) return undefined;
  }
  if (engine.pid === undefined) {
    await emptyFolder(folder);
  } else {
    const options = {
      title: vscode.l10n.t("Clearing caches"),
      location: vscode.ProgressLocation.Window,
    };
    await engine.run(options, (job) => job.engine.clearCaches(undefined, job.call));
  }
  if (mustConfirm) void notices.showInformation(vscode.l10n.t("{0} of caches were cleared.", size(bytes)));
  return bytes;
}

/** Some settings count when a process starts; one that runs is told of. */
function hintAtSettings({ engine, notices, ...services }: Services): vscode.Disposable {
  return vscode.workspace.onDidChangeConfiguration((event) => {
    const isLate = ["threads", "activationCacheLimit"].some((key) => settings.isChanged(event, key));
    if (!isLate || engine.pid === undefined) return;
    void notices.showInformation(vscode.l10n.t("The setting counts when the engine starts next."), [
      {
        title: vscode.l10n.t("Restart Engine"),
        run: () => restartEngine({ engine, notices, ...services }),
      },
    ]);
  });
}
