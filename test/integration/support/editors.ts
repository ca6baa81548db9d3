/** What tests of editor features share. */
import { setTimeout as sleep } from "node:timers/promises";
import * as vscode from "vscode";
import { commandIds, type CommandName } from "../../../src/host/ids.ts";
import type { ActivatedServices } from "../../../src/host/services.ts";

export async function activate(): Promise<ActivatedServices> {
  return (await vscode.extensions.getExtension("steerscope.steerscope")!.activate()) as ActivatedServices;
}

/** Runs a command of the extension. */
export function run<T>(name: CommandName, ...args: readonly unknown[]): Thenable<T> {
  return vscode.commands.executeCommand<T>(commandIds[name], ...args);
}

export function workspaceUri(...path: readonly string[]): vscode.Uri {
  return vscode.Uri.joinPath(vscode.workspace.workspaceFolders![0]!.uri, ...path);
}

export async function writeText(text: string, ...path: readonly string[]): Promise<vscode.Uri> {
  const uri = workspaceUri(...path);
  await vscode.workspace.fs.writeFile(uri, new TextEncoder().encode(text));
  return uri;
}

export async function openText(text: string, ...path: readonly string[]): Promise<vscode.TextEditor> {
  return vscode.window.showTextDocument(await writeText(text, ...path), { preview: false });
}

/** Polls until `read` gives something; the test's own time limit ends it. */
export async function eventually<T>(
  read: () => T | undefined | null | false | Promise<T | undefined | null | false>,
): Promise<T> {
  for (;;) {
    const value = await read();
    if (value !== undefined && value !== null && value !== false) return value;
    await sleep(25);
  }
}

/** The editor that has the focus, once its document is one that `isWanted`. */
export async function activeEditor(isWanted: (uri: vscode.Uri) => boolean): Promise<vscode.TextEditor> {
  return eventually(() => {
    const editor = vscode.window.activeTextEditor;
    return editor !== undefined && isWanted(editor.document.uri) ? editor : undefined;
  });
}

/** Opens a notebook whose cells are `texts` and begins to edit the first. */
export async function openNotebookCell(
  texts: readonly string[],
  ...path: readonly string[]
): Promise<vscode.TextEditor> {
  const cells = texts.map((text) => {
    return { cell_type: "code", source: [text], metadata: {}, outputs: [], execution_count: null };
  });
  const notebook = JSON.stringify({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 });
  const uri = await writeText(notebook, ...path);
  await vscode.window.showNotebookDocument(await vscode.workspace.openNotebookDocument(uri));
  await vscode.commands.executeCommand("notebook.cell.edit");
  return activeEditor(({ scheme }) => scheme === "vscode-notebook-cell");
}

export async function closeEverything(): Promise<void> {
  await vscode.commands.executeCommand("workbench.action.revertAndCloseActiveEditor");
  await vscode.commands.executeCommand("workbench.action.closeAllEditors");
}
