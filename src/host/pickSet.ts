import * as vscode from "vscode";
import { SteerscopeError } from "../shared/errors.ts";
import type { ExampleSetFile, ExampleSets } from "./exampleSets.ts";
import { setExtension } from "./exampleSetFile.ts";
import {
  fileExists,
  fileNameProblem,
  setsFolder,
  steeringFolderFor,
  workspacePath,
} from "./steeringFolder.ts";

/** Asks for a set, the active one first. Throws Cancelled, and InvalidRequest where there is none. */
export async function pickSet(sets: ExampleSets, placeHolder: string): Promise<ExampleSetFile> {
  const all = sets.all();
  if (all.length === 0) {
    throw new SteerscopeError("InvalidRequest", vscode.l10n.t("There is no example set."), {
      remedy: vscode.l10n.t("Run Steering: New Example Set."),
    });
  }
  const items = setItems(sets);
  const chosen = await vscode.window.showQuickPick(items, { placeHolder, matchOnDescription: true });
  if (chosen === undefined) throw cancelled();
  return chosen.file;
}

export interface SetItem extends vscode.QuickPickItem {
  readonly file: ExampleSetFile;
}

/** The sets for a quick pick, the active one first. */
function setItems(sets: ExampleSets): readonly SetItem[] {
  const active = sets.active();
  const others = sets.all().filter((file) => file !== active);
  return [...(active === undefined ? [] : [active]), ...others].map((file) => ({
    file,
    label: file.name,
    description: file === active ? vscode.l10n.t("active") : workspacePath(file.uri),
  }));
}

/** Asks for a set or a new one, which is made. Throws Cancelled. */
export async function pickOrCreateSet(
  sets: ExampleSets,
  placeHolder: string,
  newName: string,
  near?: vscode.Uri,
): Promise<vscode.Uri> {
  const create = { label: vscode.l10n.t("$(add) New example set…"), file: undefined };
  const chosen = await vscode.window.showQuickPick([...setItems(sets), create], { placeHolder });
  if (chosen === undefined) throw cancelled();
  if (chosen.file !== undefined) return chosen.file.uri;
  return sets.create(await askName(vscode.l10n.t("Name of the new example set"), newName, near), near);
}

/** Asks for a set's name that is possible and free in the folder of `near`; `value` itself counts as free. Throws Cancelled. */
export async function askName(
  prompt: string,
  value: string,
  near?: vscode.Uri,
  own?: string,
): Promise<string> {
  const folder = vscode.Uri.joinPath(steeringFolderFor(near), setsFolder);
  const name = await vscode.window.showInputBox({
    prompt,
    value,
    validateInput: async (text) => {
      const problem = fileNameProblem(text);
      if (problem !== undefined || text === own) return problem;
      const isTaken = await fileExists(vscode.Uri.joinPath(folder, `${text}${setExtension}`));
      return isTaken && text.toLowerCase() !== own?.toLowerCase()
        ? vscode.l10n.t("There is an example set {0} already.", text)
        : undefined;
    },
  });
  if (name === undefined) throw cancelled();
  return name;
}

/** What the person chose not to do. */
export function cancelled(): SteerscopeError {
  return new SteerscopeError("Cancelled", vscode.l10n.t("Cancelled."));
}
