/** Example sets that others write while examples are added: no line of anybody is lost. */
import assert from "node:assert/strict";
import { appendFileSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import * as vscode from "vscode";
import { changeSharedFile } from "../../src/client/sharedFile.ts";
import type { Services } from "../../src/host/services.ts";
import { activate, closeEverything, run, writeText } from "./support/editors.ts";
import { deleteMadeSets, setFile, setPath } from "./support/exampleSets.ts";

const maxBytes = 1_000_000;
const line = (text: string): string => JSON.stringify({ label: "positive", text });

describe("example sets with several writers", () => {
  let services: Services;
  const add = (set: string, text: string): Thenable<unknown> => run("addPositive", { set, text });
  const onDisk = (name: string): string[] => readFileSync(setFile(name).fsPath, "utf8").trimEnd().split("\n");

  async function start(name: string): Promise<vscode.Uri> {
    const uri = await writeText(`${line("first")}\n`, setPath(name));
    await services.sets.refresh();
    return uri;
  }

  async function addOurs(name: string, indices: readonly number[]): Promise<void> {
    for (const index of indices) await add(name, `ours ${index}`);
  }

  /** Whether the file holds what it began with, and ours and theirs of each index, once. */
  function assertBoth(name: string, indices: readonly number[]): void {
    const expected = ["first", ...indices.flatMap((index) => [`ours ${index}`, `theirs ${index}`])];
    assert.deepEqual(onDisk(name).sort(), expected.map(line).sort());
  }

  /** Whether all are on disk or in the editor, which asks before it overwrites what it has not seen. */
  function assertKept(name: string, document: vscode.TextDocument, expected: readonly string[]): void {
    const kept = new Set([...onDisk(name), ...document.getText().split("\n")]);
    assert.deepEqual(
      expected.filter((each) => !kept.has(each)),
      [],
    );
  }

  before(async () => {
    services = await activate();
    await services.sets.ready;
  });

  afterEach(async () => {
    await closeEverything();
    await deleteMadeSets(services);
  });

  it("another window that adds at the same time", async () => {
    const { fsPath } = await start("windows");
    const indices = Array.from({ length: 60 }, (_, index) => index);
    // The test's own copy of the code holds the lock like another process.
    const theirs = async (): Promise<void> => {
      for (const index of indices) {
        await changeSharedFile(fsPath, maxBytes, (text) => `${text}${line(`theirs ${index}`)}\n`);
      }
    };
    await Promise.all([theirs(), addOurs("windows", indices)]);
    assertBoth("windows", indices);
  });

  it("a program without the lock that appends", async () => {
    const { fsPath } = await start("appended");
    const indices = Array.from({ length: 40 }, (_, index) => index);
    const theirs = async (): Promise<void> => {
      for (const index of indices) {
        appendFileSync(fsPath, `${line(`theirs ${index}`)}\n`);
        await sleep(7);
      }
    };
    await Promise.all([theirs(), addOurs("appended", indices)]);
    assertBoth("appended", indices);
  });

  it("somebody who types and saves in the set's own editor", async () => {
    const uri = await start("typed");
    const document = await vscode.workspace.openTextDocument(uri);
    const editor = await vscode.window.showTextDocument(document, { preview: false });
    const indices = Array.from({ length: 25 }, (_, index) => index);
    const typed: string[] = [];
    const typing = async (): Promise<void> => {
      for (const index of indices) {
        const text = line(`typed ${index}`);
        // Refused where the document changed since the editor was last told; a person types again.
        const isDone = await editor.edit((edit) => {
          edit.insert(new vscode.Position(document.lineCount - 1, 0), `${text}\n`);
        });
        if (isDone) typed.push(text);
        if (index % 3 === 0) await document.save();
        await sleep(11);
      }
    };
    const adding = async (): Promise<void> => {
      for (const index of indices) {
        await add("typed", `ours ${index}`);
        await sleep(5);
      }
    };
    await Promise.all([typing(), adding()]);
    assert.ok(typed.length > 10);
    assertKept("typed", document, [
      line("first"),
      ...typed,
      ...indices.map((index) => line(`ours ${index}`)),
    ]);
  });

  it("somebody who begins to type while an addition is on its way", async () => {
    const uri = await start("raced");
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document, { preview: false });
    const adding = add("raced", "ours");
    const edit = new vscode.WorkspaceEdit();
    edit.insert(uri, new vscode.Position(1, 0), `${line("typed")}\n`);
    await vscode.workspace.applyEdit(edit);
    await adding;
    assertKept("raced", document, ["first", "ours", "typed"].map(line));
  });

  it("a copy of a set holds what its editor holds unsaved", async () => {
    const uri = await start("copied");
    const edit = new vscode.WorkspaceEdit();
    edit.insert(uri, new vscode.Position(1, 0), `${line("unsaved")}\n`);
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document);
    await vscode.workspace.applyEdit(edit);
    await run("duplicateSet", "copied");
    assert.deepEqual(onDisk("copied-copy"), [line("first"), line("unsaved")]);
    assert.deepEqual(onDisk("copied"), [line("first")]);
  });
});
