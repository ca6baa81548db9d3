/** What a reload of the window makes of a computation. The window of a test cannot be reloaded: its end is played. */
import assert from "node:assert/strict";
import * as vscode from "vscode";
import type { ComputeOutcome } from "../../src/host/commands/computeVector.ts";
import { commandIds } from "../../src/host/ids.ts";
import { notedAsRunning, tellInterrupted, type InterruptedCompute } from "../../src/host/runningComputes.ts";
import type { Services } from "../../src/host/services.ts";
import { activate, eventually } from "./support/editors.ts";
import { setFile } from "./support/exampleSets.ts";

const notedKey = "steering.runningComputes";

describe("interrupted computation", () => {
  let services: Services;
  let compute: InterruptedCompute;
  const noted = (): readonly unknown[] =>
    services.context.workspaceState.get<readonly unknown[]>(notedKey, []);

  before(async () => {
    services = await activate();
    compute = {
      set: setFile("happy-sad").toString(),
      name: "interrupted",
      model: "stories15m",
      method: "mean-difference",
      position: "last",
      template: "none",
    };
  });
  afterEach(async () => {
    await services.context.workspaceState.update(notedKey, undefined);
  });

  it("is noted while it runs, and not when it has ended, stopped or failed", async () => {
    const seen: (readonly unknown[])[] = [];
    const watch = services.engine.onDidChangeState(() => {
      seen.push(noted());
    });
    const { set, ...choices } = compute;
    const outcome = await vscode.commands.executeCommand<ComputeOutcome>(commandIds.computeVector, {
      set,
      ...choices,
    });
    watch.dispose();
    assert.ok(seen.some((list) => list.length === 1));
    assert.deepEqual(
      seen.find((list) => list.length === 1),
      [compute],
    );
    assert.deepEqual(noted(), []);
    await vscode.workspace.fs.delete(vscode.Uri.parse(outcome.uri));
    await services.vectors.refresh();
    assert.equal(services.vectors.get(vscode.Uri.parse(outcome.uri)), undefined);
    const failing = notedAsRunning(services, compute, () => Promise.reject(new Error("stopped")));
    await assert.rejects(failing);
    assert.deepEqual(noted(), []);
  });

  it("that ended with the window is told by the next one, once, and continued", async () => {
    const { context, notices } = services;
    const ending = notedAsRunning({ context, engine: { isDisposed: true } }, compute, () =>
      Promise.reject(new Error("the window ends")),
    );
    await assert.rejects(ending);
    assert.deepEqual(noted(), [compute]);
    await vscode.commands.executeCommand("notifications.clearAll");
    tellInterrupted({ context, notices });
    assert.deepEqual(noted(), []);
    await vscode.commands.executeCommand("notification.acceptPrimaryAction");
    const vector = await eventually(() => services.vectors.all().find(({ name }) => name === "interrupted"));
    await vscode.workspace.fs.delete(vector.uri);
  });
});
