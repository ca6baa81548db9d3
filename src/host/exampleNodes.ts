/** What the Examples view's items stand for, and what commands make of the arguments they get. */
import * as vscode from "vscode";
import { examplesOf, type Example, type ExampleLabel } from "../formats/exampleSet.ts";
import type { LineReference } from "../formats/exampleSetEdits.ts";
import { SteerscopeError } from "../shared/errors.ts";
import type { ExampleSetFile, ExampleSets } from "./exampleSets.ts";

export interface SetNode {
  readonly kind: "set";
  readonly uri: vscode.Uri;
}

export interface SideNode {
  readonly kind: "side";
  readonly uri: vscode.Uri;
  readonly label: ExampleLabel;
}

export interface ExampleNode extends LineReference {
  readonly kind: "example";
  readonly uri: vscode.Uri;
  readonly example: Example;
  /** How many lines before it have the same characters. */
  readonly occurrence: number;
}

/** A line that is no example, or a file that cannot be read (line 0). */
export interface ProblemNode {
  readonly kind: "problem";
  readonly uri: vscode.Uri;
  readonly line: number;
  readonly message: string;
}

/** Stands for the examples that a long list does not show. */
export interface MoreNode {
  readonly kind: "more";
  readonly uri: vscode.Uri;
  readonly label: ExampleLabel;
  readonly count: number;
}

export type ExamplesNode = SetNode | SideNode | ExampleNode | ProblemNode | MoreNode;

/** Examples of one set, named as they were when somebody looked. */
export interface ChosenExamples {
  readonly uri: vscode.Uri;
  readonly references: readonly LineReference[];
}

/** An example set named by a tree item, an address or a name; undefined for anything else. */
export function setFromArgument(sets: ExampleSets, argument: unknown): ExampleSetFile | undefined {
  if (argument instanceof vscode.Uri) return sets.get(argument);
  if (typeof argument === "string") {
    return sets.all().find(({ uri, name }) => name === argument || uri.toString() === argument);
  }
  if (typeof argument !== "object" || argument === null) return undefined;
  const { uri, set } = argument as { readonly uri?: unknown; readonly set?: unknown };
  return setFromArgument(sets, uri instanceof vscode.Uri ? uri : typeof set === "string" ? set : undefined);
}

/** The set of an argument, else the active one. Throws InvalidRequest where there is none. */
export function setOrActive(sets: ExampleSets, argument: unknown): ExampleSetFile {
  const isNamed = argument !== undefined && argument !== null;
  const found = setFromArgument(sets, argument) ?? (isNamed ? undefined : sets.active());
  if (found !== undefined) return found;
  throw new SteerscopeError(
    "InvalidRequest",
    isNamed ? vscode.l10n.t("There is no such example set.") : vscode.l10n.t("There is no example set."),
    { remedy: vscode.l10n.t("Add a selection as an example, or run Steering: New Example Set.") },
  );
}

/**
 * The examples that a command is to work on, by set: `clicked` and `selected` as a tree's menu passes them (a click outside
 * the selection means the clicked item alone), `{set, line}` or `{set, lines}` from other callers, and with neither the
 * tree's selection. Throws InvalidRequest when there is none.
 */
export function chosenExamples(
  sets: ExampleSets,
  clicked: unknown,
  selected: unknown,
  selection: readonly ExamplesNode[],
): readonly ChosenExamples[] {
  const inMenu =
    Array.isArray(selected) && selected.length > 0 ? (selected as readonly unknown[]) : [clicked];
  const chosen = new Map<string, { uri: vscode.Uri; references: LineReference[] }>();
  for (const item of clicked === undefined ? selection : inMenu) {
    const references = referencesOf(sets, item);
    if (references === undefined) continue;
    const address = references.uri.toString();
    const group = chosen.get(address) ?? { uri: references.uri, references: [] };
    group.references.push(...references.references);
    chosen.set(address, group);
  }
  if (chosen.size > 0) return [...chosen.values()];
  throw new SteerscopeError("InvalidRequest", vscode.l10n.t("No example is selected."), {
    remedy: vscode.l10n.t("Select examples in the Examples view."),
  });
}

function referencesOf(sets: ExampleSets, item: unknown): ChosenExamples | undefined {
  if (typeof item !== "object" || item === null) return undefined;
  const { kind, uri, line, lines, raw } = item as Partial<ExampleNode> & { readonly lines?: unknown };
  if (kind === "example" && uri !== undefined && line !== undefined && raw !== undefined) {
    return { uri, references: [{ line, raw }] };
  }
  const file = setFromArgument(sets, item);
  if (kind !== undefined || !file?.set) return undefined;
  const wanted = new Set<unknown>(Array.isArray(lines) ? (lines as readonly unknown[]) : [line]);
  const content = file.set;
  const references = examplesOf(content)
    .filter((each) => wanted.has(each.line))
    .map((each) => ({ line: each.line, raw: content.lines[each.line - 1]!.raw }));
  return { uri: file.uri, references };
}
