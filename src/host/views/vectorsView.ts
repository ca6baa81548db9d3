/** The Vectors view: one item a vector file, its check box switches it on. */
import * as vscode from "vscode";
import { bestLayer } from "../../formats/vectorFile.ts";
import { formatLayers } from "../../shared/layers.ts";
import { escapeMarkdown } from "../escapeMarkdown.ts";
import { commandIds, viewIds } from "../ids.ts";
import type { Services } from "../services.ts";
import { settings } from "../settings.ts";
import { vectorFacts } from "../vectorFacts.ts";
import { modelNameOf, type VectorEntry, type Vectors } from "../vectors.ts";
import { itemsOfKey } from "./focusedItem.ts";

const uriListType = "text/uri-list";

export function registerVectorsView({ vectors, log }: Services): vscode.Disposable {
  const provider = new VectorsTree(vectors);
  const view = vscode.window.createTreeView(viewIds.vectors, {
    treeDataProvider: provider,
    canSelectMany: true,
    manageCheckboxStateManually: true,
    dragAndDropController: provider,
  });
  vectors.setView({
    selection: () => view.selection,
    ofKey: () => itemsOfKey(view, ({ uri }) => uri.toString()),
  });
  return vscode.Disposable.from(
    view,
    provider,
    view.onDidChangeSelection(({ selection }) => {
      const [first, ...others] = selection;
      if (first !== undefined && others.length === 0) vectors.setCurrent(first.uri);
    }),
    view.onDidChangeCheckboxState(async ({ items }) => {
      for (const [entry, state] of items) {
        await vectors.apply(entry.uri, { on: state === vscode.TreeItemCheckboxState.Checked });
      }
    }),
    vectors.onDidChange(() => {
      const count = vectors.applied().length;
      const tooltip =
        count === 1 ? vscode.l10n.t("1 vector switched on") : vscode.l10n.t("{0} vectors switched on", count);
      view.badge = count === 0 ? undefined : { value: count, tooltip };
    }),
    vectors.onDidAskToShow((entry) => {
      view.reveal(entry, { select: true, focus: false }).then(undefined, (error: unknown) => {
        log.debug(`The vector cannot be revealed: ${String(error)}`);
      });
    }),
  );
}

class VectorsTree
  implements
    vscode.TreeDataProvider<VectorEntry>,
    vscode.TreeDragAndDropController<VectorEntry>,
    vscode.Disposable
{
  readonly dropMimeTypes: readonly string[] = [];
  readonly dragMimeTypes = [uriListType];
  readonly #vectors: Vectors;
  readonly #changed = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.#changed.event;
  readonly #subscription: vscode.Disposable;

  constructor(vectors: Vectors) {
    this.#vectors = vectors;
    this.#subscription = vscode.Disposable.from(
      vectors.onDidChange(() => {
        this.#changed.fire(undefined);
      }),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (settings.isChanged(event, "decimals")) this.#changed.fire(undefined);
      }),
    );
  }

  async getChildren(element?: VectorEntry): Promise<VectorEntry[]> {
    if (element !== undefined) return [];
    await this.#vectors.ready;
    return [...this.#vectors.all()];
  }

  getParent(): undefined {
    return undefined;
  }

  getTreeItem(entry: VectorEntry): vscode.TreeItem {
    const item = new vscode.TreeItem(entry.name, vscode.TreeItemCollapsibleState.None);
    item.id = entry.uri.toString();
    item.resourceUri = entry.uri;
    if (entry.file === null) return this.#badItem(item, entry);
    const { file } = entry;
    const isOn = this.#vectors.isOn(entry);
    const layers = formatLayers(this.#vectors.layersOf(entry));
    const strength = this.#vectors.strengthOf(entry);
    const model = modelNameOf(entry) ?? vscode.l10n.t("unknown model");
    item.contextValue = "vector";
    item.iconPath = new vscode.ThemeIcon("arrow-right");
    item.description = vscode.l10n.t(
      "{0} · best layer {1} · strength {2} @ {3}",
      model,
      bestLayer(file),
      strength,
      layers,
    );
    item.checkboxState = {
      state: isOn ? vscode.TreeItemCheckboxState.Checked : vscode.TreeItemCheckboxState.Unchecked,
      tooltip: isOn ? vscode.l10n.t("Switch off") : vscode.l10n.t("Switch on"),
      accessibilityInformation: { label: vscode.l10n.t("{0}: steers generated text", entry.name) },
    };
    item.accessibilityInformation = {
      label: vscode.l10n.t(
        "Steering vector {0}, model {1}, best layer {2}, strength {3} at layer {4}, {5}",
        entry.name,
        model,
        bestLayer(file),
        strength,
        layers,
        isOn ? vscode.l10n.t("on") : vscode.l10n.t("off"),
      ),
    };
    item.command = openCommand(entry);
    return item;
  }

  /** The hover is built when it is asked for. */
  resolveTreeItem(item: vscode.TreeItem, entry: VectorEntry): vscode.TreeItem {
    if (entry.file !== null) {
      item.tooltip = factsTooltip(
        entry.name,
        vectorFacts(entry.file, vscode.l10n, settings.decimals()).map(({ label, value }) => [label, value]),
      );
    }
    return item;
  }

  handleDrag(source: readonly VectorEntry[], transfer: vscode.DataTransfer): void {
    const list = source.map(({ uri }) => uri.toString()).join("\r\n");
    transfer.set(uriListType, new vscode.DataTransferItem(list));
  }

  dispose(): void {
    this.#subscription.dispose();
    this.#changed.dispose();
  }

  #badItem(item: vscode.TreeItem, { name, problem, uri }: VectorEntry): vscode.TreeItem {
    const message = problem?.message ?? "";
    item.contextValue = "unreadable";
    item.iconPath = new vscode.ThemeIcon("warning", new vscode.ThemeColor("list.warningForeground"));
    item.description = message;
    item.tooltip = factsTooltip(name, [
      [vscode.l10n.t("Cannot be read"), message],
      [vscode.l10n.t("What to do"), problem?.remedy ?? vscode.l10n.t("Delete the file or compute it again.")],
    ]);
    item.accessibilityInformation = {
      label: vscode.l10n.t("Vector file {0} cannot be read: {1}", name, message),
    };
    item.command = openCommand({ uri });
    return item;
  }
}

function openCommand({ uri }: Pick<VectorEntry, "uri">): vscode.Command {
  return {
    command: commandIds.openVector,
    title: vscode.l10n.t("Show Details"),
    // As in the Explorer: looking at a vector leaves the keyboard in the view.
    arguments: [uri, { preserveFocus: true }],
  };
}

function factsTooltip(title: string, rows: readonly (readonly [string, string])[]): vscode.MarkdownString {
  const lines = rows.map(([label, value]) => `*${escapeMarkdown(label)}:* ${escapeMarkdown(value)}  \n`);
  return new vscode.MarkdownString(`**${escapeMarkdown(title)}**\n\n${lines.join("")}`);
}
