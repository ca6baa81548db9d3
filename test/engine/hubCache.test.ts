/**
 * Models in the shape of a hub cache (huggingface_hub, "Understand caching"): snapshots/REVISION/ holds links to
 * blobs/HASH. They are the same models as in a plain folder, and no way out of it.
 */
import { createHash } from "node:crypto";
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { modelWithDataAt } from "../unit/support/onnxGraphs.ts";
import { fixtures, largestDifference, useTestEngine } from "./support/engine.ts";

const graphs = join(fixtures, "decoder-graphs");
const input = { ids: Int32Array.of(5, 9, 33, 7, 2), textStart: 0 };

// Links need a privilege there.
describe.skipIf(process.platform === "win32")("hub cache", () => {
  const test = useTestEngine();
  let count = 0;

  /** A snapshot of `files`, each a link to a blob in the folder that `blobsOf` names for it; its path. */
  function cache(
    files: Readonly<Record<string, Uint8Array>>,
    blobsOf: (name: string) => string = () => "blobs",
  ): string {
    const repository = join(test.folder, `models--test--${count++}`);
    const snapshot = join(repository, "snapshots/0d3c1a7");
    for (const [name, bytes] of Object.entries(files)) {
      const blob = join(repository, blobsOf(name), createHash("sha256").update(bytes).digest("hex"));
      mkdirSync(dirname(blob), { recursive: true });
      writeFileSync(blob, bytes);
      const link = join(snapshot, name);
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(relative(dirname(link), blob), link);
    }
    return snapshot;
  }

  function filesOf(folder: string, under = ""): Record<string, Uint8Array> {
    const names = readdirSync(join(graphs, folder)).filter((name) => name !== "reference.json");
    return Object.fromEntries(
      names.map((name) => [
        name === "config.json" ? name : under + name,
        new Uint8Array(readFileSync(join(graphs, folder, name))),
      ]),
    );
  }

  async function outputOf(model: string): Promise<{ hash: string; logits: Float32Array }> {
    const { modelHash } = await test.call("load", { model });
    const { logits } = await test.call("activations", {
      input,
      template: "none",
      steering: null,
      logits: true,
    });
    return { hash: modelHash, logits: logits! };
  }

  async function expectSame(model: string, plain: string): Promise<void> {
    const expected = await outputOf(plain);
    const actual = await outputOf(model);
    expect(actual.hash).toBe(expected.hash);
    expect(largestDifference(actual.logits, expected.logits)).toBe(0);
  }

  it.each(["genai-builder/llama-fp32", "genai-builder/llama-int4", "optimum/llama", "safetensors/llama"])(
    "%s is the model that it is in a plain folder",
    async (folder) => {
      await expectSame(cache(filesOf(folder)), join(graphs, folder));
    },
  );

  it("graphs in onnx/ with the configuration above it, named by folder or by file", async () => {
    const folder = "genai-builder/llama-fp32";
    const snapshot = cache(filesOf(folder, "onnx/"));
    await expectSame(snapshot, join(graphs, folder));
    await expectSame(join(snapshot, "onnx/model.onnx"), join(graphs, folder));
  });

  it("a single link to a graph stands for the file beside its configuration", async () => {
    const folder = join(graphs, "genai-builder/llama-fp32");
    const link = join(test.folder, "shortcut.onnx");
    symlinkSync(join(folder, "model.onnx"), link);
    await expectSame(link, folder);
  });

  it("refuses blobs in different folders", async () => {
    const spread = (name: string): string => (name.endsWith(".data") ? "blobs" : "other");
    const model = cache(filesOf("genai-builder/llama-fp32"), spread);
    await expect(test.call("load", { model })).rejects.toMatchObject({
      kind: "ModelUnsupported",
      message: expect.stringContaining("different folders") as string,
    });
  });

  it("names a weight file that was not downloaded", async () => {
    const model = cache(filesOf("genai-builder/llama-fp32"));
    rmSync(join(model, "model.onnx.data"));
    await expect(test.call("load", { model })).rejects.toMatchObject({
      kind: "ModelCorrupt",
      message: expect.stringContaining("model.onnx.data") as string,
    });
  });

  it("refuses a graph whose own location leads out of the folder, into the blobs too", async () => {
    const files = filesOf("genai-builder/llama-fp32");
    const data = createHash("sha256").update(files["model.onnx.data"]!).digest("hex");
    const model = cache({ ...files, "model.onnx": modelWithDataAt(`../../blobs/${data}`) });
    expect(statSync(join(model, `../../blobs/${data}`)).isFile()).toBe(true);
    await expect(test.call("load", { model })).rejects.toMatchObject({
      kind: "ModelCorrupt",
      message: expect.stringContaining("outside") as string,
    });
  });

  it("keeps the hash of a model that is moved and renamed", async () => {
    const before = join(test.folder, "before");
    cpSync(join(graphs, "genai-builder/llama-fp32"), before, { recursive: true });
    const { hash } = await outputOf(before);
    renameSync(before, join(test.folder, "after"));
    expect((await outputOf(join(test.folder, "after"))).hash).toBe(hash);
  });
});
