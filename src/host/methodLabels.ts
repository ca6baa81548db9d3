/** Methods, read positions and templates as people choose them. */
import * as vscode from "vscode";
import type { MethodId } from "../shared/methods.ts";
import type { Template } from "../shared/tokenInput.ts";

export function methodLabel(method: MethodId): string {
  switch (method) {
    case "mean-difference":
      return vscode.l10n.t("Difference of means");
    case "pca-uncentred":
      return vscode.l10n.t("Principal direction of the differences, not centred");
    case "pca-pairwise":
      return vscode.l10n.t("Principal component around the middle of each pair");
    case "repeng-pca-diff":
      return vscode.l10n.t("Principal component of the differences, as repeng");
    case "logistic":
      return vscode.l10n.t("Logistic regression");
    case "single-pair":
      return vscode.l10n.t("The first pair alone");
    case "random":
      return vscode.l10n.t("Random direction of the same norm, for comparison");
  }
}

/** The read positions that are offered by name; others are typed. */
export function namedPositions(): readonly { readonly spelling: string; readonly label: string }[] {
  return [
    { spelling: "last", label: vscode.l10n.t("Last token") },
    { spelling: "last-1", label: vscode.l10n.t("One token before the last") },
    { spelling: "mean", label: vscode.l10n.t("Mean over the tokens of the text") },
    {
      spelling: "mean-completion",
      label: vscode.l10n.t("Mean over the tokens of the text; every example has a prompt"),
    },
  ];
}

export function templateLabel(template: Template): string {
  return template === "none"
    ? vscode.l10n.t("No template: prompt and text as they are")
    : vscode.l10n.t("Chat template of the model");
}
