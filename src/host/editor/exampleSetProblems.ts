/** The words for what the lint of example sets finds. */
import * as vscode from "vscode";
import type { LintFixKind, LintProblem } from "../../formats/exampleSetLint.ts";
import { labelText, lineProblemText } from "../../formats/lineProblem.ts";
import { settings } from "../settings.ts";

/** A sentence for people. */
export function describeProblem({ code, values, cause, severity }: LintProblem): string {
  const [first = "", second = "", third = ""] = values;
  switch (code) {
    case "bad-line":
      return cause === null ? "" : lineProblemText(cause, vscode.l10n);
    case "empty-text":
      return severity === "error"
        ? vscode.l10n.t("The text of an example cannot be empty.")
        : vscode.l10n.t("The text holds nothing but white space.");
    case "key-twice":
      return vscode.l10n.t('The key "{0}" is there twice; only the last one counts.', first);
    case "bad-source":
      return vscode.l10n.t(
        'The origin cannot be read and is left alone; "source" is an object such as {0}.',
        '{"uri": "notes.md", "range": [3, 0, 3, 42]}',
      );
    case "edge-blank":
      return edgeBlankText(first);
    case "duplicate-example":
      return vscode.l10n.t("The same example is at line {0}; it counts twice.", first);
    case "same-text":
      return vscode.l10n.t(
        "The same text is on the other side, at line {0}: both together say nothing.",
        first,
      );
    case "pair-one-sided":
    case "pair-twice":
      return lineProblemText({ code, values }, vscode.l10n);
    case "unequal-sides":
      return vscode.l10n.t(
        "Without a pair: {0} positive, {1} negative. They stay unpaired; methods that need pairs leave them out.",
        first,
        second,
      );
    case "side-missing":
      return vscode.l10n.t(
        "There is no {0} example yet; a vector needs both sides.",
        labelText(first, vscode.l10n),
      );
    case "length-imbalance":
      return vscode.l10n.t(
        "Median words of an example: {0} positive, {1} negative. The vector may be about length.",
        first,
        second,
      );
    case "side-identical":
      return vscode.l10n.t("All {0} examples are the same text.", labelText(first, vscode.l10n));
    case "side-alike":
      return vscode.l10n.t(
        'All {0} examples begin with "{1}", the others do not: the vector may be about these words.',
        labelText(first, vscode.l10n),
        second,
      );
    case "telling-word":
      return vscode.l10n.t(
        'The word "{0}" alone tells the sides apart (AUROC {2}, {1} side): the vector may be about the word.',
        first,
        labelText(second, vscode.l10n),
        Number(third).toFixed(settings.decimals()),
      );
  }
}

function edgeBlankText(edge: string | number): string {
  switch (edge) {
    case "start":
      return vscode.l10n.t("The text begins with white space, which is part of what the model reads.");
    case "end":
      return vscode.l10n.t("The text ends with white space: the last token, which is read, will be a blank.");
    default:
      return vscode.l10n.t(
        "The text begins and ends with white space: the last token, which is read, will be a blank.",
      );
  }
}

/** Title of a quick fix. */
export function describeFix(kind: LintFixKind): string {
  switch (kind) {
    case "delete-line":
      return vscode.l10n.t("Delete the line");
    case "delete-pair":
      return vscode.l10n.t("Delete the example and its partner");
    case "delete-only":
      return vscode.l10n.t("Delete only this example");
    case "add-positive":
      return vscode.l10n.t("Add a positive example");
    case "add-negative":
      return vscode.l10n.t("Add a negative example");
    case "trim-text":
      return vscode.l10n.t("Trim the text");
    case "remove-key":
      return vscode.l10n.t("Remove the one that does not count");
    case "remove-source":
      return vscode.l10n.t("Remove the origin");
    case "new-pair-id":
      return vscode.l10n.t("Give it a pair id of its own");
    case "join-lines":
      return vscode.l10n.t("Join the lines of the text with \\n");
    case "escape-characters":
      return vscode.l10n.t("Escape tabs and control characters");
    case "remove-comma":
      return vscode.l10n.t("Remove the comma at the end");
    case "label-positive":
      return vscode.l10n.t("Make it a positive example");
    case "label-negative":
      return vscode.l10n.t("Make it a negative example");
    case "remove-pair-id":
      return vscode.l10n.t("Remove the pair id");
  }
}
