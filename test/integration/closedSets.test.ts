/** What is said of example sets that no editor shows. */
import assert from "node:assert/strict";
import * as vscode from "vscode";
import type { Services } from "../../src/host/services.ts";
import { setTooltip } from "../../src/host/views/exampleItems.ts";
import { activate, closeEverything, eventually, writeText } from "./support/editors.ts";
import { setPath } from "./support/exampleSets.ts";

const line = (label: string, text: string): string => JSON.stringify({ label, text });
const place = setPath("unopened");
const good = [line("positive", "a"), line("negative", "b")].join("\n");
const bad = `${good}\noops`;

function codes(uri: vscode.Uri): unknown[] {
  return vscode.languages.getDiagnostics(uri).map(({ code }) => code);
}

describe("an example set that no editor shows", () => {
  let services: Services;
  before(async () => {
    services = await activate();
  });
  afterEach(closeEverything);

  it("has its problems while its file has them", async () => {
    const uri = await writeText(bad, place);
    await eventually(() => codes(uri).join() === "bad-line");
    await writeText(good, place);
    await eventually(() => codes(uri).length === 0);
    await writeText(bad, place);
    await eventually(() => codes(uri).join() === "bad-line");
    await vscode.workspace.fs.delete(uri);
    await eventually(() => codes(uri).length === 0);
  });

  it("has them once, whether its editor opens, changes or closes", async () => {
    const uri = await writeText(bad, place);
    await eventually(() => codes(uri).join() === "bad-line");
    const editor = await vscode.window.showTextDocument(uri, { preview: false });
    await editor.edit((edit) => {
      edit.insert(new vscode.Position(0, 0), "what\n");
    });
    await eventually(() => codes(uri).join() === "bad-line,bad-line");
    // Closed without saving: what the file has counts again.
    await closeEverything();
    await eventually(() => codes(uri).join() === "bad-line");
    await vscode.workspace.fs.delete(uri);
  });

  it("tells where it is, what it holds and what is wrong with it on hover", async () => {
    const uri = await writeText(bad, place);
    const file = await eventually(() => services.sets.get(uri));
    const tooltip = setTooltip(file, true);
    assert.ok(tooltip instanceof vscode.MarkdownString);
    const words = tooltip.value.replaceAll(/&nbsp;|\\/g, (found) => (found === "\\" ? "" : " "));
    assert.match(words, /unopened\.jsonl/);
    assert.match(words, /1 positive, 1 negative/);
    assert.match(words, /New examples go here/);
    assert.match(words, /Line 3: This is not JSON/);
    await vscode.workspace.fs.delete(uri);
  });
});
