/** Which model a command is about: named by a caller, clicked in the view, or picked from a list. */
import * as vscode from "vscode";
import { SteerscopeError } from "../../shared/errors.ts";
import type { ModelEntry } from "../modelScan.ts";
import type { Models } from "../models.ts";
import { modelWords, originText } from "../modelText.ts";

/** A reference (catalogue id, folder, graph file), or what the Models view gives. */
export type ModelArgument = string | Pick<ModelEntry, "reference">;

export function referenceIn(argument: ModelArgument): string {
  return typeof argument === "string" ? argument : argument.reference;
}

/** Throws ModelNotFound. */
export async function requireModel(models: Models, argument: ModelArgument): Promise<ModelEntry> {
  const reference = referenceIn(argument);
  const entry = await models.get(reference);
  if (entry !== undefined) return entry;
  throw new SteerscopeError("ModelNotFound", vscode.l10n.t("There is no model {0}.", reference), {
    remedy: vscode.l10n.t("Refresh the Models view, or add the folder that holds it."),
  });
}

/** Lets a person choose; undefined where they do not. Throws ModelNotFound where there is nothing to choose from. */
export async function pickModel(
  models: Models,
  title: string,
  filter: (entry: ModelEntry) => boolean = () => true,
): Promise<ModelEntry | undefined> {
  const entries = (await models.all()).filter(filter);
  if (entries.length === 0) {
    throw new SteerscopeError("ModelNotFound", vscode.l10n.t("There is no such model."), {
      remedy: vscode.l10n.t("Look at the Models view for what there is."),
    });
  }
  const selected = models.selected();
  const groups = new Map<string, ModelEntry[]>();
  for (const entry of entries) {
    const group = originText(entry.origin);
    groups.set(group, [...(groups.get(group) ?? []), entry]);
  }
  const items = [...groups].flatMap(([group, members]): (vscode.QuickPickItem & { entry?: ModelEntry })[] => [
    { label: group, kind: vscode.QuickPickItemKind.Separator },
    ...members.map((entry) => ({
      label: entry.name,
      description: modelWords(entry, models.stateOf(entry), entry.reference === selected).join(" · "),
      detail: [entry.licence, entry.note].filter((text) => text !== null).join(" · "),
      entry,
    })),
  ]);
  const picked = await vscode.window.showQuickPick(items, {
    title,
    matchOnDescription: true,
    matchOnDetail: true,
  });
  return picked?.entry;
}
