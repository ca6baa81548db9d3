import * as vscode from "vscode";
import { viewIds } from "../ids.ts";
import type { ModelEntry } from "../modelScan.ts";
import type { Models, ModelState } from "../models.ts";
import { modelTooltip, modelWords } from "../modelText.ts";
import type { Services } from "../services.ts";

export function registerModelsView({ models }: Services): vscode.Disposable {
  const provider = new ModelsProvider(models);
  const view = vscode.window.createTreeView(viewIds.models, { treeDataProvider: provider });
  return vscode.Disposable.from(provider, view);
}

class ModelsProvider implements vscode.TreeDataProvider<ModelEntry>, vscode.Disposable {
  readonly #models: Models;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.#changed.event;
  readonly #subscription: vscode.Disposable;

  constructor(models: Models) {
    this.#models = models;
    this.#subscription = models.onDidChange(() => {
      this.#changed.fire();
    });
  }

  async getChildren(parent?: ModelEntry): Promise<ModelEntry[]> {
    return parent === undefined ? [...(await this.#models.all())] : [];
  }

  getTreeItem(entry: ModelEntry): vscode.TreeItem {
    const state = this.#models.stateOf(entry);
    const isSelected = this.#models.selected() === entry.reference;
    const item = new vscode.TreeItem(entry.name);
    const words = modelWords(entry, state, isSelected);
    item.id = entry.reference;
    item.description = words.join(" · ");
    item.iconPath = iconOf(state, entry, isSelected);
    item.contextValue = contextValueOf(state, entry);
    item.tooltip = modelTooltip(entry, state, this.#models.descriptionOf(entry.reference));
    item.accessibilityInformation = { label: [entry.name, ...words].join(", ") };
    return item;
  }

  dispose(): void {
    this.#subscription.dispose();
    this.#changed.dispose();
  }
}

function iconOf(state: ModelState, { problem, selfTest }: ModelEntry, isSelected: boolean): vscode.ThemeIcon {
  // The word for it is at the end of the row, which a narrow side bar cuts off.
  const tested = selfTest === true ? new vscode.ThemeColor("testing.iconPassed") : undefined;
  switch (state.kind) {
    case "absent":
      return new vscode.ThemeIcon("cloud");
    case "downloading":
      return new vscode.ThemeIcon(state.download.isWaiting ? "watch" : "sync~spin");
    case "loading":
      return new vscode.ThemeIcon("loading~spin");
    case "loaded":
      return new vscode.ThemeIcon("vm-running", tested);
    case "failed":
      return new vscode.ThemeIcon("error", new vscode.ThemeColor("list.errorForeground"));
    case "present":
      if (problem !== null || selfTest === false)
        return new vscode.ThemeIcon("warning", new vscode.ThemeColor("list.warningForeground"));
      return new vscode.ThemeIcon(
        isSelected ? "check" : tested === undefined ? "package" : "verified",
        tested,
      );
  }
}

/** Words that the `when` clauses of package.json look for. */
function contextValueOf(state: ModelState, { origin, kept }: ModelEntry): string {
  const kind =
    origin === "catalogue" || origin === "downloaded" ? "hub" : origin === "embedded" ? "embedded" : "folder";
  const rest = kept === null || state.kind === "downloading" ? kind : `${kind} partial`;
  switch (state.kind) {
    case "failed":
      return `${state.isPresent ? "present" : "absent"} ${rest}`;
    case "absent":
    case "downloading":
    case "present":
    case "loading":
    case "loaded":
      return `${state.kind} ${rest}`;
  }
}
