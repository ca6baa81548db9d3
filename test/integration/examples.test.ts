import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as vscode from "vscode";
import { examplesOf, type Example } from "../../src/formats/exampleSet.ts";
import type { Services } from "../../src/host/services.ts";
import { activate, openText, run, workspaceUri, writeText } from "./support/editors.ts";
import { deleteMadeSets, setFile, setPath } from "./support/exampleSets.ts";

let services: Services;

const textOf = async (uri: vscode.Uri): Promise<string> =>
  new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const line = (label: string, text: string, more: object = {}): string =>
  JSON.stringify({ label, text, ...more });

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`never: ${what}`);
}

function examples(name: string): readonly Example[] {
  const set = services.sets.get(setFile(name))?.set;
  return set ? examplesOf(set).map(({ example }) => example) : [];
}

const summary = (name: string): string[] =>
  examples(name).map(({ label, text, pair }) => `${label[0]} ${text} ${pair ?? ""}`.trim());

async function newSet(name: string, ...lines: string[]): Promise<void> {
  await run("newSet", name);
  if (lines.length > 0) await run("addPositive", { set: name, text: "placeholder" });
  if (lines.length > 0) await writeText(lines.join("\n") + "\n", setPath(name));
  await services.sets.refresh();
}

const select = (...ranges: [number, number, number, number][]): vscode.Selection[] =>
  ranges.map((range) => new vscode.Selection(...range));

describe("examples", () => {
  before(async () => {
    services = await activate();
    await services.sets.ready;
  });

  it("the sample workspace's set is there and active", () => {
    assert.equal(services.sets.active()?.name, "happy-sad");
    assert.equal(examples("happy-sad").length, 24);
  });

  it("selections become examples, one each, in the order of the document, with their origin", async () => {
    await newSet("added");
    const editor = await openText("Zero.\nOne is here.\nTwo is here.\n", "origin.txt");
    editor.selections = select([2, 0, 3, 0], [1, 0, 1, 12]);
    const added = await run<{ set: string; lines: number[] }>("addPositive");
    assert.deepEqual(added, { set: setFile("added").toString(), lines: [1, 2] });
    editor.selections = select([0, 2, 0, 2]);
    await run("addNegative");
    assert.deepEqual(summary("added"), ["p One is here.", "p Two is here.", "n Zero."]);
    const written = (await textOf(setFile("added"))).trimEnd().split("\n");
    assert.deepEqual(JSON.parse(written[1]!), {
      label: "positive",
      text: "Two is here.",
      source: { uri: "origin.txt", range: [2, 0, 2, 12], sha256: sha256("Two is here.") },
    });
  });

  it("two selections become a pair, the first one made its positive side", async () => {
    const editor = await openText("sad\nhappy\n", "pair.txt");
    editor.selections = select([1, 0, 1, 5], [0, 0, 0, 3]);
    assert.equal((await run<{ pair: string }>("addPair")).pair, "p1");
    assert.deepEqual(summary("added").slice(3), ["p happy p1", "n sad p1"]);
  });

  it("a set's file that an editor holds unsaved gets new examples there, and unsaved lines stay", async () => {
    await newSet("unsaved", line("positive", "saved"));
    const document = await vscode.workspace.openTextDocument(setFile("unsaved"));
    const editor = await vscode.window.showTextDocument(document);
    await editor.edit((edit) => {
      edit.insert(new vscode.Position(1, 0), `${line("negative", "typed")}\n`);
    });
    assert.ok(document.isDirty);
    await run("addPositive", { set: "unsaved", text: "added" });
    assert.ok(document.isDirty);
    assert.deepEqual(document.getText().trimEnd().split("\n"), [
      line("positive", "saved"),
      line("negative", "typed"),
      line("positive", "added"),
    ]);
    assert.deepEqual(summary("unsaved"), ["p saved", "n typed", "p added"]);
    await document.save();
    assert.equal((await textOf(setFile("unsaved"))).trimEnd().split("\n").length, 3);
  });

  it("a file changed, made or deleted by others is picked up", async () => {
    await newSet("outside");
    await writeText(`${line("positive", "theirs")}\nbad\n`, setPath("outside"));
    await until(() => summary("outside")[0] === "p theirs", "the change is seen");
    assert.equal(services.sets.get(setFile("outside"))?.set?.problems[0]?.line, 2);
    await run("addNegative", { set: "outside", text: "mine" });
    assert.equal(
      await textOf(setFile("outside")),
      `${line("positive", "theirs")}\nbad\n${line("negative", "mine")}\n`,
    );
    await writeText(`${line("positive", "new")}\n`, setPath("made"));
    await until(() => summary("made").length === 1, "the new file is seen");
    await vscode.workspace.fs.delete(setFile("made"));
    await until(() => services.sets.get(setFile("made")) === undefined, "its end is seen");
  });

  it("examples are removed, moved, paired and unpaired", async () => {
    await newSet(
      "edits",
      line("positive", "a"),
      line("positive", "b"),
      line("negative", "c"),
      line("negative", "d"),
    );
    await run("pairExamples", { set: "edits", lines: [1, 3] });
    assert.deepEqual(summary("edits"), ["p a p1", "p b", "n c p1", "n d"]);
    await run("moveExample", { set: "edits", line: 2 });
    assert.deepEqual(summary("edits"), ["p a p1", "n b", "n c p1", "n d"]);
    await run("unpairExamples", { set: "edits", line: 1 });
    assert.deepEqual(summary("edits"), ["p a", "n b", "n c", "n d"]);
    assert.equal(await run("removeExample", { set: "edits", lines: [2, 4] }), 2);
    assert.deepEqual(summary("edits"), ["p a", "n c"]);
    await newSet("target", line("positive", "x"));
    await run("moveExampleToSet", { set: "edits", line: 1 }, undefined, "target");
    assert.deepEqual([summary("edits"), summary("target")], [["n c"], ["p x", "p a"]]);
  });

  it("an origin is followed while its document changes, and its new range is written when it is saved", async () => {
    await newSet("followed");
    const editor = await openText("first\nsecond\n", "followed.txt");
    editor.selections = select([1, 0, 1, 6]);
    await run("addPositive");
    await editor.edit((edit) => {
      edit.insert(new vscode.Position(0, 0), "before\n\n");
    });
    assert.equal(await run("revealExample", { set: "followed", line: 1 }), editor.document.uri.toString());
    const { selection, document } = vscode.window.activeTextEditor!;
    assert.equal(document.getText(selection), "second");
    await document.save();
    await until(
      async () => (await textOf(setFile("followed"))).includes("[3,0,3,6]"),
      "the range is written",
    );
    assert.equal(examples("followed")[0]?.source?.sha256, sha256("second"));
  });

  it("files are imported, and what was skipped is told", async () => {
    await writeText("label,text\npositive,a\nnegative,b\nmaybe,c\n", "table.csv");
    const imported = await run<{ added: number; skipped: unknown }>(
      "importExamples",
      workspaceUri("table.csv"),
      undefined,
      {
        set: "imported",
      },
    );
    assert.equal(imported.added, 2);
    assert.deepEqual(imported.skipped, [
      { file: "table.csv", line: 4, reason: '"maybe" is no side: use positive or negative.' },
    ]);
    await run("importExamples", workspaceUri("quiet-scenes.txt"), undefined, {
      set: "imported",
      side: "positive",
    });
    assert.equal(examples("imported").length, 14);
    assert.equal(services.sets.active()?.name, "imported");
  });

  it("sets are renamed, duplicated, exported and deleted", async () => {
    await newSet("first", line("positive", "a"), line("negative", "b", { note: 1 }));
    assert.equal(await run("renameSet", "first", "second"), setFile("second").toString());
    assert.equal(services.sets.active()?.name, "second");
    assert.equal(await run("duplicateSet", "second"), setFile("second-copy").toString());
    assert.deepEqual(summary("second-copy"), ["p a", "n b"]);
    await run("exportSet", "second", workspaceUri("out.csv"));
    assert.equal(
      await textOf(workspaceUri("out.csv")),
      "label,text,prompt,pair\r\npositive,a,,\r\nnegative,b,,\r\n",
    );
    await run("deleteSet", "second");
    assert.equal(services.sets.get(setFile("second")), undefined);
    assert.notEqual(services.sets.active(), undefined);
  });

  it("a name that is taken, or a set that is none, is refused", async () => {
    const before = services.sets.all().length;
    assert.equal(await run("newSet", "happy-sad"), undefined);
    assert.equal(await run("newSet", "a/b"), undefined);
    assert.equal(await run("activateSet", "no such set"), undefined);
    await services.sets.refresh();
    assert.equal(services.sets.all().length, before);
  });

  after(async () => {
    await vscode.commands.executeCommand("workbench.action.closeAllEditors");
    await run("activateSet", "happy-sad");
    await deleteMadeSets(services);
  });
});
