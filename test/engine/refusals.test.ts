/** Files that cannot be steered are refused with the reason, before onnxruntime sees them. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeExternalTensor, encodeModel } from "../../src/engine/onnx/encode.ts";
import { fixtures, openTestEngine, type TestEngine } from "./support/engine.ts";

const llama = join(fixtures, "decoder-graphs/optimum/llama");
const escaping = (location: string): Uint8Array =>
  encodeModel(
    {
      name: "escaping",
      nodes: [],
      initializers: [encodeExternalTensor("weights", 1, [4], { location, offset: 0, length: 16 })],
      inputs: [],
      outputs: [],
    },
    { "": 18 },
    "test",
  );

const files: Readonly<Record<string, { kind: string; says: RegExp; bytes: () => Uint8Array }>> = {
  "BeamSearch graph": {
    kind: "ModelUnsupported",
    says: /BeamSearch/,
    bytes: () => readFileSync(join(fixtures, "refused/tiny_gpt2_beamsearch.onnx")),
  },
  "GreedySearch graph": {
    kind: "ModelUnsupported",
    says: /GreedySearch/,
    bytes: () => readFileSync(join(fixtures, "refused/tiny_gpt2_greedysearch_with_init_decoder.onnx")),
  },
  "graph without nodes": {
    kind: "ModelUnsupported",
    says: /holds no/,
    bytes: () =>
      encodeModel({ name: "", nodes: [], initializers: [], inputs: [], outputs: [] }, { "": 18 }, "test"),
  },
  "decoder without a language model": {
    kind: "ModelUnsupported",
    says: /./,
    bytes: () => readFileSync(join(fixtures, "refused/dummy_decoder.onnx")),
  },
  "empty file": { kind: "ModelCorrupt", says: /./, bytes: () => new Uint8Array(0) },
  "truncated graph": {
    kind: "ModelCorrupt",
    says: /ends in the middle/,
    bytes: () => readFileSync(join(llama, "model.onnx")).subarray(0, 150_000),
  },
  "text file": {
    kind: "ModelCorrupt",
    says: /ONNX file cannot be read/,
    bytes: () => new TextEncoder().encode("Once upon a time there was no model at all.\n".repeat(50)),
  },
  "external data above the folder": {
    kind: "ModelCorrupt",
    says: /outside/,
    bytes: () => escaping("../secret.bin"),
  },
  "external data at an absolute path": {
    kind: "ModelCorrupt",
    says: /outside/,
    bytes: () => escaping("/etc/passwd"),
  },
  "external data behind a drive letter": {
    kind: "ModelCorrupt",
    says: /outside/,
    bytes: () => escaping("C:\\secret.bin"),
  },
};

describe("refusals", () => {
  let test: TestEngine;
  let root: string;
  beforeAll(() => {
    test = openTestEngine();
    root = mkdtempSync(join(tmpdir(), "steerscope-refusals-"));
  });
  afterAll(async () => {
    await test.dispose();
    rmSync(root, { recursive: true, force: true });
  });

  it.each(Object.entries(files))("%s", async (name, { kind, says, bytes }) => {
    const folder = join(root, name);
    mkdirSync(folder);
    cpSync(join(llama, "config.json"), join(folder, "config.json"));
    writeFileSync(join(folder, "model.onnx"), bytes());
    await expect(test.call("load", { model: folder })).rejects.toMatchObject({
      kind,
      message: expect.stringMatching(says) as string,
    });
    // What was refused leaves the engine usable.
    await expect(test.call("load", { model: llama })).resolves.toMatchObject({ layers: 3 });
  });

  it("a configuration that belongs to another model", async () => {
    const folder = join(root, "mismatch");
    cpSync(llama, folder, { recursive: true });
    const config = JSON.parse(readFileSync(join(llama, "config.json"), "utf8")) as Record<string, unknown>;
    for (const change of [{ num_hidden_layers: 4 }, { hidden_size: 64 }]) {
      writeFileSync(join(folder, "config.json"), JSON.stringify({ ...config, ...change }));
      await expect(test.call("load", { model: folder })).rejects.toMatchObject({ kind: "ModelUnsupported" });
    }
  });

  it("an encoder-decoder, a folder without weights, a path that does not exist", async () => {
    const folder = join(root, "empty");
    mkdirSync(folder);
    await expect(test.call("load", { model: folder })).rejects.toMatchObject({ kind: "ModelNotFound" });
    await expect(test.call("load", { model: join(root, "nowhere") })).rejects.toMatchObject({
      kind: "ModelNotFound",
    });
    cpSync(join(llama, "model.onnx"), join(folder, "model.onnx"));
    writeFileSync(join(folder, "config.json"), JSON.stringify({ is_encoder_decoder: true }));
    await expect(test.call("load", { model: folder })).rejects.toMatchObject({
      kind: "ModelUnsupported",
      message: expect.stringMatching(/encoder-decoder/) as string,
    });
  });
});
