import assert from "node:assert/strict";
import * as vscode from "vscode";
import { activate, openText } from "./support/editors.ts";
import { setPath } from "./support/exampleSets.ts";
import { codeLenses } from "./support/providers.ts";

describe("editors of a workspace that is not trusted", () => {
  it("show nothing of example sets", async () => {
    await activate();
    const { document } = await openText('{"label": "positive", "text": "a"}\noops', setPath("untrusted"));
    assert.deepEqual(await codeLenses(document), []);
    assert.deepEqual(vscode.languages.getDiagnostics(document.uri), []);
  });

  it("are neither inspected nor written into, and no engine starts", async () => {
    const services = await activate();
    const { document } = await openText("Once upon a time", "untrusted.txt");
    assert.equal(await vscode.commands.executeCommand("steering.inspectSelection"), undefined);
    assert.equal(await vscode.commands.executeCommand("steering.generateHere", { maxTokens: 2 }), undefined);
    assert.equal(document.getText(), "Once upon a time");
    assert.equal(services.engine.pid, undefined);
  });
});
