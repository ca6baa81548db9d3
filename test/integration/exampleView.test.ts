/** What the mouse does in the Examples view, and the Undo of its notices. */
import assert from "node:assert/strict";
import * as vscode from "vscode";
import { examplesOf, type ExampleLabel } from "../../src/formats/exampleSet.ts";
import type { ExampleNode, ExamplesNode } from "../../src/host/exampleNodes.ts";
import type { Services } from "../../src/host/services.ts";
import { ExampleDragAndDrop } from "../../src/host/views/exampleDragAndDrop.ts";
import { itemOf } from "../../src/host/views/exampleItems.ts";
import { activate, eventually, run, writeText } from "./support/editors.ts";
import { deleteMadeSets, setFile, setPath } from "./support/exampleSets.ts";

let services: Services;
let controller: ExampleDragAndDrop;

const setNode = (name: string): ExamplesNode => ({ kind: "set", uri: setFile(name) });
const side = (name: string, label: ExampleLabel): ExamplesNode => ({
  kind: "side",
  uri: setFile(name),
  label,
});

/** `p a p1` is the positive example "a" of the pair p1. */
async function write(name: string, ...examples: string[]): Promise<void> {
  const lines = examples.map((spelling) => {
    const [label, text, pair] = spelling.split(" ");
    return JSON.stringify({ label: label === "p" ? "positive" : "negative", text, pair });
  });
  await writeText(lines.map((line) => `${line}\n`).join(""), setPath(name));
  await services.sets.refresh();
}

function summary(name: string): string[] {
  const set = services.sets.get(setFile(name))?.set;
  return (set ? examplesOf(set) : []).map(({ example: { label, text, pair } }) =>
    `${label[0]} ${text} ${pair ?? ""}`.trim(),
  );
}

function node(name: string, line: number): ExampleNode {
  const { raw, example } = services.sets.get(setFile(name))!.set!.lines[line - 1]!;
  return { kind: "example", uri: setFile(name), line, raw, example: example!, occurrence: 0 };
}

async function drag(source: readonly ExamplesNode[], target: ExamplesNode | undefined): Promise<void> {
  const data = new vscode.DataTransfer();
  controller.handleDrag(source, data);
  await controller.handleDrop(target, data);
}

async function drop(target: ExamplesNode, mimeType: string, value: string): Promise<void> {
  const data = new vscode.DataTransfer();
  data.set(mimeType, new vscode.DataTransferItem(value));
  await controller.handleDrop(target, data);
}

/** Does `body` and presses the button of the notice that it ends with. */
async function undone(body: () => Thenable<unknown>): Promise<void> {
  await vscode.commands.executeCommand("notifications.clearAll");
  await body();
  await vscode.commands.executeCommand("notification.acceptPrimaryAction");
}

describe("Examples view", () => {
  before(async () => {
    services = await activate();
    await services.sets.ready;
    controller = new ExampleDragAndDrop(services);
  });

  beforeEach(async () => {
    await write("one", "p a p1", "n b p1", "p c", "n d");
    await write("two", "p x p1", "n y p1");
  });

  afterEach(async () => {
    await deleteMadeSets(services);
  });

  it("an example that is dragged to the other side changes sides, and a pair that this tears is dissolved", async () => {
    await drag([node("one", 3)], side("one", "negative"));
    assert.deepEqual(summary("one"), ["p a p1", "n b p1", "n c", "n d"]);
    // Onto an example means onto its side.
    await drag([node("one", 1)], node("one", 4));
    assert.deepEqual(summary("one"), ["n a", "n b", "n c", "n d"]);
  });

  it("several are dragged at once; those that are on the side already stay as they are", async () => {
    await drag([node("one", 1), node("one", 2), node("one", 3)], side("one", "positive"));
    assert.deepEqual(summary("one"), ["p a", "p b", "p c", "n d"]);
  });

  it("into another set an example goes with its side, or to the side it is dropped on", async () => {
    await drag([node("one", 4)], setNode("two"));
    assert.deepEqual(summary("two"), ["p x p1", "n y p1", "n d"]);
    await drag([node("one", 3)], side("two", "negative"));
    assert.deepEqual(
      [summary("one"), summary("two")],
      [
        ["p a p1", "n b p1"],
        ["p x p1", "n y p1", "n d", "n c"],
      ],
    );
  });

  it("a pair that is dragged into another set stays one, under a name that is free there", async () => {
    await drag([node("one", 1), node("one", 2)], setNode("two"));
    assert.deepEqual(summary("one"), ["p c", "n d"]);
    assert.deepEqual(summary("two"), ["p x p1", "n y p1", "p a p2", "n b p2"]);
  });

  it("from several sets into one of them, those change sides and the others move", async () => {
    await drag([node("one", 3), node("two", 1)], side("two", "negative"));
    assert.deepEqual(
      [summary("one"), summary("two")],
      [
        ["p a p1", "n b p1", "n d"],
        ["n x", "n y", "n c"],
      ],
    );
  });

  it("nothing happens where nothing is below the pointer, or the example is there already", async () => {
    const before = [summary("one"), summary("two")];
    await drag([node("one", 1)], undefined);
    await drag([node("one", 1)], side("one", "positive"));
    await drag([node("one", 1)], setNode("one"));
    assert.deepEqual([summary("one"), summary("two")], before);
  });

  it("text that is dropped on a side becomes an example of it, and files are imported into the set", async () => {
    await drop(side("one", "negative"), "text/plain", "dropped");
    assert.equal(summary("one").at(-1), "n dropped");
    const file = await writeText("label,text\npositive,e\nnegative,f\n", "dropped.csv");
    await drop(setNode("two"), "text/uri-list", file.toString());
    assert.deepEqual(summary("two").slice(-2), ["p e", "n f"]);
    assert.equal(services.sets.active()?.name, "two");
  });

  it("a side with its first example is a new item, which VS Code does not remember as collapsed", () => {
    const positive: ExamplesNode = { kind: "side", uri: setFile("one"), label: "positive" };
    const item = (examples: boolean): vscode.TreeItem =>
      itemOf(positive, {
        file: examples ? services.sets.get(setFile("one")) : undefined,
        isActive: true,
        originOf: () => "unknown",
      });
    assert.notEqual(item(false).id, item(true).id);
    assert.equal(item(true).collapsibleState, vscode.TreeItemCollapsibleState.Expanded);
  });

  it("what is dragged out is the text", () => {
    const data = new vscode.DataTransfer();
    controller.handleDrag([node("one", 1), side("one", "negative"), node("one", 4)], data);
    assert.equal(data.get("text/plain")?.value, "a\nd");
  });

  it("Undo brings removed examples back to their places, and leaves what was added since", async () => {
    const before = summary("one");
    await undone(async () => {
      await run("removeExample", { set: "one", lines: [1, 3] });
      assert.deepEqual(summary("one"), ["n b", "n d"]);
      await run("addNegative", { set: "one", text: "later" });
    });
    await eventually(() => summary("one").length === 5);
    assert.deepEqual(summary("one"), [...before, "n later"]);
  });

  it("Undo takes back what was dragged, in both sets", async () => {
    const before = [summary("one"), summary("two")];
    await undone(() => drag([node("one", 1), node("one", 4)], side("two", "negative")));
    await eventually(() => summary("one").length === 4 && summary("two").length === 2);
    assert.deepEqual([summary("one"), summary("two")], before);
  });

  it("what is active because it comes first stays active when another comes before it", async () => {
    const { name } = services.sets.active()!;
    await write("+before all others", "p text p1");
    assert.equal(services.sets.all()[0]!.name, "+before all others");
    assert.equal(services.sets.active()!.name, name);
    await vscode.workspace.fs.delete(setFile("+before all others"));
    await services.sets.refresh();
  });

  it("Undo writes a deleted set again to the letter, and makes it the active one", async () => {
    await run("activateSet", "one");
    const bytes = await vscode.workspace.fs.readFile(setFile("one"));
    await undone(async () => {
      await run("deleteSet", "one");
      assert.equal(services.sets.get(setFile("one")), undefined);
    });
    await eventually(() => services.sets.active()?.name === "one");
    assert.deepEqual(await vscode.workspace.fs.readFile(setFile("one")), bytes);
  });
});
