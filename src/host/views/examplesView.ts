import * as vscode from "vscode";
import { examplesOf } from "../../formats/exampleSet.ts";
import { lineProblemText } from "../../formats/lineProblem.ts";
import { registerExampleTreeCommands } from "../commands/exampleTreeCommands.ts";
import { OriginTracker } from "../editor/originTracker.ts";
import type { ExampleNode, ExamplesNode, SideNode } from "../exampleNodes.ts";
import { viewIds } from "../ids.ts";
import type { Services } from "../services.ts";
import { ExampleDragAndDrop } from "./exampleDragAndDrop.ts";
import { exampleTooltip, itemId, itemOf, setTooltip } from "./exampleItems.ts";
import { itemsOfKey } from "./focusedItem.ts";

/** VS Code makes an item of each child at once; a longer list is read in the file. */
const maxExamplesShown = 2000;

class ExamplesTree implements vscode.TreeDataProvider<ExamplesNode> {
  readonly #services: Services;
  readonly #tracker: OriginTracker;
  readonly #changed = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.#changed.event;

  constructor(services: Services, tracker: OriginTracker) {
    this.#services = services;
    this.#tracker = tracker;
  }

  refresh(): void {
    this.#changed.fire(undefined);
  }

  getTreeItem(node: ExamplesNode): vscode.TreeItem {
    const { sets } = this.#services;
    return itemOf(node, {
      file: sets.get(node.uri),
      isActive: sets.active()?.uri.toString() === node.uri.toString(),
      originOf: ({ uri, example }) => this.#tracker.stateOf(uri, example),
    });
  }

  resolveTreeItem(item: vscode.TreeItem, node: ExamplesNode): vscode.TreeItem {
    if (node.kind === "example") {
      item.tooltip = exampleTooltip(node, this.#tracker.stateOf(node.uri, node.example));
    } else if (node.kind === "set") {
      const { sets } = this.#services;
      const file = sets.get(node.uri);
      if (file !== undefined) item.tooltip = setTooltip(file, sets.active() === file);
    }
    return item;
  }

  async getChildren(node?: ExamplesNode): Promise<ExamplesNode[]> {
    const { sets } = this.#services;
    await sets.ready;
    if (node === undefined) return sets.all().map(({ uri }) => ({ kind: "set", uri }));
    const { uri } = node;
    const file = sets.get(uri);
    if (node.kind === "side") return this.#examples(node);
    if (node.kind !== "set" || file === undefined) return [];
    if (file.set === null) {
      return [{ kind: "problem", uri, line: 0, message: file.problem?.message ?? "" }];
    }
    const problems = file.set.problems.map((problem): ExamplesNode => ({
      kind: "problem",
      uri,
      line: problem.line,
      message: lineProblemText(problem, vscode.l10n),
    }));
    return [{ kind: "side", uri, label: "positive" }, { kind: "side", uri, label: "negative" }, ...problems];
  }

  getParent(node: ExamplesNode): ExamplesNode | undefined {
    const { uri } = node;
    switch (node.kind) {
      case "set":
        return undefined;
      case "example":
        return { kind: "side", uri, label: node.example.label };
      case "more":
        return { kind: "side", uri, label: node.label };
      case "side":
      case "problem":
        return { kind: "set", uri };
    }
  }

  #examples({ uri, label }: SideNode): ExamplesNode[] {
    const set = this.#services.sets.get(uri)?.set;
    if (!set) return [];
    const seen = new Map<string, number>();
    const nodes: ExampleNode[] = [];
    for (const { line, example } of examplesOf(set)) {
      if (example.label !== label) continue;
      const { raw } = set.lines[line - 1]!;
      const occurrence = seen.get(raw) ?? 0;
      seen.set(raw, occurrence + 1);
      nodes.push({ kind: "example", uri, line, raw, example, occurrence });
    }
    if (nodes.length <= maxExamplesShown) return nodes;
    const count = nodes.length - maxExamplesShown;
    return [...nodes.slice(0, maxExamplesShown), { kind: "more", uri, label, count }];
  }
}

/** The Examples view with its marks of changed origins, its drag and drop, and the commands on its items. */
export function registerExamplesView(services: Services): vscode.Disposable {
  const { sets, log } = services;
  const tracker = new OriginTracker(sets, log);
  const tree = new ExamplesTree(services, tracker);
  const view = vscode.window.createTreeView<ExamplesNode>(viewIds.examples, {
    treeDataProvider: tree,
    canSelectMany: true,
    showCollapseAll: true,
    dragAndDropController: new ExampleDragAndDrop(services),
  });
  const refresh = (): void => {
    const active = sets.active();
    // The API takes an empty text for none.
    view.description = active?.name ?? "";
    tree.refresh();
  };
  refresh();
  return vscode.Disposable.from(
    view,
    tracker,
    sets.onDidChange(refresh),
    sets.onDidAskToShow((uri) => {
      const node: ExamplesNode = { kind: "set", uri };
      view.reveal(node, { select: true, focus: false, expand: true }).then(undefined, (error: unknown) => {
        log.debug(`The example set cannot be revealed: ${String(error)}`);
      });
    }),
    tracker.onDidChange(() => {
      tree.refresh();
    }),
    registerExampleTreeCommands(services, tracker, {
      selection: () => view.selection,
      ofKey: () => itemsOfKey(view, itemId),
    }),
  );
}
