import assert from "node:assert/strict";
import * as vscode from "vscode";
import { commandIds } from "../../src/host/ids.ts";
import type { Services } from "../../src/host/services.ts";

describe("examples in a workspace that is not trusted", () => {
  it("no set is loaded, and commands refuse and change nothing", async () => {
    const extension = vscode.extensions.getExtension<Services>("steerscope.steerscope");
    const { sets } = await extension!.activate();
    await sets.refresh();
    assert.deepEqual(sets.all(), []);
    const folder = vscode.Uri.joinPath(vscode.workspace.workspaceFolders![0]!.uri, ".steering", "sets");
    const before = await vscode.workspace.fs.readDirectory(folder);
    assert.equal(await vscode.commands.executeCommand(commandIds.addPositive, { text: "a" }), undefined);
    assert.equal(await vscode.commands.executeCommand(commandIds.newSet, "mine"), undefined);
    const file = vscode.Uri.joinPath(folder, "happy-sad.jsonl");
    assert.equal(await vscode.commands.executeCommand(commandIds.deleteSet, file), undefined);
    assert.deepEqual(await vscode.workspace.fs.readDirectory(folder), before);
  });
});
