/** How sets, sides and examples look in the Examples view, and how they are read out. */
import { createHash } from "node:crypto";
import * as vscode from "vscode";
import { examplesOf, type ExampleLabel } from "../../formats/exampleSet.ts";
import { problemsOfSet } from "../editor/exampleSetDocuments.ts";
import { describeProblem } from "../editor/exampleSetProblems.ts";
import type { OriginState } from "../editor/originTracker.ts";
import type { ExampleNode, ExamplesNode, MoreNode, ProblemNode, SetNode, SideNode } from "../exampleNodes.ts";
import type { ExampleSetFile } from "../exampleSets.ts";
import { commandIds } from "../ids.ts";
import { workspacePath } from "../steeringFolder.ts";

const maxPreviewCharacters = 100;
const maxTooltipCharacters = 4000;
const maxTooltipProblems = 5;

export interface ItemContext {
  readonly file: ExampleSetFile | undefined;
  readonly isActive: boolean;
  readonly originOf: (node: ExampleNode) => OriginState;
}

/** Third argument of revealExample. */
export interface RevealOptions {
  readonly preserveFocus: boolean;
}

/** The tree item of a node; its tooltip comes later (`tooltipOf`). */
export function itemOf(node: ExamplesNode, context: ItemContext): vscode.TreeItem {
  switch (node.kind) {
    case "set":
      return setItem(node, context);
    case "side":
      return sideItem(node, context);
    case "example":
      return exampleItem(node, context);
    case "problem":
      return problemItem(node);
    case "more":
      return moreItem(node);
  }
}

/** Names an item from one refresh to the next. */
export function itemId(node: ExamplesNode): string {
  const set = node.uri.toString();
  switch (node.kind) {
    case "set":
      return set;
    case "side":
      return `${set}#${node.label}`;
    case "example": {
      const hash = createHash("sha1").update(node.raw).digest("hex");
      return `${set}#${node.example.label}#${hash}#${node.occurrence}`;
    }
    case "problem":
      return `${set}#problem#${node.line}#${node.message}`;
    case "more":
      return `${set}#more#${node.label}`;
  }
}

/** How many examples a side has. */
export function countOf(file: ExampleSetFile | undefined, label: ExampleLabel): number {
  return file?.set ? examplesOf(file.set).filter(({ example }) => example.label === label).length : 0;
}

/** One line of a text, short enough for a tree or a message. */
function previewOf(text: string): string {
  // A regular expression over a book would keep the extension host for nothing.
  const start = text
    .slice(0, 4 * maxPreviewCharacters)
    .trim()
    .replace(/\s+/g, " ");
  const characters = Array.from(start);
  return characters.length > maxPreviewCharacters || text.length > 4 * maxPreviewCharacters
    ? `${characters.slice(0, maxPreviewCharacters).join("")}…`
    : start;
}

/** Text, prompt, pair and origin of an example in full, as far as a tooltip goes. */
export function exampleTooltip(node: ExampleNode, state: OriginState): vscode.MarkdownString {
  const { label, text, prompt, pair, source } = node.example;
  const markdown = new vscode.MarkdownString();
  const block = (title: string, content: string): void => {
    markdown.appendText(title);
    markdown.appendCodeblock(
      content.length > maxTooltipCharacters ? `${content.slice(0, maxTooltipCharacters)}…` : content,
      "plaintext",
    );
  };
  block(labelName(label), text);
  if (prompt !== undefined) block(vscode.l10n.t("Prompt"), prompt);
  const facts = [
    ...(pair === undefined ? [] : [vscode.l10n.t("Pair: {0}", pair)]),
    ...(source === undefined ? [] : [vscode.l10n.t("From: {0}", placeOf(node))]),
    ...(stateText(state) === undefined ? [] : [stateText(state)!]),
    vscode.l10n.t("Line {0} of {1}", node.line, workspacePath(node.uri)),
  ];
  for (const fact of facts) markdown.appendText(`${fact}\n\n`);
  return markdown;
}

function labelName(label: ExampleLabel): string {
  return label === "positive" ? vscode.l10n.t("Positive") : vscode.l10n.t("Negative");
}

/** What a set is and holds, and what may be wrong with it. */
export function setTooltip(file: ExampleSetFile, isActive: boolean): string | vscode.MarkdownString {
  const { uri, set, problem } = file;
  if (set === null) {
    return [problem?.message, problem?.remedy].filter((each) => each !== undefined).join(" ");
  }
  const markdown = new vscode.MarkdownString();
  const counts = [
    vscode.l10n.t("{0} positive, {1} negative", countOf(file, "positive"), countOf(file, "negative")),
    ...(isActive ? [vscode.l10n.t("New examples go here.")] : []),
  ];
  for (const fact of [workspacePath(uri), ...counts]) markdown.appendText(`${fact}\n\n`);
  const problems = problemsOfSet(set) ?? [];
  for (const each of problems.slice(0, maxTooltipProblems)) {
    markdown.appendText(`${vscode.l10n.t("Line {0}: {1}", each.line, describeProblem(each))}\n\n`);
  }
  const others = problems.length - maxTooltipProblems;
  if (others > 0) markdown.appendText(vscode.l10n.t("{0} more in the Problems panel", others));
  return markdown;
}

function setItem(node: SetNode, { file, isActive }: ItemContext): vscode.TreeItem {
  const name = file?.name ?? "";
  const positive = countOf(file, "positive");
  const negative = countOf(file, "negative");
  const badLines = file?.set?.problems.filter(({ severity }) => severity === "error").length ?? 0;
  const states = [
    ...(isActive ? [vscode.l10n.t("active")] : []),
    ...(file?.problem ? [vscode.l10n.t("cannot be read")] : []),
    ...(badLines === 0 ? [] : [vscode.l10n.t("{0} to correct", badLines)]),
  ];
  const item = new vscode.TreeItem(
    name,
    isActive ? vscode.TreeItemCollapsibleState.Expanded : vscode.TreeItemCollapsibleState.Collapsed,
  );
  item.id = itemId(node);
  item.description = [...(file?.problem ? [] : [`${positive}+ ${negative}−`]), ...states].join(" · ");
  item.contextValue = "set";
  item.iconPath =
    file?.problem || badLines > 0
      ? warningIcon()
      : new vscode.ThemeIcon(isActive ? "target" : "list-unordered");
  item.accessibilityInformation = {
    label: [
      vscode.l10n.t("Example set {0}, {1} positive, {2} negative", name, positive, negative),
      ...states,
    ].join(", "),
  };
  return item;
}

function sideItem(node: SideNode, { file }: ItemContext): vscode.TreeItem {
  const { label } = node;
  const count = countOf(file, label);
  const item = new vscode.TreeItem(
    labelName(label),
    count === 0 ? vscode.TreeItemCollapsibleState.None : vscode.TreeItemCollapsibleState.Expanded,
  );
  // VS Code keeps what it knows of an item without children as collapsed; the first example must be seen.
  item.id = count === 0 ? `${itemId(node)}#empty` : itemId(node);
  item.description = String(count);
  item.contextValue = "side";
  item.iconPath = new vscode.ThemeIcon(
    label === "positive" ? "add" : "remove",
    new vscode.ThemeColor(label === "positive" ? "charts.green" : "charts.red"),
  );
  item.accessibilityInformation = {
    label: vscode.l10n.t("{0} examples of {1}: {2}", labelName(label), file?.name ?? "", count),
  };
  return item;
}

function exampleItem(node: ExampleNode, { originOf }: ItemContext): vscode.TreeItem {
  const { label, text, pair, source } = node.example;
  const state = originOf(node);
  const warning = stateText(state);
  const description = [
    ...(source === undefined ? [] : [placeOf(node)]),
    ...(pair === undefined ? [] : [pair]),
    ...(warning === undefined ? [] : [warning]),
  ];
  const item = new vscode.TreeItem(previewOf(text));
  item.id = itemId(node);
  item.description = description.join(" · ");
  item.contextValue = [
    "example",
    ...(source === undefined ? [] : ["origin"]),
    ...(pair === undefined ? [] : ["paired"]),
  ].join(" ");
  item.iconPath =
    warning === undefined
      ? new vscode.ThemeIcon(pair === undefined ? "symbol-string" : "link")
      : warningIcon();
  item.command = {
    command: commandIds.revealExample,
    title: vscode.l10n.t("Go to Origin"),
    // The view keeps the focus: Delete is still about the example.
    arguments: [node, undefined, { preserveFocus: true } satisfies RevealOptions],
  };
  item.accessibilityInformation = {
    label: [vscode.l10n.t("{0} example: {1}", labelName(label), previewOf(text)), ...description].join(", "),
  };
  return item;
}

function problemItem(node: ProblemNode): vscode.TreeItem {
  const { uri, line, message } = node;
  const title = line === 0 ? vscode.l10n.t("The file cannot be read") : vscode.l10n.t("Line {0}", line);
  const item = new vscode.TreeItem(title);
  item.id = itemId(node);
  item.description = message;
  item.tooltip = message;
  item.contextValue = "problem";
  item.iconPath = warningIcon();
  item.command = {
    command: commandIds.openSet,
    title: vscode.l10n.t("Open Line"),
    arguments: [{ set: uri.toString(), line }],
  };
  item.accessibilityInformation = { label: vscode.l10n.t("Problem, {0}: {1}", title, message) };
  return item;
}

function moreItem(node: MoreNode): vscode.TreeItem {
  const { uri, count } = node;
  const item = new vscode.TreeItem(vscode.l10n.t("{0} more in the file", count));
  item.id = itemId(node);
  item.contextValue = "more";
  item.iconPath = new vscode.ThemeIcon("ellipsis");
  item.command = {
    command: commandIds.openSet,
    title: vscode.l10n.t("Open File"),
    arguments: [{ set: uri.toString() }],
  };
  return item;
}

/** Path of the origin without its folders, and its line as people count. */
function placeOf({ example: { source } }: ExampleNode): string {
  if (source === undefined) return "";
  const file = source.uri.slice(source.uri.lastIndexOf("/") + 1);
  return source.range === undefined ? file : `${file}:${source.range[0] + 1}`;
}

function stateText(state: OriginState): string | undefined {
  if (state === "stale") return vscode.l10n.t("origin changed");
  if (state === "missing") return vscode.l10n.t("origin missing");
  return undefined;
}

function warningIcon(): vscode.ThemeIcon {
  return new vscode.ThemeIcon("warning", new vscode.ThemeColor("list.warningForeground"));
}
