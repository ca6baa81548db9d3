/** Edits of sets that a message offers to take back. */
import * as vscode from "vscode";
import type { ExampleLabel, ExampleSet } from "../formats/exampleSet.ts";
import {
  appendLines,
  locateLines,
  moveToSide,
  requireLines,
  takeLines,
  traceEdit,
  undoEdit,
  type EditTrace,
  type LineReference,
} from "../formats/exampleSetEdits.ts";
import { SteerscopeError } from "../shared/errors.ts";
import type { ChosenExamples } from "./exampleNodes.ts";
import type { Services } from "./services.ts";

type EditServices = Pick<Services, "sets" | "notices">;

/** Says what was done, with a button that undoes it; does not wait for the person. */
export function offerUndo({ notices }: EditServices, sentence: string, undo: () => Promise<unknown>): void {
  void notices.guard(async () => {
    const title = vscode.l10n.t("Undo");
    if ((await vscode.window.showInformationMessage(sentence, title)) === title) await undo();
  });
}

/**
 * Edits chosen examples, set by set, each with the numbers of the lines where they are now, and offers to undo the whole.
 * Throws what `edit` throws, and InvalidRequest when the examples are gone.
 */
export async function editExamples(
  services: EditServices,
  chosen: readonly ChosenExamples[],
  edit: (set: ExampleSet, lines: readonly number[]) => ExampleSet,
  sentence: (count: number) => string,
): Promise<number> {
  const undos: (() => Promise<unknown>)[] = [];
  let count = 0;
  for (const { uri, references } of chosen) {
    let lines: readonly number[] = [];
    const trace = await tracedChange(services, uri, (set) => {
      lines = requireLines(set, references, vscode.l10n);
      return edit(set, lines);
    });
    count += lines.length;
    undos.push(() => takeBack(services, uri, trace));
  }
  offerUndo(services, sentence(count), async () => {
    for (const undo of undos) await undo();
  });
  return count;
}

/**
 * Moves examples into another set, to the side `label` or their own; they are written there before they are taken out here, so that a crash between doubles
 * them and loses none. Throws InvalidRequest when they are gone.
 */
export async function moveToSet(
  services: EditServices,
  { uri, references }: ChosenExamples,
  target: vscode.Uri,
  label?: ExampleLabel,
): Promise<{ readonly count: number; readonly undo: () => Promise<void> }> {
  const { sets } = services;
  const source = sets.get(uri)?.set;
  if (!source) throw gone();
  const lines = requireLines(source, references, vscode.l10n);
  const now: readonly LineReference[] = lines.map((line) => ({ line, raw: source.lines[line - 1]!.raw }));
  const { taken } = takeLines(source, lines);
  const added = await tracedChange(services, target, (set) => {
    const appended = appendLines(set, taken);
    if (label === undefined) return appended;
    const firstNew = set.lines.length + 1;
    return moveToSide(
      appended,
      taken.map((_, index) => firstNew + index),
      label,
    );
  });
  const removed = await tracedChange(services, uri, (set) => takeLines(set, locateLines(set, now)).rest);
  return {
    count: lines.length,
    undo: async () => {
      await takeBack(services, uri, removed);
      await takeBack(services, target, added);
    },
  };
}

async function tracedChange(
  { sets }: EditServices,
  uri: vscode.Uri,
  edit: (set: ExampleSet) => ExampleSet,
): Promise<EditTrace> {
  let trace: EditTrace = { removed: [], added: [] };
  await sets.change(uri, (set) => {
    const after = edit(set);
    trace = traceEdit(set, after);
    return after;
  });
  return trace;
}

async function takeBack({ sets }: EditServices, uri: vscode.Uri, trace: EditTrace): Promise<void> {
  await sets.change(uri, (set) => undoEdit(set, trace));
}

function gone(): SteerscopeError {
  return new SteerscopeError("InvalidRequest", vscode.l10n.t("The examples are no longer there."), {
    remedy: vscode.l10n.t("Choose them again."),
  });
}
