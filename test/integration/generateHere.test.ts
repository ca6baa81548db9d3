import assert from "node:assert/strict";
import * as vscode from "vscode";
import type { GeneratedText } from "../../src/host/commands/generateHere.ts";
import type { Services } from "../../src/host/services.ts";
import { greedySampling, type Completion, type Steering } from "../../src/shared/engineContract.ts";
import {
  activate,
  closeEverything,
  eventually,
  openText,
  testVectors,
  writeTestVector,
} from "./support/editors.ts";

const maxTokens = 12;
const opening = "Once upon a time, there was a little girl named Lily.";

async function generate(options: object = {}): Promise<GeneratedText | undefined> {
  return vscode.commands.executeCommand("steering.generateHere", {
    maxTokens,
    temperature: 0,
    ...options,
  });
}

/** What the engine itself writes after the opening. */
async function continued(
  services: Services,
  variants: readonly (Steering | null)[],
): Promise<readonly Completion[]> {
  const { completions } = await services.engine.run({ title: "test" }, (job) =>
    job.engine.generate(
      { input: { text: opening }, template: "none", variants, sampling: { ...greedySampling, maxTokens } },
      job.call,
    ),
  );
  return completions;
}

function atEnd(editor: vscode.TextEditor): void {
  const { end } = editor.document.lineAt(editor.document.lineCount - 1).range;
  editor.selection = new vscode.Selection(end, end);
}

describe("Generate Here", () => {
  let services: Services;

  before(async () => {
    services = await activate();
    for (const { entry } of services.vectors.applied())
      await services.vectors.apply(entry.uri, { on: false });
  });
  afterEach(closeEverything);

  it("goes on at the cursor with what the model says, unsteered", async () => {
    const editor = await openText(`${opening}\nThe rest.`, "generated.txt");
    const cursor = new vscode.Position(0, opening.length);
    editor.selection = new vscode.Selection(cursor, cursor);
    const result = await generate();
    assert.ok(result);
    const [expected] = await continued(services, [null]);
    assert.equal(result.text, expected!.text);
    assert.deepEqual(result.ids, Array.from(expected!.ids));
    assert.equal(result.recipe, "");
    assert.equal(editor.document.getText(), `${opening}${result.text}\nThe rest.`);
  });

  it("is one step of undo", async () => {
    const editor = await openText(opening, "undone.txt");
    atEnd(editor);
    await vscode.commands.executeCommand("type", { text: " She" });
    const typed = editor.document.getText();
    const result = await generate();
    assert.equal(editor.document.getText(), typed + result!.text);
    await vscode.commands.executeCommand("type", { text: "!" });
    await vscode.commands.executeCommand("undo");
    assert.equal(editor.document.getText(), typed + result!.text);
    await vscode.commands.executeCommand("undo");
    assert.equal(editor.document.getText(), typed);
    await vscode.commands.executeCommand("redo");
    assert.equal(editor.document.getText(), typed + result!.text);
  });

  it("goes on after a selection, which is all that it reads", async () => {
    const alone = await openText(opening, "alone.txt");
    atEnd(alone);
    const expected = await generate();
    const editor = await openText(`Something else. ${opening} And more.`, "selection.txt");
    editor.selection = new vscode.Selection(0, 16, 0, 16 + opening.length);
    const result = await generate();
    assert.equal(result!.text, expected!.text);
    assert.equal(editor.document.getText(), `Something else. ${opening}${result!.text} And more.`);
  });

  it("is steered by the vectors that are switched on, and says so", async () => {
    const uri = await writeTestVector(services, "steers here");
    await services.vectors.apply(uri, { on: true, layers: [3], strength: 2 });
    try {
      const editor = await openText(opening, "steered.txt");
      atEnd(editor);
      const result = await generate();
      assert.equal(result!.recipe, '2*"steers here"@3 scope:after-prompt');
      const { hidden, values } = testVectors();
      const vector = values.slice(3 * hidden, 4 * hidden);
      const completions = await continued(services, [
        null,
        { terms: [{ layer: 3, vector, strength: 2 }], scope: "after-prompt" },
      ]);
      assert.notEqual(completions[0]!.text, completions[1]!.text);
      assert.equal(result!.text, completions[1]!.text);
    } finally {
      await vscode.workspace.fs.delete(uri);
      await eventually(() => services.vectors.get(uri) === undefined);
    }
  });

  it("reads the end of a text that is longer than the context", async () => {
    const editor = await openText(`${`${opening} `.repeat(60)}The dog`, "long-prompt.txt");
    atEnd(editor);
    const result = await generate();
    assert.equal(result!.ids.length, 12);
  });

  it("keeps the document's line ends", async () => {
    const editor = await openText(`${opening}\r\nHe said.\r\n`, "windows-ends.txt");
    atEnd(editor);
    const result = await generate({ maxTokens: 40 });
    assert.ok(!/[^\r]\n/.test(editor.document.getText()));
    assert.ok(editor.document.getText().endsWith(result!.text.replaceAll("\n", "\r\n")));
  });

  it("stops when it is told to, and keeps what was written as one step", async () => {
    const editor = await openText(opening, "stopped.txt");
    atEnd(editor);
    const running = generate({ maxTokens: 190 });
    await eventually(() => editor.document.getText().length > opening.length + 10);
    await vscode.commands.executeCommand("steering.stop");
    const result = await running;
    assert.equal(result!.isStopped, true);
    assert.equal(editor.document.getText(), opening + result!.text);
    assert.ok(result!.ids.length < 190);
    await vscode.commands.executeCommand("undo");
    assert.equal(editor.document.getText(), opening);
  });

  it("stops when somebody edits inside of it", async () => {
    const editor = await openText(opening, "edited.txt");
    atEnd(editor);
    const running = generate({ maxTokens: 190 });
    await eventually(() => editor.document.getText().length > opening.length + 10);
    while (
      !(await editor.edit((edit) => {
        edit.insert(new vscode.Position(0, opening.length + 3), "STOP");
      }))
    );
    const result = await running;
    assert.equal(result!.isStopped, true);
    assert.ok(editor.document.getText().slice(opening.length).includes("STOP"));
    const after = editor.document.getText();
    await eventually(() => services.engine.state.kind === "ready");
    assert.equal(editor.document.getText(), after);
  });

  it("moves with what is typed before it", async () => {
    const editor = await openText(`Title\n${opening}`, "shifted.txt");
    atEnd(editor);
    const running = generate({ maxTokens: 60 });
    await eventually(() => editor.document.getText().length > 6 + opening.length + 10);
    while (
      !(await editor.edit((edit) => {
        edit.insert(new vscode.Position(0, 0), "My ");
      }))
    );
    const result = await running;
    assert.equal(result!.isStopped, false);
    assert.equal(editor.document.getText(), `My Title\n${opening}${result!.text}`);
  });

  it("writes into a document that is no longer shown", async () => {
    const editor = await openText(opening, "hidden.txt");
    atEnd(editor);
    const { document } = editor;
    const running = generate({ maxTokens: 60 });
    await eventually(() => document.getText().length > opening.length + 10);
    await openText("Another text.", "shown.txt");
    const result = await running;
    assert.equal(result!.isStopped, false);
    assert.equal(document.getText(), opening + result!.text);
    assert.equal(vscode.window.activeTextEditor!.document.getText(), "Another text.");
  });

  it("ends quietly when its document is closed", async () => {
    const editor = await openText(opening, "closed.txt");
    atEnd(editor);
    const running = generate({ maxTokens: 190 });
    await eventually(() => editor.document.getText().length > opening.length + 10);
    await closeEverything();
    await running;
    await eventually(() => services.engine.state.kind === "ready");
  });
});
