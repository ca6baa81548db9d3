import { readFile } from "node:fs/promises";
import { arch, homedir, platform, release, totalmem } from "node:os";
import { join } from "node:path";
import * as vscode from "vscode";
import { activationsFolder } from "../shared/engineContract.ts";
import { size } from "../shared/units.ts";
import { folderBytes } from "./activationFiles.ts";
import { diagnosticsText } from "./diagnosticsText.ts";
import { program } from "./program.ts";
import type { Services } from "./services.ts";

/** What a bug report needs, as Markdown. */
export async function collectDiagnostics({ context, engine }: Services): Promise<string> {
  const described = await engine.describe();
  const { state } = engine;
  return diagnosticsText(
    {
      versions: {
        Steerscope: program,
        "VS Code": `${vscode.version}, ${vscode.env.appName}, ${vscode.env.uiKind === vscode.UIKind.Web ? "web" : "desktop"}`,
        remote: vscode.env.remoteName === undefined ? "no" : "yes",
        Node: process.version,
        system: `${platform()} ${release()} ${arch()}, ${size(totalmem())} of memory`,
        onnxruntime: await runtimeVersion(context.extensionPath),
        language: vscode.env.language,
        "workspace trusted": vscode.workspace.isTrusted ? "yes" : "no",
      },
      settings: changedSettings(context),
      engineState: state.kind,
      model: described?.model ?? engine.model,
      memory: described?.memory ?? null,
      activationBytes: await folderBytes(join(engine.cacheFolder, activationsFolder)),
      crash: engine.lastCrash?.message ?? null,
    },
    homedir(),
  );
}

/** Of the runtime that is installed; the engine alone loads it. */
async function runtimeVersion(extensionPath: string): Promise<string> {
  try {
    const file = join(extensionPath, "node_modules", "onnxruntime-node", "package.json");
    return (JSON.parse(await readFile(file, "utf8")) as { version: string }).version;
  } catch {
    return "not found";
  }
}

function changedSettings({ extension }: vscode.ExtensionContext): Record<string, unknown> {
  const { contributes } = extension.packageJSON as {
    contributes: { configuration: { properties: Record<string, unknown> } };
  };
  const configuration = vscode.workspace.getConfiguration();
  const changed: Record<string, unknown> = {};
  for (const key of Object.keys(contributes.configuration.properties)) {
    const value: unknown = configuration.get(key);
    if (JSON.stringify(value) !== JSON.stringify(configuration.inspect(key)?.defaultValue))
      changed[key] = value;
  }
  return changed;
}
