import * as vscode from "vscode";
import type { ExampleLabel } from "../../formats/exampleSet.ts";
import { moveAll, moveBetweenSides } from "../commands/exampleTreeCommands.ts";
import { importFormatOf } from "../../formats/exampleImport.ts";
import { chosenExamples, type ExamplesNode } from "../exampleNodes.ts";
import { commandIds } from "../ids.ts";
import { requireTrust } from "../notices.ts";
import type { Services } from "../services.ts";

/** VS Code's own name for items of this tree, in lower case as it asks for. */
const treeMimeType = "application/vnd.code.tree.steering.examples";
const textMimeType = "text/plain";
const filesMimeType = "text/uri-list";

/**
 * Examples dragged between sides and sets; text dropped from elsewhere becomes an example; files are imported. Each has a
 * command for those who do not drag.
 */
export class ExampleDragAndDrop implements vscode.TreeDragAndDropController<ExamplesNode> {
  readonly dropMimeTypes = [treeMimeType, textMimeType, filesMimeType];
  readonly dragMimeTypes = [textMimeType];
  readonly #services: Services;

  constructor(services: Services) {
    this.#services = services;
  }

  handleDrag(source: readonly ExamplesNode[], data: vscode.DataTransfer): void {
    const examples = source.filter((node) => node.kind === "example");
    if (examples.length === 0) return;
    data.set(treeMimeType, new vscode.DataTransferItem(examples));
    data.set(
      textMimeType,
      new vscode.DataTransferItem(examples.map(({ example }) => example.text).join("\n")),
    );
  }

  async handleDrop(target: ExamplesNode | undefined, data: vscode.DataTransfer): Promise<void> {
    await this.#services.notices.guard(async () => {
      requireTrust();
      const dragged = data.get(treeMimeType)?.value as unknown;
      if (Array.isArray(dragged)) await this.#move(dragged as readonly ExamplesNode[], target);
      else await this.#add(target, data);
    });
  }

  async #move(dragged: readonly ExamplesNode[], target: ExamplesNode | undefined): Promise<void> {
    if (target === undefined) return;
    const chosen = chosenExamples(this.#services.sets, undefined, undefined, dragged);
    const label = sideOf(target);
    const here = chosen.filter(({ uri }) => uri.toString() === target.uri.toString());
    if (here.length > 0 && label !== undefined) await moveWithin(this.#services, dragged, target.uri, label);
    await moveAll(this.#services, chosen, target.uri, label);
  }

  async #add(target: ExamplesNode | undefined, data: vscode.DataTransfer): Promise<void> {
    const files = (await data.get(filesMimeType)?.asString()) ?? "";
    const uris = files
      .split(/\r?\n/)
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => vscode.Uri.parse(line));
    const set = target?.uri.toString();
    const side = target === undefined ? undefined : sideOf(target);
    if (uris.length > 0 && uris.every(({ path }) => importFormatOf(path) !== undefined)) {
      await vscode.commands.executeCommand(commandIds.importExamples, uris[0], uris, {
        ...(set === undefined ? {} : { set }),
        ...(side === undefined ? {} : { side }),
      });
      return;
    }
    const text = (await data.get(textMimeType)?.asString()) ?? "";
    if (text.trim() === "") return;
    const label = side ?? (await askSide());
    if (label === undefined) return;
    const command = label === "positive" ? commandIds.addPositive : commandIds.addNegative;
    await vscode.commands.executeCommand(command, { text, ...(set === undefined ? {} : { set }) });
  }
}

/** Only those that change sides: dropping an example where it is does nothing. */
async function moveWithin(
  services: Services,
  dragged: readonly ExamplesNode[],
  uri: vscode.Uri,
  label: ExampleLabel,
): Promise<void> {
  const address = uri.toString();
  const crossing = dragged.filter(
    (node) => node.kind === "example" && node.uri.toString() === address && node.example.label !== label,
  );
  if (crossing.length === 0) return;
  await moveBetweenSides(services, chosenExamples(services.sets, undefined, undefined, crossing), label);
}

function sideOf(node: ExamplesNode): ExampleLabel | undefined {
  if (node.kind === "side" || node.kind === "more") return node.label;
  return node.kind === "example" ? node.example.label : undefined;
}

async function askSide(): Promise<ExampleLabel | undefined> {
  const items = [
    { label: vscode.l10n.t("$(add) Positive example"), side: "positive" as const },
    { label: vscode.l10n.t("$(remove) Negative example"), side: "negative" as const },
  ];
  const placeHolder = vscode.l10n.t("Add the dropped text as");
  return (await vscode.window.showQuickPick(items, { placeHolder }))?.side;
}
