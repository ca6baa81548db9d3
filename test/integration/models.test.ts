import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as vscode from "vscode";
import { currentStatus } from "../../src/host/engineStatus.ts";
import type { ModelEntry } from "../../src/host/modelScan.ts";
import { licenceText, modelWords } from "../../src/host/modelText.ts";
import type { Services } from "../../src/host/services.ts";
import { HubServer, type HubContent } from "../support/hubServer.ts";
import { ProxyServer } from "../support/proxyServer.ts";
import { activate, eventually, run } from "./support/editors.ts";

const commit = "0123456789abcdef0123456789abcdef01234567";

describe("models", () => {
  let services: Services;
  let base: string;
  const configuration = (): vscode.WorkspaceConfiguration => vscode.workspace.getConfiguration("steering");
  const set = (key: string, value: unknown): Thenable<void> =>
    configuration().update(key, value, vscode.ConfigurationTarget.Global);
  const entry = async (reference: string): Promise<ModelEntry> => {
    const found = await services.models.get(reference);
    assert.ok(found, `${reference} is not in the list`);
    return found;
  };

  before(async () => {
    services = await activate();
    base = await mkdtemp(join(tmpdir(), "steerscope-models-"));
  });
  after(async () => {
    await set("modelFolders", undefined);
    await set("hubEndpoint", undefined);
    await services.models.select(undefined);
    await rm(base, { recursive: true, force: true });
  });

  it("lists what ships and what can be downloaded", async () => {
    const shipped = await entry("stories15m");
    assert.equal(shipped.origin, "embedded");
    assert.deepEqual([shipped.config?.layers, shipped.config?.hidden], [6, 288]);
    assert.deepEqual(services.models.stateOf(await entry("gpt2")), { kind: "absent" });
    assert.equal(services.models.selected(), "stories15m");
  });

  it("loads, tests and unloads, and says so", async () => {
    const description = await run<{ layers: number; precision: string }>("loadModel", "stories15m");
    assert.equal(description.layers, 6);
    assert.equal(services.models.stateOf(await entry("stories15m")).kind, "loaded");
    const test = await run<{ passed: boolean; checks: readonly { name: string }[] }>(
      "testModel",
      "stories15m",
    );
    assert.equal(test.passed, true);
    const report = vscode.workspace.textDocuments.find(({ uri }) => uri.scheme === "steerscope-report");
    assert.ok(report);
    const text = report.getText();
    for (const { name } of test.checks) assert.ok(text.includes(name), name);
    await run("unloadModel");
    assert.equal(services.models.stateOf(await entry("stories15m")).kind, "present");
    // Remembered over sessions.
    const remembered = await entry("stories15m");
    assert.deepEqual([remembered.precision, remembered.selfTest], [description.precision, true]);
  });

  it("tests the model that is picked", async () => {
    // An accept that comes before the items are drawn closes the list, and nothing is picked: then once more.
    let report: { passed: boolean } | undefined;
    while (report === undefined) {
      const test = run<{ passed: boolean } | undefined>("testModel");
      // The embedded model comes first.
      while (!(await Promise.race([test.then(() => true), sleep(200, false)]))) {
        await vscode.commands.executeCommand("workbench.action.acceptSelectedQuickOpenItem");
      }
      report = await test;
    }
    assert.equal(report.passed, true);
  });

  it("finds models under a folder, also behind links, and loads one", async () => {
    const shipped = (await entry("stories15m")).folder;
    await mkdir(join(base, "folders/deep"), { recursive: true });
    await cp(shipped, join(base, "real"), { recursive: true });
    await symlink(join(base, "real"), join(base, "folders/deep/linked"));
    await symlink(join(base, "folders"), join(base, "folders/deep/up"));
    const found = await run<readonly string[]>("openModelFolder", join(base, "folders"));
    const [reference] = found;
    assert.deepEqual(found, [join(base, "folders/deep/linked")]);
    assert.equal((await entry(reference!)).origin, "folder");
    assert.equal(await run("selectModel", reference), reference);
    assert.equal((await services.models.available())[0]?.reference, reference);
    assert.ok(await run("loadModel"));
    assert.equal(services.engine.model?.model, reference);
    await run("selectModel", "stories15m");
  });

  it("a model of Hugging Face's cache is called by its repository, before and after it is loaded", async () => {
    const shipped = (await entry("stories15m")).folder;
    const snapshot = join(base, `hub/models--someone--Cached/snapshots/${commit}`);
    await mkdir(join(base, "hub/models--someone--Cached/snapshots"), { recursive: true });
    await cp(shipped, snapshot, { recursive: true });
    assert.deepEqual(await run("openModelFolder", join(base, "hub")), [snapshot]);
    const { name: listed, repository } = await entry(snapshot);
    assert.deepEqual([listed, repository], ["someone/Cached", "someone/Cached"]);
    await services.models.select(snapshot);
    await run("unloadModel");
    try {
      assert.equal(currentStatus(services).model, "someone/Cached");
      const { name, revision } = await run<{ name: string; revision: string }>("loadModel", snapshot);
      assert.deepEqual([name, revision], ["someone/Cached", commit]);
      const { uri } = await run<{ uri: string }>("computeVector", { set: "happy-sad", name: "of-cache" });
      const { file } = services.vectors.get(vscode.Uri.parse(uri))!;
      assert.deepEqual(
        [file?.provenance?.model.id, file?.provenance?.model.revision],
        ["someone/Cached", commit],
      );
      await vscode.workspace.fs.delete(vscode.Uri.parse(uri));
    } finally {
      await services.models.select("stories15m");
    }
  });

  it("the licence is the hub's, and the catalogue's where that is another", () => {
    assert.equal(licenceText("apache-2.0", "Apache-2.0"), "apache-2.0");
    assert.match(licenceText("llama3.2", "MIT"), /^llama3\.2 \(.*MIT\)$/);
    assert.match(licenceText(null, "MIT"), /^MIT \(.*names none\)$/);
    assert.equal(licenceText("mit", null), "mit");
    assert.match(licenceText(null, null), /names none/);
  });

  it("adds no folder without a model", async () => {
    await mkdir(join(base, "empty"), { recursive: true });
    assert.equal(await run("openModelFolder", join(base, "empty")), undefined);
    assert.ok(!configuration().get<string[]>("modelFolders")!.includes(join(base, "empty")));
  });

  it("shows why a model cannot be used", async () => {
    const folder = join(base, "folders/broken");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "config.json"), "{");
    await writeFile(join(folder, "model.safetensors"), "");
    await run("refreshModels");
    assert.equal((await entry(folder)).problem, "config.json cannot be read.");
    assert.ok((await services.models.available()).every(({ reference }) => reference !== folder));
    assert.equal(await run("loadModel", folder), undefined);
    assert.equal(services.models.stateOf(await entry(folder)).kind, "failed");
  });

  describe("from a hub", () => {
    let content: HubContent;
    let hub: HubServer;

    before(async () => {
      const shipped = (await entry("stories15m")).folder;
      const file = (name: string, isLarge = false): [string, { bytes: Buffer; isLarge: boolean }] => [
        name,
        { bytes: readFileSync(join(shipped, name)), isLarge },
      ];
      content = {
        repository: "someone/Stories",
        commit,
        licence: "mit",
        token: "hf_of_test",
        files: new Map([
          file("config.json"),
          file("tokenizer.json", true),
          file("tokenizer_config.json"),
          file("model.safetensors", true),
          ["README.md", { bytes: randomBytes(100), isLarge: false }],
        ]),
      };
      hub = new HubServer(content);
      await hub.start();
      await set("hubEndpoint", hub.endpoint);
    });
    after(async () => {
      await hub.stop();
      await run("forgetHubToken");
    });

    it("is refused without a token, which is then taken from the secrets", async () => {
      assert.equal(await run("downloadModel", "someone/Stories", { confirmed: true }), undefined);
      assert.equal(await run("setHubToken", "hf_of_test"), true);
      const settings = JSON.stringify(configuration());
      assert.ok(!settings.includes("hf_of_test"));
    });

    it("can be stopped, goes on, appears in the list, loads, and is deleted", async () => {
      hub.slowMilliseconds = 2;
      const stopped = run("downloadModel", "someone/Stories", { confirmed: true });
      await new Promise<void>((resolve) => {
        const watch = services.models.onDidChange(() => {
          const [download] = services.models.downloads.all();
          if ((download?.done ?? 0) < 4_000_000) return;
          watch.dispose();
          resolve();
        });
      });
      const [coming] = services.models.downloads.all();
      assert.equal(services.models.stateOf(await entry(coming!.entry.reference)).kind, "downloading");
      await run("cancelDownload", coming!.entry);
      assert.equal(await stopped, undefined);
      const unfinished = await entry(coming!.entry.reference);
      assert.deepEqual([unfinished.name, unfinished.origin], ["someone/Stories", "catalogue"]);
      assert.ok(unfinished.kept!.done >= 4_000_000 && unfinished.kept!.done < unfinished.kept!.total);
      const words = modelWords(unfinished, services.models.stateOf(unfinished), false);
      assert.match(words.join(" · "), /not downloaded · \d+ % kept/);
      hub.slowMilliseconds = 0;
      hub.seen.length = 0;
      const downloaded = await run<{ reference: string; folder: string }>(
        "downloadModel",
        "someone/Stories",
        {
          confirmed: true,
        },
      );
      assert.ok(
        hub.seen.some(({ path, range }) => path.endsWith("model.safetensors") && range !== undefined),
      );
      assert.ok(
        hub.seen.every(({ origin, authorization }) => origin === "hub" || authorization === undefined),
      );
      const there = await entry(downloaded.reference);
      assert.deepEqual([there.origin, there.licence, there.commit], ["downloaded", "mit", commit]);
      const { revision } = await run<{ revision: string }>("loadModel", downloaded.reference);
      assert.equal(revision, commit);
      assert.equal(await run("deleteModel", downloaded.reference, { confirmed: true }), downloaded.folder);
      assert.ok(!existsSync(downloaded.folder));
      assert.equal(await services.models.get(downloaded.reference), undefined);
      assert.equal(services.models.selected(), "stories15m");
    });

    it("what a stopped download keeps is discarded when it is asked for", async () => {
      hub.slowMilliseconds = 2;
      const stopped = run("downloadModel", "someone/Stories", { confirmed: true });
      await eventually(() => (services.models.downloads.all()[0]?.done ?? 0) > 0);
      const { reference } = services.models.downloads.all()[0]!.entry;
      assert.equal(await run("discardDownload", reference, { confirmed: true }), undefined);
      await run("cancelDownload", reference);
      await stopped;
      hub.slowMilliseconds = 0;
      const { kept, folder } = await entry(reference);
      const staging = join(folder, "..", ".Stories.download");
      assert.ok(kept !== null && existsSync(staging));
      // Asked, and not answered.
      const asked = run("discardDownload", reference);
      while (!(await Promise.race([asked.then(() => true), sleep(100, false)]))) {
        await vscode.commands.executeCommand("notifications.clearAll");
      }
      assert.equal(await asked, undefined);
      assert.ok(existsSync(staging));
      assert.equal(await run("discardDownload", reference, { confirmed: true }), folder);
      assert.ok(!existsSync(staging));
      assert.equal(await services.models.get(reference), undefined);
    });

    it("is asked through the proxy that VS Code is set to", async () => {
      // Names that nobody but the proxy can find: VS Code goes to 127.0.0.1 without one.
      const behind = new HubServer(content, { hosts: { hub: "hub.test", storage: "storage.test" } });
      const proxy = new ProxyServer();
      await Promise.all([behind.start(), proxy.start()]);
      const http = vscode.workspace.getConfiguration("http");
      try {
        await set("hubEndpoint", behind.endpoint);
        await http.update("proxy", proxy.address, vscode.ConfigurationTarget.Global);
        const downloaded = await run<{ reference: string; folder: string }>(
          "downloadModel",
          "someone/Stories",
          { confirmed: true },
        );
        assert.ok(downloaded);
        for (const origin of [behind.endpoint, behind.storageOrigin]) {
          assert.ok(
            proxy.seen.some((what) => what.includes(origin.replace("http://", ""))),
            origin,
          );
        }
        assert.equal(behind.seen.length, proxy.seen.length);
        await run("deleteModel", downloaded.reference, { confirmed: true });
      } finally {
        await http.update("proxy", undefined, vscode.ConfigurationTarget.Global);
        await set("hubEndpoint", hub.endpoint);
        await Promise.all([behind.stop(), proxy.stop()]);
      }
    });

    it("deletes nothing that was not downloaded", async () => {
      const { folder } = await entry("stories15m");
      assert.equal(await run("deleteModel", "stories15m", { confirmed: true }), undefined);
      assert.ok(existsSync(join(folder, "config.json")));
    });
  });
});
