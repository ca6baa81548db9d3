import assert from "node:assert/strict";
import * as vscode from "vscode";
import type { InspectionResult } from "../../src/host/editor/inspection.ts";
import type { Services } from "../../src/host/services.ts";
import {
  activate,
  activeEditor,
  closeEverything,
  eventually,
  openNotebookCell,
  openText,
  writeText,
} from "./support/editors.ts";
import { setPath } from "./support/exampleSets.ts";
import { hoverTexts } from "./support/providers.ts";
import { testVectors, writeTestVector } from "./support/vectors.ts";

const text = "Once upon a time, there was a little girl named Lily.";

async function inspect(...args: unknown[]): Promise<InspectionResult | undefined> {
  return vscode.commands.executeCommand("steering.inspectSelection", ...args);
}

/** What the hover of the inspection says at a place; empty where there is none. */
async function hoverAt({ document }: vscode.TextEditor, line: number, character: number): Promise<string> {
  const texts = await hoverTexts(document, line, character);
  return texts.filter((each) => each.includes("layer")).join("\n");
}

describe("Inspect Selection", () => {
  let services: Services;
  let vector: vscode.Uri;

  before(async () => {
    services = await activate();
    vector = await writeTestVector(services, "inspected");
  });
  afterEach(async () => {
    await vscode.commands.executeCommand("steering.clearInspection");
    await closeEverything();
  });
  after(async () => {
    await vscode.workspace.fs.delete(vector);
  });

  it("gives every token its projection on the unit vector of every layer", async () => {
    await openText(text, "inspected.txt");
    const result = await inspect({ vector: "inspected", layer: 3 });
    assert.ok(result);
    assert.equal(result.layer, 3);
    assert.equal(result.tokens.map((token) => token.text).join(""), text);

    const { layers, hidden, values } = testVectors();
    const { resid, ids } = await services.engine.run({ title: "test" }, (job) =>
      job.engine.activations({ input: { text }, template: "none", steering: null, logits: false }, job.call),
    );
    const count = ids.length;
    // Without the token that begins every text.
    assert.equal(result.tokens.length, count - 1);
    for (let layer = 0; layer < layers; layer++) {
      const direction = values.subarray(layer * hidden, (layer + 1) * hidden);
      const norm = Math.hypot(...direction);
      result.tokens.forEach(({ projections }, place) => {
        const start = ((layer + 1) * count + place + 1) * hidden;
        const expected = direction.reduce((sum, value, i) => sum + (value / norm) * resid[start + i]!, 0);
        assert.ok(
          Math.abs(projections[layer]! - expected) < 1e-3 * Math.max(1, Math.abs(expected)),
          `layer ${layer}`,
        );
      });
    }
    assert.deepEqual(
      result.tokens.map(({ projection }) => projection),
      result.tokens.map(({ projections }) => projections[3]),
    );
  });

  it("inspects selections, each on its own, and tells the numbers on hover", async () => {
    const editor = await openText(`${text}\n${text}`, "selected.txt");
    editor.selections = [new vscode.Selection(0, 0, 0, 16), new vscode.Selection(1, 0, 1, 16)];
    const result = await inspect();
    assert.ok(result);
    assert.deepEqual([...new Set(result.tokens.map(({ range }) => range[0]))], [0, 1]);
    assert.ok(result.tokens.every(({ range }) => range[3] <= 16));
    const half = result.tokens.length / 2;
    assert.deepEqual(
      result.tokens.slice(0, half).map(({ projection }) => projection),
      result.tokens.slice(half).map(({ projection }) => projection),
    );
    const hover = await hoverAt(editor, 1, 6);
    assert.match(hover, /projection on inspected at layer/);
    assert.match(hover, /\| \*\*\d\*\* \|/);
    assert.equal(await hoverAt(editor, 0, 30), "");
  });

  it("reads Windows' line ends as line feeds", async () => {
    await openText("Lily ran.\nTom sat.", "unix.txt");
    const unix = await inspect();
    await openText("Lily ran.\r\nTom sat.", "windows.txt");
    const windows = await inspect();
    assert.deepEqual(
      windows!.tokens.map(({ projection }) => projection),
      unix!.tokens.map(({ projection }) => projection),
    );
    assert.deepEqual(windows!.tokens.at(-1)!.range, unix!.tokens.at(-1)!.range);
  });

  it("reads texts longer than the context in windows", async () => {
    await openText(Array.from({ length: 40 }, () => text).join(" "), "long.txt");
    const result = await inspect();
    assert.ok(result!.tokens.length > 256);
    assert.ok(result!.tokens.every(({ projections }) => projections.every((value) => value !== 0)));
    assert.equal(result!.tokens.at(-1)!.range[3], 40 * (text.length + 1) - 1);
  });

  it("inspects the examples of a set at their places, not its JSON", async () => {
    const editor = await openText(
      `{"label": "positive", "text": "Say \\"hi\\",\\nLily."}\n{"label": "negative", "text": "No."}`,
      setPath("inspected"),
    );
    const result = await inspect({ uri: editor.document.uri });
    const onLine = (line: number): string => {
      const tokens = result!.tokens.filter(({ range }) => range[0] === line);
      return tokens.map((token) => token.text).join("");
    };
    assert.equal(onLine(0), 'Say \\"hi\\",\\nLily.');
    assert.equal(onLine(1), "No.");
  });

  it("is never wrong while the text changes", async () => {
    const editor = await openText(text, "typed.txt");
    await inspect();
    const before = await hoverAt(editor, 0, 26);
    const insert = (character: number, what: string) =>
      editor.edit((edit) => {
        edit.insert(new vscode.Position(0, character), what);
      });
    // "little" becomes "liXttle": what follows is unknown at once, what precedes stays.
    await insert(32, "X");
    assert.equal(await hoverAt(editor, 0, 40), "");
    assert.equal(await hoverAt(editor, 0, 26), before);
    // Then it is read again, as the text is now.
    await eventually(() => services.engine.state.kind === "ready");
    let hover = "";
    while (hover === "") hover = await hoverAt(editor, 0, 40);
    const again = await inspect();
    const token = again!.tokens.find(({ range }) => range[1] <= 40 && 40 < range[3])!;
    const figure = Math.abs(token.projection).toFixed(3);
    assert.ok(hover.includes(figure), `${hover} has not ${figure}`);
  });

  it("of a whole document is of what is written at its ends, too", async () => {
    const editor = await openText(text, "ends.txt");
    await inspect();
    const insert = (character: number, what: string) =>
      editor.edit((edit) => {
        edit.insert(new vscode.Position(0, character), what);
      });
    const expectReadAgain = async (place: number): Promise<void> => {
      const hover = await eventually(async () => (await hoverAt(editor, 0, place)) || undefined);
      const again = await inspect();
      const token = again!.tokens.find(({ range }) => range[1] <= place && place < range[3])!;
      const figure = Math.abs(token.projection).toFixed(3);
      assert.ok(hover.includes(figure), `${hover} has not ${figure}`);
    };
    await insert(text.length, " She sang");
    assert.notEqual(await hoverAt(editor, 0, 20), "");
    await expectReadAgain(text.length + 6);
    await insert(0, "Now: ");
    // All of it follows what is new.
    assert.equal(await hoverAt(editor, 0, 25), "");
    await expectReadAgain(25);
    await expectReadAgain(1);
  });

  it("moves with text that is inserted before it", async () => {
    const editor = await openText(`\n${text}`, "moved.txt");
    editor.selection = new vscode.Selection(1, 0, 1, text.length);
    await inspect();
    const before = await hoverAt(editor, 1, 26);
    assert.notEqual(before, "");
    await editor.edit((edit) => {
      edit.insert(new vscode.Position(0, 0), "Title\n");
    });
    assert.equal(await hoverAt(editor, 2, 26), before);
    assert.equal(await hoverAt(editor, 1, 0), "");
  });

  it("is cleared by its command", async () => {
    const editor = await openText(text, "cleared.txt");
    await inspect();
    assert.notEqual(await hoverAt(editor, 0, 20), "");
    await vscode.commands.executeCommand("steering.clearInspection");
    assert.equal(await hoverAt(editor, 0, 20), "");
  });

  it("stays when its vector's file is written again as it was", async () => {
    const editor = await openText(text, "touched.txt");
    await inspect({ vector: "inspected", layer: 3 });
    const before = services.vectors.get(vector)!.file;
    await vscode.workspace.fs.writeFile(vector, await vscode.workspace.fs.readFile(vector));
    await eventually(() => services.vectors.get(vector)?.file !== before);
    assert.notEqual(await hoverAt(editor, 0, 20), "");
  });

  it("goes when its vector goes", async () => {
    const doomed = await writeTestVector(services, "doomed");
    const editor = await openText(text, "doomed.txt");
    await inspect({ vector: doomed });
    assert.notEqual(await hoverAt(editor, 0, 20), "");
    await vscode.workspace.fs.delete(doomed);
    await eventually(() => services.vectors.get(doomed) === undefined);
    assert.equal(await hoverAt(editor, 0, 20), "");
  });

  describe("in texts of other kinds", () => {
    async function assertShown(editor: vscode.TextEditor): Promise<void> {
      assert.notEqual(await hoverAt(editor, 0, 20), "");
    }

    it("reads documents that cannot be edited", async () => {
      const provider = vscode.workspace.registerTextDocumentContentProvider("steering-inspected", {
        provideTextDocumentContent: () => text,
      });
      try {
        const uri = vscode.Uri.parse("steering-inspected:/a.txt");
        const editor = await vscode.window.showTextDocument(uri);
        const result = await inspect();
        assert.equal(result!.tokens.map((token) => token.text).join(""), text);
        await assertShown(editor);
      } finally {
        provider.dispose();
      }
    });

    it("reads each side of a comparison", async () => {
      const left = await writeText(text, "inspect-left.txt");
      const right = await writeText(text.replace("girl", "dog"), "inspect-right.txt");
      await vscode.commands.executeCommand("vscode.diff", left, right);
      const rightEditor = await activeEditor(({ path }) => path === right.path);
      assert.ok(await inspect());
      await assertShown(rightEditor);
      await vscode.commands.executeCommand("workbench.action.compareEditor.focusSecondarySide");
      const leftEditor = await activeEditor(({ path }) => path === left.path);
      assert.equal(await hoverAt(leftEditor, 0, 20), "");
      assert.ok(await inspect());
      await assertShown(leftEditor);
      await assertShown(rightEditor);
      await vscode.commands.executeCommand("steering.clearInspection");
      for (const editor of [leftEditor, rightEditor]) assert.equal(await hoverAt(editor, 0, 20), "");
    });

    it("reads documents without a file", async () => {
      const document = await vscode.workspace.openTextDocument({ content: text });
      const editor = await vscode.window.showTextDocument(document);
      assert.ok(await inspect());
      await assertShown(editor);
    });

    it("reads the cell of a notebook that is being edited", async () => {
      const editor = await openNotebookCell([text, text], "inspected.ipynb");
      const result = await inspect();
      assert.equal(result!.tokens.map((token) => token.text).join(""), text);
      await assertShown(editor);
    });

    it("says that no text is open where none is", async () => {
      await closeEverything();
      await vscode.commands.executeCommand("workbench.action.openSettings2");
      assert.equal(await inspect(), undefined);
    });
  });

  it("refuses layers and vectors that are not there, and gives nothing", async () => {
    await openText(text, "refused.txt");
    assert.equal(await inspect({ layer: 99 }), undefined);
    assert.equal(await inspect({ vector: "nobody" }), undefined);
  });
});
