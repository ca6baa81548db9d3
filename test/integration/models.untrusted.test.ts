import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import * as vscode from "vscode";
import { commandIds } from "../../src/host/ids.ts";
import { activate, workspaceUri } from "./support/editors.ts";

describe("models in a workspace that is not trusted", () => {
  it("lists and loads none of the workspace", async () => {
    const { models, engine } = await activate();
    const folder = workspaceUri("inside").fsPath;
    const shipped = await models.get("stories15m");
    assert.ok(shipped);
    await cp(shipped.folder, folder, { recursive: true });
    await vscode.commands.executeCommand(commandIds.refreshModels);
    assert.equal(await models.get(folder), undefined);
    const refused = engine.run({ title: "test" }, (job) => models.load(job, folder));
    await assert.rejects(refused, { kind: "InvalidRequest" });
    assert.equal(engine.model, null);
  });
});
