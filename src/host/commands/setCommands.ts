import * as vscode from "vscode";
import { SteerscopeError } from "../../shared/errors.ts";
import { deleteFile, discardKept, withPlaceKept, type DeletedFile } from "../deletedFiles.ts";
import { offerUndo } from "../exampleEdits.ts";
import { setFromArgument, type ExamplesNode } from "../exampleNodes.ts";
import { setExtension, unsavedText } from "../exampleSetFile.ts";
import type { ExampleSetFile, ExampleSets } from "../exampleSets.ts";
import { requireTrust } from "../notices.ts";
import { askName, pickSet } from "../pickSet.ts";
import { registerCommand } from "../registerCommand.ts";
import type { Services } from "../services.ts";
import {
  fileExists,
  fileNameProblem,
  setsFolder,
  steeringFolderFor,
  writeNewFileSafely,
} from "../steeringFolder.ts";
import { isKeyRequest } from "../views/focusedItem.ts";

/** Commands on whole example sets; `ofKey` is what a key that was pressed in the Examples view is about. */
export function registerSetCommands(
  services: Services,
  ofKey: () => Promise<readonly ExamplesNode[]>,
): vscode.Disposable {
  const { sets } = services;
  /** The set of a menu's item, of another caller or of a key; else the person is asked. */
  const setFor = async (argument: unknown, question: string): Promise<ExampleSetFile> => {
    requireTrust();
    await sets.ready;
    const named = isKeyRequest(argument) ? (await ofKey())[0] : argument;
    if (named === undefined || named === null) return pickSet(sets, question);
    const found = setFromArgument(sets, named);
    if (found !== undefined) return found;
    throw new SteerscopeError("InvalidRequest", vscode.l10n.t("There is no such example set."), {
      remedy: vscode.l10n.t("Choose another example set."),
    });
  };
  return vscode.Disposable.from(
    registerCommand(services, "newSet", (argument?: unknown) => newSet(sets, argument)),
    registerCommand(services, "activateSet", async (argument?: unknown) => {
      const { uri } = await setFor(argument, vscode.l10n.t("New examples go to this set"));
      await sets.setActive(uri);
      return uri.toString();
    }),
    registerCommand(services, "openSet", async (argument?: unknown) =>
      openSet(await setFor(argument, vscode.l10n.t("Example set to open")), lineOf(argument)),
    ),
    registerCommand(services, "renameSet", async (argument?: unknown, name?: unknown) =>
      renameSet(services, await setFor(argument, vscode.l10n.t("Example set to rename")), name),
    ),
    registerCommand(services, "duplicateSet", async (argument?: unknown) =>
      duplicateSet(services, await setFor(argument, vscode.l10n.t("Example set to duplicate"))),
    ),
    registerCommand(services, "deleteSet", async (argument?: unknown, selected?: unknown) => {
      const several = Array.isArray(selected) ? (selected as readonly unknown[]) : [];
      const named = several.flatMap((node) => setFromArgument(sets, node) ?? []);
      const files =
        named.length > 0
          ? [...new Set(named)]
          : [await setFor(argument, vscode.l10n.t("Example set to delete"))];
      requireTrust();
      return deleteSets(services, files);
    }),
  );
}

/** Shows a set's file, at a line (1-based) of it; `preserveFocus`: the view keeps the keyboard. */
export async function openSet(
  { uri }: Pick<ExampleSetFile, "uri">,
  line?: number,
  preserveFocus = false,
): Promise<string> {
  const document = await vscode.workspace.openTextDocument(uri);
  const position = new vscode.Position(Math.max(0, (line ?? 1) - 1), 0);
  await vscode.window.showTextDocument(document, {
    preserveFocus,
    ...(line === undefined ? {} : { selection: new vscode.Range(position, position) }),
  });
  return uri.toString();
}

/** Deletes, and offers to write the very bytes again. */
export async function deleteSets(
  services: Services,
  files: readonly ExampleSetFile[],
): Promise<readonly string[]> {
  const {
    sets,
    context: { globalStorageUri },
    log,
  } = services;
  const wasActive = sets.active()?.uri;
  const deleted: (DeletedFile & { readonly bytes: Uint8Array })[] = [];
  for (const { uri } of files) {
    const bytes = await vscode.workspace.fs.readFile(uri);
    deleted.push({ ...(await deleteFile({ globalStorageUri, log }, uri)), bytes });
  }
  await sets.refresh();
  const sentence =
    files.length === 1
      ? vscode.l10n.t("Deleted the example set {0}.", files[0]!.name)
      : vscode.l10n.t("Deleted {0} example sets.", files.length);
  offerUndo(services, withPlaceKept(sentence, deleted), async () => {
    for (const { uri, bytes } of deleted) {
      // Somebody may have made a set of this name meanwhile: both stay.
      await writeNewFileSafely(folderOf(uri), nameOf(files, uri), setExtension, bytes);
    }
    await discardKept(deleted);
    await sets.refresh();
    if (wasActive !== undefined && sets.get(wasActive) !== undefined) await sets.setActive(wasActive);
  });
  return deleted.map(({ uri }) => uri.toString());
}

async function newSet(sets: ExampleSets, argument: unknown): Promise<string> {
  requireTrust();
  const near = vscode.window.activeTextEditor?.document.uri;
  const given = typeof argument === "string" ? argument : (argument as { name?: unknown } | undefined)?.name;
  // Asked first: without a folder there is nothing to name.
  steeringFolderFor(near);
  const name =
    typeof given === "string" ? given : await askName(vscode.l10n.t("Name of the new example set"), "", near);
  const uri = await sets.create(name, near);
  await sets.present(uri);
  return uri.toString();
}

async function renameSet({ sets }: Services, { uri, name }: ExampleSetFile, given: unknown): Promise<string> {
  const newName =
    typeof given === "string" ? given : await askName(vscode.l10n.t("New name"), name, uri, name);
  if (newName === name) return uri.toString();
  const problem = fileNameProblem(newName);
  const target = vscode.Uri.joinPath(folderOf(uri), `${newName}${setExtension}`);
  // On many disks Happy and happy are one file: that one may be renamed.
  const isSpelling = newName.toLowerCase() === name.toLowerCase();
  if (problem !== undefined || (!isSpelling && (await fileExists(target)))) {
    throw new SteerscopeError(
      "InvalidRequest",
      problem ?? vscode.l10n.t("There is an example set {0} already.", newName),
      { remedy: vscode.l10n.t("Choose another name.") },
    );
  }
  const isActive = sets.active()?.uri.toString() === uri.toString();
  // Through the editor: open tabs follow, with what is unsaved in them.
  const edit = new vscode.WorkspaceEdit();
  edit.renameFile(uri, target, { overwrite: false });
  if (!(await vscode.workspace.applyEdit(edit))) {
    throw new SteerscopeError("FileUnwritable", vscode.l10n.t("{0} cannot be renamed.", name), {
      remedy: vscode.l10n.t("Check that you may write in its folder."),
    });
  }
  await sets.refresh();
  if (isActive) await sets.setActive(target);
  return target.toString();
}

async function duplicateSet({ sets }: Services, { uri, name }: ExampleSetFile): Promise<string> {
  const content = unsavedText(uri) ?? (await vscode.workspace.fs.readFile(uri));
  const copy = vscode.l10n.t("{0}-copy", name);
  const target = await writeNewFileSafely(folderOf(uri), copy, setExtension, content);
  await sets.refresh();
  await sets.present(target);
  return target.toString();
}

function folderOf(uri: vscode.Uri): vscode.Uri {
  return vscode.Uri.joinPath(uri, "..");
}

function nameOf(files: readonly ExampleSetFile[], uri: vscode.Uri): string {
  return files.find((file) => file.uri === uri)?.name ?? setsFolder;
}

function lineOf(argument: unknown): number | undefined {
  const { line } = (argument ?? {}) as { readonly line?: unknown };
  return typeof line === "number" && Number.isSafeInteger(line) && line > 0 ? line : undefined;
}
