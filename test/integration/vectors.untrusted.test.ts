import assert from "node:assert/strict";
import * as vscode from "vscode";
import { encodeVectorFile } from "../../src/formats/vectorFile.ts";
import { vectorFixture } from "../unit/support/vectorFixture.ts";
import { activate, workspaceUri } from "./support/editors.ts";

describe("vectors of a workspace that is not trusted", () => {
  it("are not read, and no command touches them", async () => {
    const services = await activate();
    const uri = workspaceUri(".steering/vectors/happy.safetensors");
    const { layers, hidden, vectors, provenance } = vectorFixture();
    await vscode.workspace.fs.writeFile(uri, encodeVectorFile(layers, hidden, vectors, provenance));
    try {
      await services.vectors.refresh();
      assert.deepEqual(services.vectors.all(), []);
      const commands = ["open", "rename", "delete", "duplicate", "negate", "reveal", "switch"];
      for (const name of commands) {
        assert.equal(await vscode.commands.executeCommand(`steering.${name}Vector`, uri, "new"), undefined);
      }
      for (const name of ["setStrength", "editRecipe", "combineVectors", "copyVectorPath", "computeVector"]) {
        assert.equal(
          await vscode.commands.executeCommand(`steering.${name}`, { name: "x" }, "0 1"),
          undefined,
        );
      }
      const files = await vscode.workspace.fs.readDirectory(vscode.Uri.joinPath(uri, ".."));
      assert.deepEqual(
        files.map(([name]) => name),
        ["happy.safetensors"],
      );
      assert.equal(services.engine.pid, undefined);
    } finally {
      await vscode.workspace.fs.delete(uri);
    }
  });
});
