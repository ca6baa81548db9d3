/** Outline of an example set: both sides with their examples. */
import * as vscode from "vscode";
import { exampleLabels, examplesOf, type ExampleLabel } from "../../formats/exampleSet.ts";
import { valueColumns } from "../../formats/jsonMembers.ts";
import { columnsOfLine, readExampleSet } from "./exampleSetDocuments.ts";

const previewCharacters = 80;

export const exampleSetSymbols: vscode.DocumentSymbolProvider = {
  provideDocumentSymbols(document) {
    const content = readExampleSet(document);
    if (content === null) return [];
    const { set } = content;
    const groups = new Map<ExampleLabel, vscode.DocumentSymbol[]>();
    for (const { line, example } of examplesOf(set)) {
      const { raw } = set.lines[line - 1]!;
      const { from, to } = valueColumns(raw, "text");
      const preview = example.text.replace(/\s+/g, " ").trim().slice(0, previewCharacters);
      const symbol = new vscode.DocumentSymbol(
        // VS Code refuses a symbol without a name.
        preview === "" ? "…" : preview,
        example.pair ?? "",
        vscode.SymbolKind.String,
        columnsOfLine(line, 0, raw.length),
        columnsOfLine(line, from, to),
      );
      const group = groups.get(example.label);
      if (group === undefined) groups.set(example.label, [symbol]);
      else group.push(symbol);
    }
    return exampleLabels.flatMap((label) => {
      const children = groups.get(label);
      const [first] = children ?? [];
      if (children === undefined || first === undefined) return [];
      const name = label === "positive" ? vscode.l10n.t("Positive") : vscode.l10n.t("Negative");
      const range = first.range.union(children.at(-1)!.range);
      const group = new vscode.DocumentSymbol(
        name,
        children.length === 1 ? vscode.l10n.t("1 example") : vscode.l10n.t("{0} examples", children.length),
        vscode.SymbolKind.Array,
        range,
        first.selectionRange,
      );
      group.children = children;
      return [group];
    });
  },
};
