import assert from "node:assert/strict";
import * as vscode from "vscode";

describe("a workspace that is not trusted", () => {
  it("is not trusted", async () => {
    assert.equal(vscode.workspace.isTrusted, false);
    const extension = vscode.extensions.getExtension("steerscope.steerscope");
    await extension!.activate();
    assert.ok(extension!.isActive);
  });
});
