/** Every command that would touch the folder refuses by itself, whatever menus show; what shows nothing of the folder works. */
import assert from "node:assert/strict";
import * as vscode from "vscode";
import { commandIds, type CommandName } from "../../src/host/ids.ts";
import { notTrusted } from "../../src/host/notices.ts";
import { activate, eventually, workspaceUri } from "./support/editors.ts";
import { setFile } from "./support/exampleSets.ts";

/** Commands that read and write nothing of the workspace. */
const free: ReadonlySet<CommandName> = new Set<CommandName>([
  "selectModel",
  "downloadModel",
  "cancelDownload",
  "discardDownload",
  "loadModel",
  "unloadModel",
  "testModel",
  "deleteModel",
  "revealModel",
  "openModelFolder",
  "refreshModels",
  "setHubToken",
  "forgetHubToken",
  "clearInspection",
  "stop",
  "restartEngine",
  "clearCaches",
  "showLog",
  "copyDiagnostics",
  "showStatus",
  "openWalkthrough",
]);

describe("trust", () => {
  it("every command that would touch the folder is refused with the reason", async () => {
    const { notices } = await activate();
    const set = setFile("happy-sad");
    const vector = workspaceUri(".steering", "vectors", "planted.safetensors");
    await vscode.workspace.fs.writeFile(vector, new Uint8Array(16));
    await vscode.window.showTextDocument(workspaceUri("story.txt"));
    const shown: unknown[] = [];
    notices.showError = (error) => {
      shown.push(error);
      return Promise.resolve();
    };
    const wrong: string[] = [];
    try {
      for (const name of Object.keys(commandIds) as CommandName[]) {
        if (free.has(name)) continue;
        shown.length = 0;
        const target = /vector|strength/i.test(name) && name !== "computeVector" ? vector : set;
        const argument = { computeVector: { set }, generateHere: undefined, editRecipe: "0.8*planted@3" }[
          name as string
        ];
        const answer = vscode.commands.executeCommand(commandIds[name], argument ?? target);
        // A command that asks instead of refusing would wait for ever.
        const result = await Promise.race([
          answer,
          new Promise((resolve) => setTimeout(resolve, 3000, "asks")),
        ]);
        await vscode.commands.executeCommand("workbench.action.closeQuickOpen");
        const [error] = shown;
        // The extension's classes are not the test's: they come from another bundle.
        const isRefused = error instanceof Error && error.message === notTrusted().message;
        if (result !== undefined || !isRefused) wrong.push(`${name}: ${String(error ?? result)}`);
      }
    } finally {
      Reflect.deleteProperty(notices, "showError");
    }
    assert.deepEqual(wrong, []);
    assert.deepEqual([...(await vscode.workspace.fs.readFile(vector))], [...new Uint8Array(16)]);
    await vscode.workspace.fs.delete(vector);
  });

  it("the refusal leads to where trust is given", async () => {
    await activate();
    await vscode.commands.executeCommand("notifications.clearAll");
    await vscode.commands.executeCommand("workbench.action.closeAllEditors");
    await vscode.commands.executeCommand(commandIds.computeVector);
    await vscode.commands.executeCommand("notification.acceptPrimaryAction");
    const label = await eventually(() => vscode.window.tabGroups.activeTabGroup.activeTab?.label);
    assert.equal(label, "Workspace Trust");
    await vscode.commands.executeCommand("workbench.action.closeAllEditors");
  });

  it("nothing of the folder is known", async () => {
    const { sets, vectors, engine } = await activate();
    await Promise.all([sets.refresh(), vectors.refresh()]);
    assert.deepEqual(sets.all(), []);
    assert.deepEqual(vectors.all(), []);
    assert.deepEqual(vectors.applied(), []);
    assert.equal(engine.pid, undefined);
  });

  it("a setting of the folder does not choose what is loaded", async () => {
    const { models } = await activate();
    const text = JSON.stringify({ "steering.defaultModel": "/tmp/evil", "steering.modelFolders": ["/tmp"] });
    await vscode.workspace.fs.writeFile(
      workspaceUri(".vscode", "settings.json"),
      new TextEncoder().encode(text),
    );
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(models.selected(), "stories15m");
  });

  it("the embedded model, the log and diagnostics are there", async () => {
    const text = await vscode.commands.executeCommand<string>(commandIds.copyDiagnostics);
    assert.match(text, /workspace trusted: no/);
    await vscode.commands.executeCommand(commandIds.loadModel, "stories15m");
    const { engine } = await activate();
    assert.equal(engine.model?.name, "stories15m");
    await engine.restart();
    assert.equal(engine.pid, undefined);
  });
});
