/** Shows vector files: a read-only editor without scripts. */
import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import { vectorEditorType } from "../ids.ts";
import { notTrusted } from "../notices.ts";
import { settings } from "../settings.ts";
import { readVectorEntry, vectorName } from "../vectorReader.ts";
import type { VectorEntry } from "../vectors.ts";
import { vectorPage } from "./vectorPage.ts";

export function registerVectorEditor(): vscode.Disposable {
  return vscode.window.registerCustomEditorProvider(vectorEditorType, new VectorEditorProvider(), {
    supportsMultipleEditorsPerDocument: true,
  });
}

class VectorEditorProvider implements vscode.CustomReadonlyEditorProvider {
  openCustomDocument(uri: vscode.Uri): vscode.CustomDocument {
    return { uri, dispose: () => undefined };
  }

  async resolveCustomEditor({ uri }: vscode.CustomDocument, panel: vscode.WebviewPanel): Promise<void> {
    panel.webview.options = { enableScripts: false, localResourceRoots: [] };
    let latest = 0;
    const render = async (): Promise<void> => {
      const turn = ++latest;
      const entry = await readTrusted(uri);
      // A later change may have been read sooner.
      if (turn !== latest) return;
      panel.webview.html = vectorPage({
        ...entry,
        decimals: settings.decimals(),
        nonce: randomBytes(16).toString("base64"),
        l10n: vscode.l10n,
        language: vscode.env.language,
      });
    };
    const folder = vscode.Uri.joinPath(uri, "..");
    const name = uri.path.slice(uri.path.lastIndexOf("/") + 1);
    const watcher = vscode.workspace.createFileSystemWatcher(
      new vscode.RelativePattern(folder, name.replaceAll(/[[\]{}*?]/g, "?")),
    );
    const again = (): void => void render();
    const subscriptions = [
      watcher,
      watcher.onDidChange(again),
      watcher.onDidCreate(again),
      watcher.onDidDelete(again),
      vscode.workspace.onDidGrantWorkspaceTrust(again),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (settings.isChanged(event, "decimals")) again();
      }),
    ];
    panel.onDidDispose(() => {
      latest = -1;
      for (const subscription of subscriptions) subscription.dispose();
    });
    await render();
  }
}

/** In a workspace that is not trusted the file is not read. */
async function readTrusted(uri: vscode.Uri): Promise<Pick<VectorEntry, "name" | "file" | "problem">> {
  if (vscode.workspace.isTrusted) return readVectorEntry(uri);
  return { name: vectorName(uri), file: null, problem: notTrusted() };
}
