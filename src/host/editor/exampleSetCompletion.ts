/** Completion of whole lines, keys and labels in example sets; VS Code has no schemas for JSON lines. */
import * as vscode from "vscode";
import schema from "../../../media/schemas/example.schema.json";
import { exampleLabels } from "../../formats/exampleSet.ts";
import { exampleLinePlace } from "../../formats/exampleLinePlace.ts";
import { jsonMembers } from "../../formats/jsonMembers.ts";
import { isExampleSet } from "./exampleSetDocuments.ts";

export const completionTriggers = ['"', "{", ",", ":"] as const;

/** Keys with what they mean and what is inserted for their value. */
const keys = Object.entries(schema.properties).map(([key, { description, type }]) => ({
  key,
  description,
  value:
    key === "label" ? `"\${1|${exampleLabels.join(",")}|}"` : type === "object" ? '{"uri": "$1"}' : '"$1"',
}));

export const exampleSetCompletion: vscode.CompletionItemProvider = {
  provideCompletionItems(document, position) {
    if (!isExampleSet(document)) return [];
    const line = document.lineAt(position.line).text;
    const place = exampleLinePlace(line.slice(0, position.character));
    switch (place.kind) {
      case "line":
        return line.trim() === "" ? newLines() : [];
      case "key":
        return missingKeys(line, replacement(line, position, place.from));
      case "value":
        return place.key === "label" ? labels(replacement(line, position, place.from)) : [];
      case "other":
        return [];
    }
  },
};

const pairLine = (label: (typeof exampleLabels)[number], tab: number): string =>
  `{"label": "${label}", "text": "$${tab}", "pair": "\${1:p1}"}`;

/** Two lines, as a snippet. */
export const pairSnippet = `${pairLine("positive", 2)}\n${pairLine("negative", 3)}`;

function newLines(): vscode.CompletionItem[] {
  const single = (label: (typeof exampleLabels)[number]): string => `{"label": "${label}", "text": "$1"}`;
  return [
    snippet(vscode.l10n.t("Positive example"), single("positive")),
    snippet(vscode.l10n.t("Negative example"), single("negative")),
    snippet(vscode.l10n.t("Pair of examples"), pairSnippet),
  ];
}

function missingKeys(line: string, range: vscode.Range): vscode.CompletionItem[] {
  const present = presentKeys(line);
  return keys
    .filter(({ key }) => !present.has(key))
    .map(({ key, description, value }) => {
      const item = snippet(key, `"${key}": ${value}`, vscode.CompletionItemKind.Property);
      item.documentation = vscode.l10n.t(description);
      item.filterText = `"${key}"`;
      item.range = range;
      return item;
    });
}

function labels(range: vscode.Range): vscode.CompletionItem[] {
  return exampleLabels.map((label) => {
    const item = new vscode.CompletionItem(label, vscode.CompletionItemKind.EnumMember);
    item.insertText = `"${label}"`;
    item.filterText = `"${label}"`;
    item.range = range;
    return item;
  });
}

function snippet(
  label: string,
  text: string,
  kind = vscode.CompletionItemKind.Snippet,
): vscode.CompletionItem {
  const item = new vscode.CompletionItem(label, kind);
  item.insertText = new vscode.SnippetString(text);
  return item;
}

function presentKeys(line: string): ReadonlySet<string> {
  try {
    if (typeof JSON.parse(line) === "object") return new Set(jsonMembers(line).map(({ key }) => key));
  } catch {
    // While it is written, a line is not JSON.
  }
  return new Set(Array.from(line.matchAll(/"([^"\\]+)"\s*:/g), ([, key]) => key!));
}

/** From `start` to the cursor, and over the closing quote that the editor has put behind it. */
function replacement(line: string, position: vscode.Position, start: number): vscode.Range {
  const rest = /^[A-Za-z]*"?/.exec(line.slice(position.character))![0];
  const isQuoted = line[start] === '"';
  const end = position.character + (isQuoted ? rest.length : 0);
  return new vscode.Range(position.line, start, position.line, end);
}
