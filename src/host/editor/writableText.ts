/**
 * Whether a person can edit the text of an editor. VS Code does not tell extensions, and reports edits of a read-only
 * editor as done; so this asks what VS Code itself goes by.
 */
import { stat } from "node:fs/promises";
import * as vscode from "vscode";
import { SteerscopeError } from "../../shared/errors.ts";

/** Of what can be edited although no file system is behind it. */
const schemesWithoutFiles: ReadonlySet<string> = new Set([
  "untitled",
  "vscode-notebook-cell",
  "vscode-interactive-input",
  "vscode-scm",
  "comment",
]);

/**
 * Throws FileUnwritable where the text is known to be read-only. A person may have made an editor read-only for the
 * session: that shows only when an edit changes nothing.
 */
export async function requireWritable({ document }: vscode.TextEditor): Promise<void> {
  if (isOriginalSide(document.uri)) {
    throw readOnly(vscode.l10n.t("Open the file itself, and put the cursor where the model shall go on."));
  }
  const uri = fileOf(document);
  const isWritable =
    vscode.workspace.fs.isWritableFileSystem(uri.scheme) ?? schemesWithoutFiles.has(uri.scheme);
  if (!isWritable || (await isReadOnlyFile(uri, document))) throw readOnly();
}

export function readOnly(
  remedy = vscode.l10n.t("Copy the text into a file that can be edited, and run the command there."),
): SteerscopeError {
  return new SteerscopeError("FileUnwritable", vscode.l10n.t("This text is read-only."), { remedy });
}

/** The left side of a comparison, which cannot be edited even where its file can. */
function isOriginalSide(uri: vscode.Uri): boolean {
  const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  if (!(input instanceof vscode.TabInputTextDiff)) return false;
  const key = uri.toString();
  return input.original.toString() === key && input.modified.toString() !== key;
}

/** A cell is written with its notebook. */
function fileOf(document: vscode.TextDocument): vscode.Uri {
  if (document.uri.scheme !== "vscode-notebook-cell") return document.uri;
  const notebook = vscode.workspace.notebookDocuments.find((each) =>
    each.getCells().some((cell) => cell.document === document),
  );
  return notebook?.uri ?? document.uri;
}

async function isReadOnlyFile(uri: vscode.Uri, document: vscode.TextDocument): Promise<boolean> {
  if (schemesWithoutFiles.has(uri.scheme)) return false;
  // A file may have been deleted under its editor; that one can still be edited.
  const status = await Promise.resolve(vscode.workspace.fs.stat(uri)).catch(() => undefined);
  if (((status?.permissions ?? 0) & vscode.FilePermission.Readonly) !== 0) return true;
  const files = vscode.workspace.getConfiguration("files", document);
  const matches = (key: string): boolean =>
    Object.entries(files.get<Record<string, boolean>>(key, {})).some(
      ([pattern, isOn]) => isOn && matchesFile(uri, document, pattern),
    );
  if (matches("readonlyExclude")) return false;
  if (matches("readonlyInclude")) return true;
  return (
    files.get<boolean>("readonlyFromPermissions", false) && uri.scheme === "file" && (await isLocked(uri))
  );
}

/** The pattern as VS Code reads it: under the folder of the workspace, or absolute. */
function matchesFile(uri: vscode.Uri, document: vscode.TextDocument, pattern: string): boolean {
  const folder = vscode.workspace.getWorkspaceFolder(uri);
  const scopes = folder === undefined ? [pattern] : [new vscode.RelativePattern(folder, pattern), pattern];
  return scopes.some((scope) => vscode.languages.match({ pattern: scope }, document) > 0);
}

async function isLocked(uri: vscode.Uri): Promise<boolean> {
  try {
    return ((await stat(uri.fsPath)).mode & 0o222) === 0;
  } catch {
    return false;
  }
}
