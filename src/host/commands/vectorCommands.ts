/** Commands on vector files. Each takes the vector as its first argument; without one, the view's selection or a list. */
import * as vscode from "vscode";
import { deleteFile, discardKept, withPlaceKept, type DeletedFile } from "../deletedFiles.ts";
import { vectorEditorType } from "../ids.ts";
import { requireTrust } from "../notices.ts";
import { registerCommand } from "../registerCommand.ts";
import type { Services } from "../services.ts";
import { fileNameProblem, workspacePath } from "../steeringFolder.ts";
import { chooseVector, chooseVectors, type VectorArgument } from "../vectorChoice.ts";
import { readVectorBytes } from "../vectorReader.ts";
import { defaultSwitch, type VectorSwitch } from "../vectorSwitches.ts";
import { isVectorFile, type VectorEntry } from "../vectors.ts";
import { registerAlgebraCommands } from "./vectorAlgebraCommands.ts";
import { registerSteeringCommands } from "./vectorSteeringCommands.ts";

export function registerVectorCommands(services: Services): vscode.Disposable {
  const { vectors } = services;
  return vscode.Disposable.from(
    registerAlgebraCommands(services),
    registerSteeringCommands(services),
    registerCommand(services, "openVector", async (argument?: VectorArgument, options?: unknown) => {
      requireTrust();
      // A vector file outside the steering folder can be looked at, too.
      const uri = isVectorFile(argument) ? argument : await chosenUri(services, argument);
      if (uri === undefined) return undefined;
      if (vectors.get(uri) !== undefined) vectors.setCurrent(uri);
      const preserveFocus = (options as { preserveFocus?: unknown } | undefined)?.preserveFocus === true;
      await vscode.commands.executeCommand("vscode.openWith", uri, vectorEditorType, {
        preview: true,
        preserveFocus,
      });
      return uri.toString();
    }),
    registerCommand(services, "renameVector", async (argument?: VectorArgument, name?: unknown) => {
      requireTrust();
      const title = vscode.l10n.t("Rename Vector");
      const entry = await chooseVector(vectors, [argument], { title, unreadable: true });
      if (entry === undefined) return undefined;
      // The second argument is the name, or what VS Code gives for a selection.
      const newName = typeof name === "string" ? name : await askName(title, entry, vectors.all());
      if (newName === undefined) return undefined;
      const uri = await vectors.rename(entry.uri, newName);
      vectors.show(uri);
      return uri.toString();
    }),
    registerCommand(services, "deleteVector", async (...args: unknown[]) => {
      requireTrust();
      const title = vscode.l10n.t("Delete Vector");
      const entries = await chooseVectors(vectors, args, { title, unreadable: true });
      return entries === undefined ? undefined : deleteVectors(services, entries);
    }),
    registerCommand(services, "duplicateVector", async (...args: unknown[]) => {
      requireTrust();
      const title = vscode.l10n.t("Duplicate Vector");
      const copies: string[] = [];
      for (const { uri, name } of (await chooseVectors(vectors, args, { title })) ?? []) {
        const copy = await vectors.write(name, await readVectorBytes(uri), uri);
        vectors.show(copy);
        copies.push(copy.toString());
      }
      return copies;
    }),
    registerCommand(services, "revealVector", async (argument?: VectorArgument) => {
      requireTrust();
      const title = vscode.l10n.t("Reveal Vector in Explorer");
      const entry = await chooseVector(vectors, [argument], { title, unreadable: true });
      if (entry === undefined) return undefined;
      await vscode.commands.executeCommand("revealInExplorer", entry.uri);
      return entry.uri.toString();
    }),
    registerCommand(services, "copyVectorPath", async (...args: unknown[]) => {
      requireTrust();
      const title = vscode.l10n.t("Copy Path of Vector");
      const entries = await chooseVectors(vectors, args, { title, unreadable: true });
      if (entries === undefined) return undefined;
      const paths = entries.map(({ uri }) => (uri.scheme === "file" ? uri.fsPath : uri.toString()));
      await vscode.env.clipboard.writeText(paths.join("\n"));
      return paths;
    }),
  );
}

async function chosenUri(
  { vectors }: Services,
  argument: VectorArgument | undefined,
): Promise<vscode.Uri | undefined> {
  const title = vscode.l10n.t("Show Vector Details");
  return (await chooseVector(vectors, [argument], { title, unreadable: true }))?.uri;
}

async function askName(
  title: string,
  { name, uri }: VectorEntry,
  all: readonly VectorEntry[],
): Promise<string | undefined> {
  const folder = vscode.Uri.joinPath(uri, "..").toString();
  const taken = all
    .filter((other) => other.name !== name && vscode.Uri.joinPath(other.uri, "..").toString() === folder)
    .map((other) => other.name);
  return vscode.window.showInputBox({
    title,
    value: name,
    prompt: vscode.l10n.t("New name"),
    validateInput: (value) =>
      taken.includes(value)
        ? vscode.l10n.t('There is a vector "{0}" already.', value)
        : fileNameProblem(value),
  });
}

/** With an Undo that also works where there is no trash. Returns the addresses. */
async function deleteVectors(
  { vectors, notices, context: { globalStorageUri }, log }: Services,
  entries: readonly VectorEntry[],
): Promise<readonly string[]> {
  const deleted: (DeletedFile & {
    readonly bytes: Uint8Array | undefined;
    readonly state: VectorSwitch;
  })[] = [];
  for (const entry of entries) {
    const { uri } = entry;
    // A file that is too large to be read is brought back by hand.
    const bytes = await readVectorBytes(uri).catch(() => undefined);
    const state = vectors.switchOf(entry);
    const file = await deleteFile({ globalStorageUri, log }, uri);
    // Another vector that gets this name must not steer because this one did.
    await vectors.apply(uri, defaultSwitch);
    deleted.push({ ...file, bytes, state });
  }
  await vectors.refresh();
  const [first] = entries;
  const message =
    entries.length === 1 && first !== undefined
      ? vscode.l10n.t("{0} was deleted.", workspacePath(first.uri))
      : vscode.l10n.t("{0} vectors were deleted.", entries.length);
  const undo = async (): Promise<void> => {
    for (const { uri, bytes, state } of deleted) {
      if (bytes !== undefined) await vectors.apply(await vectors.restore(uri, bytes), state);
    }
    await discardKept(deleted);
  };
  const canUndo = deleted.every(({ bytes }) => bytes !== undefined);
  const told = withPlaceKept(message, deleted);
  void notices.showInformation(told, canUndo ? [{ title: vscode.l10n.t("Undo"), run: undo }] : []);
  return deleted.map(({ uri }) => uri.toString());
}
