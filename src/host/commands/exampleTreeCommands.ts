import * as vscode from "vscode";
import type { Example, ExampleLabel } from "../../formats/exampleSet.ts";
import {
  locateLines,
  moveToSide,
  pairLines,
  requireLines,
  takeLines,
  unpairLines,
} from "../../formats/exampleSetEdits.ts";
import { SteerscopeError } from "../../shared/errors.ts";
import type { OriginTracker } from "../editor/originTracker.ts";
import { editExamples, moveToSet, offerUndo } from "../exampleEdits.ts";
import { chosenExamples, setFromArgument, type ChosenExamples, type ExamplesNode } from "../exampleNodes.ts";
import { requireTrust } from "../notices.ts";
import { pickOrCreateSet } from "../pickSet.ts";
import { registerCommand } from "../registerCommand.ts";
import type { Services } from "../services.ts";
import type { RevealOptions } from "../views/exampleItems.ts";
import { isKeyRequest } from "../views/focusedItem.ts";
import { deleteSets, openSet, registerSetCommands } from "./setCommands.ts";

/** What the Examples view knows of itself. */
export interface ExamplesViewState {
  readonly selection: () => readonly ExamplesNode[];
  /** What a key that was pressed in it is about. */
  readonly ofKey: () => Promise<readonly ExamplesNode[]>;
}

/** Commands on items of the Examples view, which get the clicked item and the selected ones, or nothing, or a key's request. */
export function registerExampleTreeCommands(
  services: Services,
  tracker: OriginTracker,
  { selection, ofKey }: ExamplesViewState,
): vscode.Disposable {
  const { sets } = services;
  const chosen = async (clicked: unknown, selected: unknown): Promise<readonly ChosenExamples[]> => {
    requireTrust();
    return isKeyRequest(clicked)
      ? chosenExamples(sets, undefined, undefined, await ofKey())
      : chosenExamples(sets, clicked, selected, selection());
  };
  return vscode.Disposable.from(
    registerSetCommands(services, ofKey),
    registerCommand(
      services,
      "revealExample",
      async (clicked?: unknown, selected?: unknown, more?: unknown) =>
        reveal(
          services,
          tracker,
          first(await chosen(clicked, selected)),
          (more as RevealOptions | undefined)?.preserveFocus === true,
        ),
    ),
    registerCommand(services, "editExample", async (clicked?: unknown, selected?: unknown) =>
      editText(services, first(await chosen(clicked, selected))),
    ),
    registerCommand(services, "copyExample", async (clicked?: unknown, selected?: unknown) => {
      const texts = examplesOfChosen(services, await chosen(clicked, selected)).map(({ text }) => text);
      await vscode.env.clipboard.writeText(texts.join("\n"));
      return texts;
    }),
    registerCommand(services, "removeExample", async (clicked?: unknown, selected?: unknown) => {
      requireTrust();
      const nodes = isKeyRequest(clicked) ? await ofKey() : clicked === undefined ? selection() : [];
      // The delete key on a set means the set.
      const selectedSets = nodes.flatMap((node) => (node.kind === "set" ? [node] : []));
      if (selectedSets.length > 0) {
        await deleteSets(
          services,
          selectedSets.flatMap((node) => setFromArgument(sets, node) ?? []),
        );
        return 0;
      }
      return editExamples(
        services,
        nodes.length > 0
          ? chosenExamples(sets, undefined, undefined, nodes)
          : await chosen(clicked, selected),
        (set, lines) => takeLines(set, lines).rest,
        (count) =>
          count === 1 ? vscode.l10n.t("Removed an example.") : vscode.l10n.t("Removed {0} examples.", count),
      );
    }),
    registerCommand(services, "moveExample", async (clicked?: unknown, selected?: unknown, label?: unknown) =>
      moveBetweenSides(services, await chosen(clicked, selected), isLabel(label) ? label : "other"),
    ),
    registerCommand(
      services,
      "moveExampleToSet",
      async (clicked?: unknown, selected?: unknown, target?: unknown) =>
        moveElsewhere(services, await chosen(clicked, selected), target),
    ),
    registerCommand(services, "pairExamples", async (clicked?: unknown, selected?: unknown) => {
      const examples = oneSet(await chosen(clicked, selected));
      let pairs: readonly string[] = [];
      await editExamples(
        services,
        [examples],
        (set, lines) => {
          const paired = pairLines(set, lines, vscode.l10n);
          pairs = paired.pairs;
          return paired.set;
        },
        () => vscode.l10n.t("Paired: {0}.", pairs.join(", ")),
      );
      return pairs;
    }),
    registerCommand(services, "unpairExamples", async (clicked?: unknown, selected?: unknown) =>
      editExamples(services, await chosen(clicked, selected), unpairLines, (count) =>
        vscode.l10n.t("Unpaired: {0}.", count),
      ),
    ),
  );
}

/** To the side `label`, or each to its other side, with an offer to undo. */
export function moveBetweenSides(
  services: Services,
  chosen: readonly ChosenExamples[],
  label: ExampleLabel | "other",
): Promise<number> {
  return editExamples(
    services,
    chosen,
    (set, lines) => moveToSide(set, lines, label),
    (count) =>
      count === 1
        ? vscode.l10n.t("Moved an example to the other side.")
        : vscode.l10n.t("Moved {0} examples to the other side.", count),
  );
}

/** Moves examples of any sets into one, to the side `label` or their own, with an offer to undo. */
export async function moveAll(
  services: Services,
  chosen: readonly ChosenExamples[],
  target: vscode.Uri,
  label?: ExampleLabel,
): Promise<number> {
  let count = 0;
  const undos: (() => Promise<void>)[] = [];
  for (const examples of chosen.filter(({ uri }) => uri.toString() !== target.toString())) {
    const moved = await moveToSet(services, examples, target, label);
    count += moved.count;
    undos.push(moved.undo);
  }
  if (count === 0) return 0;
  const name = services.sets.get(target)?.name ?? "";
  const sentence =
    count === 1
      ? vscode.l10n.t("Moved an example to {0}.", name)
      : vscode.l10n.t("Moved {0} examples to {1}.", count, name);
  offerUndo(services, sentence, async () => {
    for (const undo of undos.reverse()) await undo();
  });
  return count;
}

async function moveElsewhere(
  services: Services,
  chosen: readonly ChosenExamples[],
  target: unknown,
): Promise<number> {
  const { sets } = services;
  const given = target === undefined ? undefined : setFromArgument(sets, target);
  if (target !== undefined && given === undefined) {
    throw new SteerscopeError("InvalidRequest", vscode.l10n.t("There is no such example set."), {
      remedy: vscode.l10n.t("Choose another example set."),
    });
  }
  const uri = given?.uri ?? (await pickOrCreateSet(sets, vscode.l10n.t("Move to"), "", chosen[0]!.uri));
  return moveAll(services, chosen, uri);
}

/** Shows where an example came from; its line in the set's file where it came from nowhere. */
async function reveal(
  services: Services,
  tracker: OriginTracker,
  { uri, references }: ChosenExamples,
  preserveFocus: boolean,
): Promise<string> {
  const { example, line } = currentExample(services, { uri, references });
  if (example.source === undefined) return openSet({ uri }, line, preserveFocus);
  const found = await tracker.locate(uri, example).catch((error: unknown) => {
    throw new SteerscopeError(
      "FileUnreadable",
      vscode.l10n.t("The file that the example came from cannot be opened: {0}", example.source!.uri),
      {
        remedy: vscode.l10n.t("It may have been moved or deleted; the example itself is in its set."),
        detail: String(error),
      },
    );
  });
  if (found === undefined) return openSet({ uri }, line, preserveFocus);
  const { document, range, isStale } = found;
  await vscode.window.showTextDocument(document, {
    preserveFocus,
    preview: true,
    ...(range === null ? {} : { selection: range }),
  });
  if (isStale) {
    vscode.window.setStatusBarMessage(
      `$(warning) ${vscode.l10n.t("The text has changed since it became an example.")}`,
      6000,
    );
  }
  return document.uri.toString();
}

/** Opens the set's file with the text of the example selected, as it is written there. */
async function editText(services: Services, chosen: ChosenExamples): Promise<string> {
  const { line } = currentExample(services, chosen);
  await openSet({ uri: chosen.uri }, line);
  const editor = vscode.window.activeTextEditor;
  const raw = editor?.document.lineAt(line - 1).text ?? "";
  const written = /"text"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(raw);
  if (editor !== undefined && written !== null) {
    const end = written.index + written[0].length - 1;
    editor.selection = new vscode.Selection(line - 1, end - written[1]!.length, line - 1, end);
  }
  return chosen.uri.toString();
}

function currentExample(
  { sets }: Services,
  { uri, references }: ChosenExamples,
): { readonly example: Example; readonly line: number } {
  const set = sets.get(uri)?.set;
  const line = set ? requireLines(set, references, vscode.l10n)[0]! : 0;
  const example = set?.lines[line - 1]?.example;
  if (example) return { example, line };
  throw new SteerscopeError("InvalidRequest", vscode.l10n.t("The example is no longer there."), {
    remedy: vscode.l10n.t("Choose it again."),
  });
}

function examplesOfChosen({ sets }: Services, chosen: readonly ChosenExamples[]): readonly Example[] {
  return chosen.flatMap(({ uri, references }) => {
    const set = sets.get(uri)?.set;
    return set ? locateLines(set, references).flatMap((line) => set.lines[line - 1]?.example ?? []) : [];
  });
}

function first([examples]: readonly ChosenExamples[]): ChosenExamples {
  return { uri: examples!.uri, references: examples!.references.slice(0, 1) };
}

function oneSet(chosen: readonly ChosenExamples[]): ChosenExamples {
  if (chosen.length === 1) return chosen[0]!;
  throw new SteerscopeError("InvalidRequest", vscode.l10n.t("A pair lies in one example set."), {
    remedy: vscode.l10n.t("Move both examples into the same set first."),
  });
}

function isLabel(value: unknown): value is ExampleLabel {
  return value === "positive" || value === "negative";
}
