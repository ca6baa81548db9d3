/**
 * The folder of example sets, vectors and experiments in each workspace folder. Local files are written so that a crash
 * leaves the old file or the new one; other file systems through VS Code.
 */
import { dirname, posix } from "node:path";
import * as vscode from "vscode";
import { makeFolder, writeFileAtomically, writeNewFileAtomically } from "../client/files.ts";
import { SteerscopeError } from "../shared/errors.ts";
import { settings } from "./settings.ts";

export const setsFolder = "sets";
export const vectorsFolder = "vectors";

/** The steering folders of the workspace, one a workspace folder, whether or not they exist yet. */
export function steeringFolders(): readonly vscode.Uri[] {
  return (vscode.workspace.workspaceFolders ?? []).map(({ uri }) =>
    vscode.Uri.joinPath(uri, settings.folder(uri)),
  );
}

/** Where something new goes: the workspace folder of `near`, else the first. Throws InvalidRequest without a folder. */
export function steeringFolderFor(near?: vscode.Uri): vscode.Uri {
  const folder =
    (near && vscode.workspace.getWorkspaceFolder(near)) ?? vscode.workspace.workspaceFolders?.[0];
  if (folder === undefined) {
    throw new SteerscopeError("InvalidRequest", vscode.l10n.t("No folder is open."), {
      remedy: vscode.l10n.t("Open a folder; example sets and vectors are files in it."),
    });
  }
  return vscode.Uri.joinPath(folder.uri, settings.folder(folder.uri));
}

/** Writes a file whole or not at all. Throws FileUnwritable. */
export async function writeFileSafely(uri: vscode.Uri, data: Uint8Array | string): Promise<void> {
  if (uri.scheme === "file") {
    await makeFolder(dirname(uri.fsPath)).catch((error: unknown) => {
      throw unwritable(uri, error);
    });
    await writeFileAtomically(uri.fsPath, data);
    return;
  }
  try {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    await vscode.workspace.fs.writeFile(uri, bytes);
  } catch (error) {
    throw unwritable(uri, error);
  }
}

/**
 * Writes a file under a name that none in `folder` has: `name`, `name-2`, ...; `extension` with its dot. Two windows that
 * do so at once get two files. Throws FileUnwritable.
 */
export async function writeNewFileSafely(
  folder: vscode.Uri,
  name: string,
  extension: string,
  data: Uint8Array | string,
): Promise<vscode.Uri> {
  for (let number = 1; ; number++) {
    const uri = vscode.Uri.joinPath(folder, `${number === 1 ? name : `${name}-${number}`}${extension}`);
    if (await fileExists(uri)) continue;
    if (uri.scheme !== "file") {
      await writeFileSafely(uri, data);
      return uri;
    }
    await makeFolder(folder.fsPath).catch((error: unknown) => {
      throw unwritable(uri, error);
    });
    if (await writeNewFileAtomically(uri.fsPath, data)) return uri;
  }
}

/** Whether there is something at `uri`. */
export async function fileExists(uri: vscode.Uri): Promise<boolean> {
  return vscode.workspace.fs.stat(uri).then(
    () => true,
    () => false,
  );
}

function unwritable(uri: vscode.Uri, error: unknown): SteerscopeError {
  return new SteerscopeError("FileUnwritable", vscode.l10n.t("{0} cannot be written.", uri.path), {
    detail: String(error),
  });
}

/** Why `name` cannot be a file name here, as a sentence for an input box; undefined where it can. */
export function fileNameProblem(name: string): string | undefined {
  if (name.trim() === "") return vscode.l10n.t("Give a name.");
  if (name.length > 100) return vscode.l10n.t("A name has at most 100 characters.");
  // Windows' rules everywhere: a workspace travels.
  if (/[<>:"/\\|?*\u0000-\u001f]/.test(name) || /^\.|[. ]$|^ /.test(name)) {
    return vscode.l10n.t(
      'A name cannot contain < > : " / \\ | ? *, nor begin with a dot, nor end with a dot or a space.',
    );
  }
  if (/^(con|prn|aux|nul|com\d|lpt\d)$/i.test(name))
    return vscode.l10n.t("This name is reserved on Windows.");
  return undefined;
}

/** Watches one kind of file in all steering folders; `changed` also fires when workspace folders or the setting change. */
export function watchSteeringFiles(
  subfolder: string,
  pattern: string,
  changed: (uri?: vscode.Uri) => void,
): vscode.Disposable {
  let watchers: vscode.Disposable[] = [];
  const watch = (): void => {
    for (const watcher of watchers) watcher.dispose();
    watchers = (vscode.workspace.workspaceFolders ?? []).flatMap((folder) => {
      const glob = posix.join(settings.folder(folder.uri).replaceAll("\\", "/"), subfolder, pattern);
      const watcher = vscode.workspace.createFileSystemWatcher(new vscode.RelativePattern(folder, glob));
      return [
        watcher,
        watcher.onDidChange(changed),
        watcher.onDidCreate(changed),
        watcher.onDidDelete(changed),
      ];
    });
  };
  watch();
  const again = (): void => {
    watch();
    changed();
  };
  return vscode.Disposable.from(
    vscode.workspace.onDidChangeWorkspaceFolders(again),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (settings.isChanged(event, "folder")) again();
    }),
    {
      dispose: () => {
        for (const watcher of watchers) watcher.dispose();
      },
    },
  );
}

/** A file's path inside its workspace folder, with forward slashes; its whole address where it is in none. */
export function workspacePath(uri: vscode.Uri): string {
  return vscode.workspace.getWorkspaceFolder(uri) === undefined
    ? uri.toString()
    : vscode.workspace
        .asRelativePath(uri, (vscode.workspace.workspaceFolders?.length ?? 0) > 1)
        .replaceAll("\\", "/");
}

/** The inverse of `workspacePath`; undefined where nothing fits. */
export function fromWorkspacePath(path: string): vscode.Uri | undefined {
  if (/^[a-z][a-z0-9+.-]+:/i.test(path)) return vscode.Uri.parse(path);
  const folders = vscode.workspace.workspaceFolders ?? [];
  if (folders.length > 1) {
    const named = folders.find(({ name }) => path.startsWith(`${name}/`));
    if (named !== undefined) return vscode.Uri.joinPath(named.uri, path.slice(named.name.length + 1));
  }
  const [first] = folders;
  return first === undefined ? undefined : vscode.Uri.joinPath(first.uri, path);
}
