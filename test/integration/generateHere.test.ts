import assert from "node:assert/strict";
import * as vscode from "vscode";
import type { GeneratedText } from "../../src/host/commands/generateHere.ts";
import type { Services } from "../../src/host/services.ts";
import type { SteerscopeError } from "../../src/shared/errors.ts";
import { greedySampling, type Completion, type Steering } from "../../src/shared/engineContract.ts";
import {
  activate,
  activeEditor,
  closeEverything,
  eventually,
  openNotebookCell,
  openText,
  writeText,
} from "./support/editors.ts";
import { testVectors, writeTestVector } from "./support/vectors.ts";

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

  /** What is shown to the person while `run` runs. */
  async function messages(run: () => Promise<unknown>): Promise<readonly SteerscopeError[]> {
    const shown: SteerscopeError[] = [];
    const { notices } = services;
    const original = notices.showError.bind(notices);
    notices.showError = (error) => {
      shown.push(error as SteerscopeError);
      return Promise.resolve();
    };
    try {
      await run();
    } finally {
      notices.showError = original;
    }
    return shown;
  }

  describe("where nothing can be written", () => {
    const files = (): vscode.WorkspaceConfiguration => vscode.workspace.getConfiguration("files");
    const subscriptions: vscode.Disposable[] = [];

    before(async () => {
      await services.engine.restart();
    });
    after(async () => {
      vscode.Disposable.from(...subscriptions).dispose();
      await files().update("readonlyInclude", undefined, vscode.ConfigurationTarget.Global);
    });

    /** It says so before the engine starts, and nothing changes. */
    async function assertRefused(sentence: RegExp): Promise<void> {
      const text = vscode.window.activeTextEditor?.document.getText();
      const [error, ...more] = await messages(generate);
      assert.match(error!.message, sentence);
      assert.ok(error!.remedy);
      assert.deepEqual(more, []);
      assert.equal(services.engine.pid, undefined);
      assert.equal(vscode.window.activeTextEditor?.document.getText(), text);
    }

    it("refuses without an editor, and in the settings editor", async () => {
      await closeEverything();
      await assertRefused(/No text is open/);
      await vscode.commands.executeCommand("workbench.action.openSettings2");
      await eventually(() => vscode.window.tabGroups.activeTabGroup.activeTab);
      await assertRefused(/No text is open/);
    });

    it("refuses in the output panel", async () => {
      services.log.show();
      await activeEditor(({ scheme }) => scheme === "output");
      await assertRefused(/read-only/);
      await vscode.commands.executeCommand("workbench.action.closePanel");
    });

    it("refuses in documents of a content provider", async () => {
      subscriptions.push(
        vscode.workspace.registerTextDocumentContentProvider("steering-test", {
          provideTextDocumentContent: () => opening,
        }),
      );
      await vscode.window.showTextDocument(vscode.Uri.parse("steering-test:/a.txt"));
      await assertRefused(/read-only/);
    });

    it("refuses in files of a read-only file system, as those of git are", async () => {
      const bytes = new TextEncoder().encode(opening);
      const refuse = (): never => {
        throw vscode.FileSystemError.NoPermissions();
      };
      subscriptions.push(
        vscode.workspace.registerFileSystemProvider(
          "steering-readonly",
          {
            onDidChangeFile: () => new vscode.Disposable(() => undefined),
            watch: () => new vscode.Disposable(() => undefined),
            stat: () => ({ type: vscode.FileType.File, ctime: 0, mtime: 0, size: bytes.length }),
            readFile: () => bytes,
            readDirectory: () => [],
            createDirectory: refuse,
            writeFile: refuse,
            delete: refuse,
            rename: refuse,
          },
          { isReadonly: true },
        ),
      );
      await vscode.window.showTextDocument(vscode.Uri.parse("steering-readonly:/a.txt"));
      await assertRefused(/read-only/);
    });

    it("refuses in files that the settings make read-only", async () => {
      await files().update("readonlyInclude", { "frozen/*.txt": true }, vscode.ConfigurationTarget.Global);
      atEnd(await openText(opening, "frozen", "a.txt"));
      await assertRefused(/read-only/);
    });

    it("refuses on the left of a comparison, whose file could be written", async () => {
      const left = await writeText(opening, "left.txt");
      const right = await writeText(opening, "right.txt");
      await vscode.commands.executeCommand("vscode.diff", left, right);
      await activeEditor(({ path }) => path === right.path);
      await vscode.commands.executeCommand("workbench.action.compareEditor.focusSecondarySide");
      await activeEditor(({ path }) => path === left.path);
      await assertRefused(/read-only/);
    });

    it("stops at the first piece in an editor that was made read-only by hand", async () => {
      const editor = await openText(opening, "by-hand.txt");
      atEnd(editor);
      await vscode.commands.executeCommand("workbench.action.files.setActiveEditorReadonlyInSession");
      const [error, ...more] = await messages(() => generate({ maxTokens: 190 }));
      assert.match(error!.message, /read-only/);
      assert.deepEqual(more, []);
      assert.equal(editor.document.getText(), opening);
      await vscode.commands.executeCommand("workbench.action.files.resetActiveEditorReadonlyInSession");
    });
  });

  it("writes on the right of a comparison, and once where the text is shown twice", async () => {
    const left = await writeText(opening, "compared-left.txt");
    const right = await writeText(opening, "compared-right.txt");
    // The file of the left side is shown as such, too.
    await vscode.window.showTextDocument(left, { preview: false });
    await vscode.commands.executeCommand("workbench.action.splitEditor");
    await vscode.commands.executeCommand("vscode.diff", left, right, "both", { preview: false });
    const compared = await activeEditor(({ path }) => path === right.path);
    atEnd(compared);
    const written = await generate();
    assert.equal(compared.document.getText(), opening + written!.text);
    await vscode.commands.executeCommand("workbench.action.focusFirstEditorGroup");
    const editor = await activeEditor(({ path }) => path === left.path);
    const shown = vscode.window.visibleTextEditors.filter(({ document }) => document === editor.document);
    assert.equal(shown.length, 2);
    atEnd(editor);
    const result = await generate();
    assert.equal(editor.document.getText(), opening + result!.text);
    await vscode.commands.executeCommand("undo");
    assert.equal(editor.document.getText(), opening);
  });

  it("writes into a document without a file", async () => {
    const document = await vscode.workspace.openTextDocument({ content: opening });
    const editor = await vscode.window.showTextDocument(document);
    atEnd(editor);
    const result = await generate();
    assert.equal(document.getText(), opening + result!.text);
  });

  it("writes into a cell of a notebook", async () => {
    const editor = await openNotebookCell([opening], "story.ipynb");
    atEnd(editor);
    const result = await generate();
    assert.equal(editor.document.getText(), opening + result!.text);
  });

  describe("while VS Code saves by itself", () => {
    const files = (): vscode.WorkspaceConfiguration => vscode.workspace.getConfiguration("files");
    const set = async (values: Readonly<Record<string, unknown>>): Promise<void> => {
      for (const [key, value] of Object.entries(values))
        await vscode.workspace.getConfiguration().update(key, value, vscode.ConfigurationTarget.Global);
    };
    let formatter: vscode.Disposable;

    before(async () => {
      // Puts a mark at the beginning, and takes double spaces and spaces at ends of lines away.
      formatter = vscode.languages.registerDocumentFormattingEditProvider("plaintext", {
        provideDocumentFormattingEdits: (document) => {
          const whole = new vscode.Range(0, 0, document.lineCount, 0);
          const text = document.getText();
          const tidy = text.replaceAll(/ +$/gm, "").replace(/^(?!# )/, "# ");
          return [vscode.TextEdit.replace(whole, tidy)];
        },
      });
      await set({
        "files.autoSave": "afterDelay",
        "files.autoSaveDelay": 1,
        "editor.formatOnSave": true,
        "files.trimTrailingWhitespace": true,
        "files.insertFinalNewline": true,
      });
    });
    after(async () => {
      formatter.dispose();
      await set({
        "files.autoSave": "off",
        "files.autoSaveDelay": undefined,
        "editor.formatOnSave": undefined,
        "files.trimTrailingWhitespace": undefined,
        "files.insertFinalNewline": undefined,
      });
    });

    it("is one step of undo still, of the right text", async () => {
      assert.equal(files().get("autoSave"), "afterDelay");
      const text = `${opening}\nThe rest.\n`;
      const editor = await openText(text, "saved.txt");
      const { document } = editor;
      const cursor = new vscode.Position(0, opening.length);
      editor.selection = new vscode.Selection(cursor, cursor);
      const lengths = new Set<number>();
      const watch = vscode.workspace.onDidChangeTextDocument((event) => {
        if (event.document === document) lengths.add(document.getText().length);
      });
      let versionsSaved = 0;
      const saves = vscode.workspace.onDidSaveTextDocument((saved) => {
        if (saved === document) versionsSaved++;
      });
      const result = await generate({ maxTokens: 60 });
      watch.dispose();
      assert.equal(document.getText().replace(/^# /, ""), `${opening}${result!.text}\nThe rest.\n`);
      assert.equal(lengths.size, 1);
      await eventually(() => versionsSaved > 0 && !document.isDirty);
      saves.dispose();
      await vscode.commands.executeCommand("undo");
      assert.equal(document.getText().replace(/^# /, ""), text);
    });

    it("keeps what was generated when it is stopped", async () => {
      const editor = await openText(opening, "stopped-and-saved.txt");
      atEnd(editor);
      const running = generate({ maxTokens: 190 });
      await eventually(() => services.engine.state.kind === "busy" && services.engine.model !== null);
      await new Promise((resolve) => setTimeout(resolve, 300));
      await vscode.commands.executeCommand("steering.stop");
      const result = await running;
      assert.ok(result);
      assert.ok(editor.document.getText().includes(opening + result.text));
    });
  });

  it("has the right text when it is saved and formatted in the middle", async () => {
    const format = vscode.languages.registerDocumentFormattingEditProvider("plaintext", {
      provideDocumentFormattingEdits: (document) => [
        vscode.TextEdit.replace(
          new vscode.Range(0, 0, document.lineCount, 0),
          document.getText().toUpperCase(),
        ),
      ],
    });
    const setting = vscode.workspace.getConfiguration("editor");
    await setting.update("formatOnSave", true, vscode.ConfigurationTarget.Global);
    try {
      const editor = await openText(opening, "formatted.txt");
      const { document } = editor;
      atEnd(editor);
      const running = generate({ maxTokens: 190 });
      await eventually(() => document.getText().length > opening.length + 10);
      await document.save();
      const result = await running;
      // VS Code drops the work of a formatter that the next piece overtakes; else the formatting has ended the generation.
      const text = document.getText();
      const whole = (opening + result!.text).toUpperCase();
      if (result!.isStopped) assert.ok(whole.startsWith(text.toUpperCase()));
      else assert.equal(text.toUpperCase(), whole);
      await eventually(() => services.engine.state.kind === "ready");
      assert.equal(document.getText(), text);
    } finally {
      format.dispose();
      await setting.update("formatOnSave", undefined, vscode.ConfigurationTarget.Global);
    }
  });

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
    let result: GeneratedText | undefined;
    // On a busy machine the engine may be done before the first words are in the document: then once more.
    for (let attempt = 0; attempt < 5 && result?.isStopped !== true; attempt++) {
      if (result !== undefined) await vscode.commands.executeCommand("undo");
      atEnd(editor);
      const running = generate({ maxTokens: 190 });
      await eventually(() => editor.document.getText().length > opening.length + 10);
      await vscode.commands.executeCommand("steering.stop");
      result = await running;
    }
    assert.equal(result!.isStopped, true);
    assert.equal(editor.document.getText(), opening + result!.text);
    assert.ok(result!.ids.length < 190);
    await vscode.commands.executeCommand("undo");
    assert.equal(editor.document.getText(), opening);
  });

  it("stops when somebody edits inside of it", async () => {
    let editor = await openText(opening, "edited-0.txt");
    let result: GeneratedText | undefined;
    // As above: the edit has to come before the end.
    for (let attempt = 1; attempt <= 5 && result?.isStopped !== true; attempt++) {
      editor = await openText(opening, `edited-${attempt}.txt`);
      atEnd(editor);
      const running = generate({ maxTokens: 190 });
      await eventually(() => editor.document.getText().length > opening.length + 10);
      while (
        !(await editor.edit((edit) => {
          edit.insert(new vscode.Position(0, opening.length + 3), "STOP");
        }))
      );
      result = await running;
    }
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
