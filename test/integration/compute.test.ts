import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import * as vscode from "vscode";
import { parseVectorFile } from "../../src/formats/vectorFile.ts";
import type { ComputeOutcome } from "../../src/host/commands/computeVector.ts";
import { rememberedChoices } from "../../src/host/computeMemory.ts";
import type { Services } from "../../src/host/services.ts";
import { formatReadPosition } from "../../src/shared/readPosition.ts";
import { activate, eventually } from "./support/editors.ts";
import { setFile } from "./support/exampleSets.ts";

const setting = { method: "mean-difference" };

const happy = ["What a lovely sunny day", "She laughed with joy", "They won the prize", "He loves the cake"];
const sad = ["What an awful rainy day", "She cried with grief", "They lost the house", "He hates the mud"];
const lines = happy.flatMap((text, index) => [
  JSON.stringify({ label: "positive", text }),
  JSON.stringify({ label: "negative", text: sad[index] }),
]);

describe("Compute Steering Vector", () => {
  let services: Services;
  let set: vscode.Uri;
  const compute = (argument: object): Thenable<ComputeOutcome | undefined> =>
    vscode.commands.executeCommand<ComputeOutcome | undefined>("steering.computeVector", argument);
  const writeSet = async (content: readonly string[]): Promise<void> => {
    await vscode.workspace.fs.writeFile(set, new TextEncoder().encode(`${content.join("\n")}\n`));
  };

  before(async () => {
    services = await activate();
    set = setFile("compute-test");
  });

  beforeEach(() => writeSet(lines));

  after(async () => {
    for (const { uri } of services.vectors.all()) await rm(uri.fsPath, { force: true });
    await rm(set.fsPath, { force: true });
    await services.vectors.refresh();
  });

  it("writes a vector with its provenance, and the view knows it", async () => {
    const outcome = await compute({ set, ...setting, name: "mood" });
    assert.ok(outcome);
    assert.equal(outcome.layers, 6);
    assert.equal(outcome.hidden, 288);
    assert.ok(outcome.tokensComputed > 0);
    const uri = vscode.Uri.parse(outcome.uri);
    const { provenance } = parseVectorFile(await vscode.workspace.fs.readFile(uri));
    assert.equal(provenance?.examples.name, "compute-test");
    assert.deepEqual(
      [provenance.examples.positive, provenance.examples.negative, provenance.examples.pairs],
      [4, 4, 4],
    );
    assert.equal(provenance.model.id, "stories15m");
    assert.equal(provenance.suggested.layer, outcome.suggestedLayer);
    assert.equal(services.vectors.current()?.name, "mood");
  });

  it("reads nothing again that it has read, and writes beside what is there", async () => {
    const outcome = await compute({ set: "compute-test", ...setting, name: "mood" });
    assert.ok(outcome);
    assert.equal(outcome.tokensComputed, 0);
    assert.match(outcome.uri, /mood-2\.safetensors$/);
    const [first, second] = ["mood", "mood-2"].map(
      (name) => services.vectors.all().find((entry) => entry.name === name)?.file?.vectors,
    );
    assert.deepEqual(first, second);
  });

  it("takes what an editor holds unsaved", async () => {
    const document = await vscode.workspace.openTextDocument(set);
    const edit = new vscode.WorkspaceEdit();
    edit.insert(set, new vscode.Position(document.lineCount, 0), `${lines[0]!.replace("sunny", "bright")}\n`);
    await vscode.workspace.applyEdit(edit);
    const outcome = await compute({ set, position: "mean", name: "unsaved" });
    const entry = services.vectors.get(vscode.Uri.parse(outcome!.uri));
    assert.equal(entry?.file?.provenance?.examples.positive, 5);
    assert.equal(entry.file.provenance.position.kind, "mean");
    await vscode.window.showTextDocument(document);
    await vscode.commands.executeCommand("workbench.action.revertAndCloseActiveEditor");
  });

  it("computes nothing from a set with a bad line", async () => {
    await writeSet([...lines, '{"label":"maybe","text":"x"}']);
    const before = services.vectors.all().length;
    assert.equal(await compute({ set, ...setting }), undefined);
    assert.equal(services.vectors.all().length, before);
  });

  it("refuses unknown sets, methods and templates", async () => {
    for (const wrong of [
      { set: "nobody", name: "x" },
      { set, method: "magic" },
      { set, template: "html" },
    ]) {
      assert.equal(await compute(wrong), undefined);
    }
  });

  it("remembers choices when it has succeeded, and through a rename of the set", async () => {
    const positionOf = (uri: vscode.Uri): string =>
      formatReadPosition(rememberedChoices(services, { uri }).choices.position);
    const own = vscode.Uri.joinPath(set, "..", "choices-a.jsonl");
    await vscode.workspace.fs.copy(set, own);
    assert.ok(await compute({ set: own, position: "last-1", name: "choices" }));
    assert.equal(positionOf(own), "last-1");
    assert.equal(await compute({ set: own, position: "5000", name: "choices" }), undefined);
    assert.equal(positionOf(own), "last-1");
    const renamed = await vscode.commands.executeCommand<string>("steering.renameSet", own, "choices-b");
    await eventually(() => positionOf(vscode.Uri.parse(renamed)) === "last-1");
    await rm(vscode.Uri.parse(renamed).fsPath);
  });

  it("is about the set that the editor shows, where none is named", async () => {
    await writeSet(lines.slice(0, 4));
    await services.sets.refresh();
    const other = services.sets.all().find(({ uri }) => uri.toString() !== set.toString())!;
    await services.sets.setActive(other.uri);
    await vscode.window.showTextDocument(set);
    let outcome: ComputeOutcome | undefined;
    const computing = Promise.resolve(
      vscode.commands.executeCommand<ComputeOutcome | undefined>("steering.computeVector"),
    ).then((result) => (outcome = result));
    // The first line computes with what was chosen last.
    await eventually(async () => {
      await vscode.commands.executeCommand("workbench.action.acceptSelectedQuickOpenItem");
      return outcome !== undefined;
    });
    await computing;
    const entry = services.vectors.get(vscode.Uri.parse(outcome!.uri));
    assert.equal(entry?.file?.provenance?.examples.name, "compute-test");
    await vscode.commands.executeCommand("workbench.action.closeAllEditors");
  });

  it("stops, and writes nothing", async () => {
    const before = services.vectors.all().length;
    const text = (index: number): string =>
      Array.from({ length: 30 }, (_, n) => `word ${n * index}`).join(" ");
    await writeSet(
      Array.from({ length: 200 }, (_, index) =>
        JSON.stringify({ label: index % 2 === 0 ? "positive" : "negative", text: text(index + 7) }),
      ),
    );
    const isReading = new Promise<void>((resolve) => {
      const subscription = services.engine.onDidChangeState((state) => {
        if (state.kind !== "busy" || !state.progress.startsWith("pair ")) return;
        subscription.dispose();
        resolve();
      });
    });
    const running = compute({ set, ...setting, name: "stopped" });
    const first = await Promise.race([isReading.then(() => "reads"), running.then(() => "ended")]);
    assert.equal(first, "reads");
    services.engine.stopJobs();
    assert.equal(await running, undefined);
    assert.equal(services.vectors.all().length, before);
  });
});
