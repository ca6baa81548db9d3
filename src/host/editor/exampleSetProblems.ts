/** The words for what the lint of example sets finds. */
import * as vscode from "vscode";
import type { LintFixKind, LintProblem } from "../../formats/exampleSetLint.ts";
import { settings } from "../settings.ts";

/** A sentence for people. */
export function describeProblem({ code, values, severity }: LintProblem): string {
  const [first = "", second = "", third = ""] = values;
  switch (code) {
    case "bad-line":
      return String(first);
    case "empty-text":
      return severity === "error"
        ? vscode.l10n.t("The text of an example cannot be empty.")
        : vscode.l10n.t("The text holds nothing but white space.");
    case "duplicate-example":
      return vscode.l10n.t("The same example is at line {0}; it counts twice.", first);
    case "same-text":
      return vscode.l10n.t(
        "The same text is on the other side, at line {0}: both together say nothing.",
        first,
      );
    case "pair-one-sided":
      return vscode.l10n.t('The pair "{0}" has no {1} example.', first, labelName(second));
    case "pair-twice":
      return vscode.l10n.t(
        'The pair "{0}" has a second {1} example; the first is at line {2}.',
        first,
        labelName(second),
        third,
      );
    case "unequal-sides":
      return vscode.l10n.t(
        "{0} positive and {1} negative examples have no pair: they stay unpaired. Methods that need pairs leave them out.",
        first,
        second,
      );
    case "side-missing":
      return vscode.l10n.t("There is no {0} example yet; a vector needs both sides.", labelName(first));
    case "length-imbalance":
      return vscode.l10n.t(
        "Positive examples have {0} words, negative ones {1} (medians): the vector may be about length.",
        first,
        second,
      );
    case "side-identical":
      return vscode.l10n.t("All {0} examples are the same text.", labelName(first));
    case "side-alike":
      return vscode.l10n.t(
        'All {0} examples begin with "{1}", the others do not: the vector may be about these words.',
        labelName(first),
        second,
      );
    case "telling-word":
      return vscode.l10n.t(
        'The word "{0}" alone tells the sides apart (AUROC {2}, {1} side): the vector may be about the word.',
        first,
        labelName(second),
        Number(third).toFixed(settings.decimals()),
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

function labelName(label: string | number): string {
  return label === "positive" ? vscode.l10n.t("positive") : vscode.l10n.t("negative");
}
