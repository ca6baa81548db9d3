/** Which vectors a command is about: what it was given, what is selected in the view, or what the person picks. */
import * as vscode from "vscode";
import { SteerscopeError } from "../shared/errors.ts";
import { isKeyRequest } from "./views/focusedItem.ts";
import { modelNameOf, type VectorEntry, type Vectors } from "./vectors.ts";

/** What commands take for a vector: its address, the address as text, its name, or an item of the view. */
export type VectorArgument = vscode.Uri | string | { readonly uri: vscode.Uri };

interface Choice {
  /** Title of the list that is shown where nothing was given or selected. */
  readonly title: string;
  /** Also files that cannot be read. */
  readonly unreadable?: boolean;
}

/**
 * The vectors that a command is about, at least one; undefined when the person picks none. `args` are those of the
 * command: VS Code gives the item and all selected items. Throws InvalidRequest for a vector that does not exist.
 */
export async function chooseVectors(
  vectors: Vectors,
  args: readonly unknown[],
  choice: Choice,
): Promise<readonly VectorEntry[] | undefined> {
  await vectors.ready;
  const [argument, selection] = args;
  if (isKeyRequest(argument)) {
    const entries = await vectors.ofKey();
    if (entries.length > 0) return entries.map((entry) => usable(entry, choice));
    const chosen = await pickVector(vectors, choice);
    return chosen === undefined ? undefined : [chosen];
  }
  const given = Array.isArray(selection) && selection.length > 0 ? (selection as unknown[]) : [argument];
  if (given[0] !== undefined && given[0] !== null) {
    return given.map((each) => usable(findVector(vectors, each), choice));
  }
  const selected = vectors.selected();
  if (selected.length > 0) return selected.map((entry) => usable(entry, choice));
  const picked = await pickVector(vectors, choice);
  return picked === undefined ? undefined : [picked];
}

/** As `chooseVectors`, for commands about one. */
export async function chooseVector(
  vectors: Vectors,
  args: readonly unknown[],
  choice: Choice,
): Promise<VectorEntry | undefined> {
  return (await chooseVectors(vectors, args.slice(0, 1), choice))?.[0];
}

/** `column` (1-based): where somebody wrote the name. Throws InvalidRequest. */
export function findVector(vectors: Vectors, argument: unknown, column?: number): VectorEntry {
  const entry = vectors.all().find((candidate) => isMeant(candidate, argument));
  if (entry !== undefined) return entry;
  throw new SteerscopeError("InvalidRequest", missingText(argument, column), {
    remedy: vscode.l10n.t("Choose one of the Vectors view."),
    detail: String(argument),
  });
}

function missingText(argument: unknown, column: number | undefined): string {
  if (typeof argument !== "string") return vscode.l10n.t("There is no such vector.");
  return column === undefined
    ? vscode.l10n.t('There is no vector "{0}".', argument)
    : vscode.l10n.t('There is no vector "{0}" (column {1}).', argument, column);
}

function isMeant({ uri, name }: VectorEntry, argument: unknown): boolean {
  if (typeof argument === "string") return name === argument || uri.toString() === argument;
  const given = argument instanceof vscode.Uri ? argument : (argument as { uri?: unknown }).uri;
  return given instanceof vscode.Uri && given.toString() === uri.toString();
}

function usable(entry: VectorEntry, { unreadable }: Choice): VectorEntry {
  if (entry.problem !== null && unreadable !== true) throw entry.problem;
  return entry;
}

async function pickVector(vectors: Vectors, { title, unreadable }: Choice): Promise<VectorEntry | undefined> {
  const entries = vectors.all().filter(({ file }) => file !== null || unreadable === true);
  if (entries.length === 0) {
    throw new SteerscopeError("InvalidRequest", vscode.l10n.t("There is no vector yet."), {
      remedy: vscode.l10n.t("Compute one from an example set."),
    });
  }
  const current = vectors.current();
  // The current one first: Enter takes it.
  const sorted = [...entries].sort((a, b) => Number(b === current) - Number(a === current));
  const picked = await vscode.window.showQuickPick(
    sorted.map((entry) => ({ label: entry.name, description: modelNameOf(entry) ?? "", entry })),
    { title, placeHolder: vscode.l10n.t("Vector") },
  );
  return picked?.entry;
}
