import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import * as vscode from "vscode";
import { writeNewFileAtomically } from "../../src/client/files.ts";
import type { Services } from "../../src/host/services.ts";
import { findVector } from "../../src/host/vectorChoice.ts";
import { vectorNameNotice } from "../../src/host/vectorNames.ts";
import { encodeVectorFile, type VectorProvenance } from "../../src/formats/vectorFile.ts";
import { vectorFixture } from "../unit/support/vectorFixture.ts";
import { activate, eventually, workspaceUri } from "./support/editors.ts";

function bytesOf(seed: number, change: Partial<VectorProvenance> = {}): Uint8Array {
  const { layers, hidden, vectors, provenance } = vectorFixture(seed, change);
  return encodeVectorFile(layers, hidden, vectors, provenance);
}

/** Waits for what the file system tells; the test's own time limit ends it. */
async function until(services: Services, isSo: () => boolean): Promise<void> {
  if (isSo()) return;
  await new Promise<void>((resolve) => {
    const subscription = services.vectors.onDidChange(() => {
      if (!isSo()) return;
      subscription.dispose();
      resolve();
    });
  });
}

describe("vectors", () => {
  let services: Services;
  let folder: vscode.Uri;
  const names = (): string[] => services.vectors.all().map(({ name }) => name);
  const nameOf = (uri: string): string => services.vectors.get(vscode.Uri.parse(uri))!.name;

  const write = (name: string, bytes: Uint8Array): Promise<vscode.Uri> => services.vectors.write(name, bytes);

  before(async () => {
    services = await activate();
    await services.vectors.ready;
    folder = workspaceUri(".steering/vectors");
  });

  afterEach(async () => {
    await vscode.commands.executeCommand("workbench.action.closeAllEditors");
    for (const { uri } of services.vectors.all()) await rm(uri.fsPath, { force: true });
    await services.vectors.refresh();
  });

  it("knows what is written, and what appears, changes and vanishes on disk", async () => {
    const uri = await write("happy", bytesOf(1));
    assert.deepEqual(names(), ["happy"]);
    const other = vscode.Uri.joinPath(folder, "by-hand.safetensors");
    await vscode.workspace.fs.writeFile(other, bytesOf(2));
    await until(services, () => names().includes("by-hand"));
    await vscode.workspace.fs.writeFile(uri, bytesOf(3));
    await until(services, () => services.vectors.get(uri)?.file?.provenance?.examples.name === "set-3");
    await vscode.workspace.fs.delete(other);
    await until(services, () => !names().includes("by-hand"));
    assert.deepEqual(names(), ["happy"]);
  });

  it("shows a bad file with the reason, and does not apply it", async () => {
    const uri = await write("bad", new TextEncoder().encode("not a vector file, but long enough"));
    const entry = services.vectors.get(uri);
    assert.ok(entry);
    assert.equal(entry.file, null);
    assert.equal(entry.problem?.kind, "VectorInvalid");
    await services.vectors.apply(uri, { on: true });
    assert.deepEqual(services.vectors.applied(), []);
  });

  it("takes a free name where one is taken", async () => {
    const [first, second] = await Promise.all([write("same", bytesOf(1)), write("same", bytesOf(2))]);
    assert.notEqual(first.toString(), second.toString());
    assert.deepEqual(names().sort(), ["same", "same-2"]);
  });

  it("keeps the switch over a rename", async () => {
    const uri = await write("old", bytesOf(1));
    await vscode.commands.executeCommand("steering.setStrength", uri, "0-1 2.5");
    const renamed = await vscode.commands.executeCommand<string>("steering.renameVector", uri, "new name");
    assert.equal(nameOf(renamed), "new name");
    const applied = services.vectors.applied().map(({ entry, ...rest }) => ({ name: entry.name, ...rest }));
    assert.deepEqual(applied, [{ name: "new name", layers: [0, 1], strength: 2.5 }]);
    const recipe = await vscode.commands.executeCommand<string>("steering.editRecipe", "");
    assert.equal(recipe, "scope:after-prompt");
  });

  it("does not rename onto another vector", async () => {
    const uri = await write("one", bytesOf(1));
    await write("two", bytesOf(2));
    await assert.rejects(services.vectors.rename(uri, "two"), { kind: "InvalidRequest" });
    await assert.rejects(services.vectors.rename(uri, "TWO"), { kind: "InvalidRequest" });
    await assert.rejects(services.vectors.rename(uri, "a/b"), { kind: "InvalidRequest" });
    assert.deepEqual(names(), ["one", "two"]);
  });

  it("deletes several, and writes a file back", async () => {
    const [one, two] = [await write("one", bytesOf(1)), await write("two", bytesOf(2))];
    const items = [services.vectors.get(one), services.vectors.get(two)];
    const deleted = await vscode.commands.executeCommand("steering.deleteVector", items[0], items);
    assert.deepEqual(deleted, [one.toString(), two.toString()]);
    assert.deepEqual(names(), []);
    await services.vectors.restore(one, bytesOf(1));
    assert.deepEqual(names(), ["one"]);
  });

  it("brings a deleted one back by the button of the notice", async () => {
    const uri = await write("one", bytesOf(1));
    await services.vectors.apply(uri, { on: true });
    await vscode.commands.executeCommand("notifications.clearAll");
    await vscode.commands.executeCommand("steering.deleteVector", uri);
    assert.deepEqual(names(), []);
    await vscode.commands.executeCommand("notification.acceptPrimaryAction");
    await until(services, () => services.vectors.applied().length === 1);
    assert.deepEqual(
      services.vectors.applied().map(({ entry }) => entry.name),
      ["one"],
    );
  });

  it("does not switch on what gets the name of a deleted one", async () => {
    const uri = await write("one", bytesOf(1));
    await services.vectors.apply(uri, { on: true, strength: 3 });
    await vscode.commands.executeCommand("steering.deleteVector", uri);
    await write("one", bytesOf(2));
    assert.deepEqual(services.vectors.applied(), []);
  });

  it("keeps a deleted one where there is no trash, until it is brought back", async () => {
    const uri = await write("kept", bytesOf(1));
    const { globalStorageUri } = services.context;
    const kept = async (): Promise<string[]> => {
      const folder = vscode.Uri.joinPath(globalStorageUri, "deleted");
      const entries = await Promise.resolve(vscode.workspace.fs.readDirectory(folder)).catch(() => []);
      return entries.map(([name]) => name).filter((name) => name.endsWith(" kept.safetensors"));
    };
    // A desktop has a trash, a server has none; the test holds on both.
    const probe = await write("probe", bytesOf(2));
    const hasTrash = await Promise.resolve(vscode.workspace.fs.delete(probe, { useTrash: true })).then(
      () => true,
      () => false,
    );
    await vscode.commands.executeCommand("notifications.clearAll");
    await vscode.commands.executeCommand("steering.deleteVector", uri);
    assert.equal((await kept()).length, hasTrash ? 0 : 1);
    await vscode.commands.executeCommand("notification.acceptPrimaryAction");
    await until(services, () => names().includes("kept"));
    await eventually(async () => (await kept()).length === 0);
    assert.ok(Buffer.from(await vscode.workspace.fs.readFile(uri)).equals(bytesOf(1)));
  });

  it("makes no vector of a sum that is zero or names one that is not there", async () => {
    await write("a", bytesOf(1));
    for (const expression of ["1*a - 1*a", "0*a", "a + nobody"]) {
      const made = await vscode.commands.executeCommand("steering.combineVectors", { expression, name: "x" });
      assert.equal(made, undefined, expression);
    }
    assert.deepEqual(names(), ["a"]);
  });

  it("warns of a name that is taken, and says where a name is that no vector has", async () => {
    const uri = await write("a", bytesOf(1));
    const notice = vectorNameNotice(services.vectors, uri);
    assert.equal(notice("b"), undefined);
    assert.equal(typeof notice("a/b"), "string");
    assert.deepEqual(notice("a"), {
      message: 'There is a vector "a" already; it will be saved as "a-2".',
      severity: vscode.InputBoxValidationSeverity.Warning,
    });
    assert.throws(() => findVector(services.vectors, "nobody", 5), {
      message: 'There is no vector "nobody" (column 5).',
    });
  });

  it("writes two at once under two names, in two windows as well", async () => {
    const folderPath = folder.fsPath;
    await write("first", bytesOf(1));
    const bytes = [bytesOf(2), bytesOf(3)];
    const path = join(folderPath, "raced.safetensors");
    const [byWindow, uri] = await Promise.all([
      writeNewFileAtomically(path, bytes[0]!),
      write("raced", bytes[1]!),
    ]);
    await services.vectors.refresh();
    const sets = services.vectors
      .all()
      .map(({ name, file }) => [name, file?.provenance?.examples.name] as const)
      .filter(([name]) => name.startsWith("raced"));
    assert.equal(sets.length, byWindow ? 2 : 1);
    assert.equal(services.vectors.get(uri)?.file?.provenance?.examples.name, "set-3");
  });

  it("duplicates, negates and combines; what does not fit gives no file", async () => {
    const uri = await write("happy", bytesOf(1));
    await write("formal", bytesOf(2));
    const [copy] = await vscode.commands.executeCommand<string[]>("steering.duplicateVector", uri);
    assert.equal(nameOf(copy!), "happy-2");
    const [negated] = await vscode.commands.executeCommand<string[]>("steering.negateVector", uri);
    const file = services.vectors.get(vscode.Uri.parse(negated!))?.file;
    assert.ok(file);
    assert.equal(file.vectors[0], -vectorFixture(1).vectors[0]!);
    assert.equal(file.provenance?.combined?.[0]?.weight, -1);
    const sum = await vscode.commands.executeCommand<string>("steering.combineVectors", {
      expression: "0.5*happy - formal",
      name: "sum",
    });
    assert.equal(services.vectors.current()?.uri.toString(), sum);
    assert.equal(services.vectors.current()?.file?.provenance?.combined?.length, 2);
    const { model } = vectorFixture(1).provenance;
    await write("alien", bytesOf(4, { model: { ...model, hash: "x", id: "alien" } }));
    const before = names();
    const refused = await vscode.commands.executeCommand("steering.combineVectors", {
      expression: "happy + alien",
      name: "never",
    });
    assert.equal(refused, undefined);
    assert.deepEqual(names(), before);
  });

  it("applies a recipe line and says it again", async () => {
    await write("mood", bytesOf(1));
    const formal = await write("more formal", bytesOf(2));
    await services.vectors.apply(formal, { on: true });
    const line = "0.8*mood@1 scope:generated";
    assert.equal(await vscode.commands.executeCommand("steering.editRecipe", line), line);
    assert.deepEqual(
      services.vectors.applied().map(({ entry }) => entry.name),
      ["mood"],
    );
    assert.equal(services.vectors.scope(), "generated");
    assert.equal(await vscode.commands.executeCommand("steering.editRecipe", "2*nobody@1"), undefined);
    assert.deepEqual(
      services.vectors.applied().map(({ entry }) => entry.name),
      ["mood"],
    );
    await services.vectors.setScope(null);
  });

  it("switches on and off, at the suggested layer where none is set", async () => {
    const uri = await write("happy", bytesOf(1));
    const answer = { on: true, uris: [uri.toString()] };
    assert.deepEqual(await vscode.commands.executeCommand("steering.switchVector", uri), answer);
    assert.deepEqual(services.vectors.applied()[0]?.layers, [2]);
    assert.equal(services.vectors.applied()[0]?.strength, 1);
    await vscode.commands.executeCommand("steering.switchVector", uri);
    assert.deepEqual(services.vectors.applied(), []);
  });

  it("selects in the view what is new", async () => {
    const uri = await write("happy", bytesOf(1));
    const isSelected = (address: string): boolean => {
      const selected = services.vectors.selected().map((entry) => entry.uri.toString());
      return selected.length === 1 && selected[0] === address;
    };
    const [copy] = await vscode.commands.executeCommand<string[]>("steering.duplicateVector", uri);
    await eventually(() => isSelected(copy!));
    const [negated] = await vscode.commands.executeCommand<string[]>("steering.negateVector", uri);
    await eventually(() => isSelected(negated!));
    const sum = await vscode.commands.executeCommand<string>("steering.combineVectors", {
      expression: "2*happy",
      name: "twice",
    });
    await eventually(() => isSelected(sum));
    assert.equal(services.vectors.current()?.uri.toString(), sum);
  });

  it("opens in its own editor, also by name, also a bad one", async () => {
    await write("happy", bytesOf(1));
    await write("bad", new Uint8Array(3));
    for (const name of ["happy", "bad"]) {
      const uri = await vscode.commands.executeCommand<string>("steering.openVector", name);
      const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
      assert.ok(input instanceof vscode.TabInputCustom);
      assert.equal(input.viewType, "steering.vector");
      assert.equal(input.uri.toString(), uri);
    }
  });

  it("copies paths", async () => {
    const uri = await write("happy", bytesOf(1));
    await vscode.commands.executeCommand("steering.copyVectorPath", uri);
    assert.equal(await vscode.env.clipboard.readText(), join(folder.fsPath, "happy.safetensors"));
  });
});
