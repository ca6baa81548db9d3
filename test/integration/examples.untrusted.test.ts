import assert from "node:assert/strict";
import * as vscode from "vscode";
import { commandIds } from "../../src/host/ids.ts";
import { activate, workspaceUri } from "./support/editors.ts";

describe("examples in a workspace that is not trusted", () => {
  it("no set is loaded, and commands refuse and change nothing", async () => {
    const { sets } = await activate();
    await sets.refresh();
    assert.deepEqual(sets.all(), []);
    const folder = workspaceUri(".steering", "sets");
    const before = await vscode.workspace.fs.readDirectory(folder);
    assert.equal(await vscode.commands.executeCommand(commandIds.addPositive, { text: "a" }), undefined);
    assert.equal(await vscode.commands.executeCommand(commandIds.newSet, "mine"), undefined);
    const file = vscode.Uri.joinPath(folder, "happy-sad.jsonl");
    assert.equal(await vscode.commands.executeCommand(commandIds.deleteSet, file), undefined);
    assert.deepEqual(await vscode.workspace.fs.readDirectory(folder), before);
  });
});
