/** "Compute · Inspect · 12 pairs" above the first line of an example set. */
import * as vscode from "vscode";
import { examplesOf, pairExamples, type ExampleSet } from "../../formats/exampleSet.ts";
import { unreadableLines } from "../../formats/exampleSetRepairs.ts";
import { commandIds } from "../ids.ts";
import { pairSnippet } from "./exampleSetCompletion.ts";
import { readExampleSet } from "./exampleSetDocuments.ts";

const top = new vscode.Range(0, 0, 0, 0);

export const exampleSetLenses: vscode.CodeLensProvider = {
  provideCodeLenses(document) {
    const content = readExampleSet(document);
    if (content === null) return [];
    if (examplesOf(content.set).length === 0) return lensesOfNothing(content.set);
    const { positive, negative, pairs } = pairExamples(content.set);
    const pairCount = pairs.length / 2;
    const unpaired = positive.length + negative.length - pairs.length;
    const unreadable = unreadableLines(content.set);
    const uri = document.uri;
    return [
      new vscode.CodeLens(top, {
        title: `$(play) ${vscode.l10n.t("Compute")}`,
        tooltip: vscode.l10n.t("Compute a steering vector from this example set"),
        command: commandIds.computeVector,
        arguments: [{ set: uri }],
      }),
      new vscode.CodeLens(top, {
        title: `$(eye) ${vscode.l10n.t("Inspect")}`,
        tooltip: vscode.l10n.t("Colour the tokens of the examples by their projection on the current vector"),
        command: commandIds.inspectSelection,
        arguments: [{ uri }],
      }),
      new vscode.CodeLens(top, {
        title:
          unreadable > 0
            ? linesToCorrect(unreadable)
            : pairCount === 1
              ? vscode.l10n.t("1 pair · {0} unpaired", unpaired)
              : vscode.l10n.t("{0} pairs · {1} unpaired", pairCount, unpaired),
        tooltip: vscode.l10n.t("{0} positive, {1} negative", positive.length, negative.length),
        // A lens without a command is plain text.
        command: "",
      }),
    ];
  },
};

function linesToCorrect(count: number): string {
  return count === 1 ? vscode.l10n.t("1 line to correct") : vscode.l10n.t("{0} lines to correct", count);
}

/** Before the first example, the way to write one; not where the cursor may be in a line that has to be mended first. */
function lensesOfNothing({ lines }: ExampleSet): vscode.CodeLens[] {
  const none = new vscode.CodeLens(top, { title: vscode.l10n.t("0 pairs"), command: "" });
  if (lines.some(({ raw }) => raw.trim() !== "")) return [none];
  return [
    none,
    new vscode.CodeLens(top, {
      title: `$(add) ${vscode.l10n.t("Add a pair")}`,
      tooltip: vscode.l10n.t("Write a positive and a negative example"),
      command: "editor.action.insertSnippet",
      arguments: [{ snippet: pairSnippet }],
    }),
  ];
}
