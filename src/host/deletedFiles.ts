/** Deleting so that nothing is lost: to the trash, and where there is none into a folder of the extension. */
import { posix } from "node:path";
import * as vscode from "vscode";
import { SteerscopeError } from "../shared/errors.ts";
import { deletedName, surplusNames } from "./deletedNames.ts";
import { workspacePath } from "./steeringFolder.ts";

/** A set or a vector has some kilobytes to some megabytes. */
const maxKept = 100;

/** A file that is no longer at its place. */
export interface DeletedFile {
  readonly uri: vscode.Uri;
  /** The copy that is kept; null: it is in the trash. */
  readonly kept: vscode.Uri | null;
}

/**
 * Deletes a file to the trash. Where that fails (VS Code on a server has none) it is moved to the folder `deleted` of the
 * extension's storage, which holds the newest 100. Throws FileUnwritable, and then the file is where it was.
 */
export async function deleteFile(
  { globalStorageUri, log }: { readonly globalStorageUri: vscode.Uri; readonly log: vscode.LogOutputChannel },
  uri: vscode.Uri,
): Promise<DeletedFile> {
  try {
    await vscode.workspace.fs.delete(uri, { useTrash: true });
    return { uri, kept: null };
  } catch (error) {
    log.info(`No trash for ${workspacePath(uri)}: ${String(error)}`);
  }
  const folder = vscode.Uri.joinPath(globalStorageUri, "deleted");
  try {
    const names = await namesIn(folder);
    const kept = vscode.Uri.joinPath(folder, deletedName(posix.basename(uri.path), new Date(), names));
    await vscode.workspace.fs.copy(uri, kept);
    await vscode.workspace.fs.delete(uri);
    const surplus = surplusNames([...names, posix.basename(kept.path)], maxKept);
    await Promise.allSettled(
      surplus.map((name) => vscode.workspace.fs.delete(vscode.Uri.joinPath(folder, name))),
    );
    return { uri, kept };
  } catch (error) {
    throw new SteerscopeError("FileUnwritable", vscode.l10n.t("{0} cannot be deleted.", workspacePath(uri)), {
      remedy: vscode.l10n.t("Check that you may write in its folder."),
      detail: String(error),
    });
  }
}

/** `sentence`, and where the files are kept that are in no trash. */
export function withPlaceKept(sentence: string, deleted: readonly DeletedFile[]): string {
  const [kept] = deleted.flatMap((file) => file.kept ?? []);
  if (kept === undefined) return sentence;
  const folder = vscode.Uri.joinPath(kept, "..");
  const place = folder.scheme === "file" ? folder.fsPath : folder.toString();
  return `${sentence} ${vscode.l10n.t("There is no trash here: kept for you in {0}", place)}`;
}

/** Forgets the kept copies, once the files are back. */
export async function discardKept(deleted: readonly DeletedFile[]): Promise<void> {
  const copies = deleted.flatMap(({ kept }) => kept ?? []);
  await Promise.allSettled(copies.map((copy) => vscode.workspace.fs.delete(copy)));
}

async function namesIn(folder: vscode.Uri): Promise<readonly string[]> {
  await vscode.workspace.fs.createDirectory(folder);
  return (await vscode.workspace.fs.readDirectory(folder)).map(([name]) => name);
}
