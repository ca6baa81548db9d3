/** Files that cannot be steered are refused with the reason, before onnxruntime sees them. */
import { cpSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { encodeModel } from "../../src/engine/onnx/encode.ts";
import { modelWithDataAt, toyDecoder } from "../unit/support/onnxGraphs.ts";
import { fixtures, useTestEngine } from "./support/engine.ts";

const llama = join(fixtures, "decoder-graphs/optimum/llama");

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
    bytes: () => modelWithDataAt("../secret.bin"),
  },
  "external data at an absolute path": {
    kind: "ModelCorrupt",
    says: /outside/,
    bytes: () => modelWithDataAt("/etc/passwd"),
  },
  "external data behind a drive letter": {
    kind: "ModelCorrupt",
    says: /outside/,
    bytes: () => modelWithDataAt("C:\\secret.bin"),
  },
};

describe("refusals", () => {
  const test = useTestEngine();

  it.each(Object.entries(files))("%s", async (name, { kind, says, bytes }) => {
    const folder = join(test.folder, name);
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

  describe("without a configuration", () => {
    const beamSearch = readFileSync(join(fixtures, "refused/tiny_gpt2_beamsearch.onnx"));
    const graphs: Readonly<Record<string, { bytes: Uint8Array; kind: string; says: RegExp }>> = {
      "generation inside the graph": { bytes: beamSearch, kind: "ModelUnsupported", says: /BeamSearch/ },
      "no cache": {
        bytes: toyDecoder({ withoutCache: true }),
        kind: "ModelUnsupported",
        says: /no KV cache/,
      },
      "no residual stream": {
        bytes: toyDecoder({
          change: (nodes) =>
            nodes.map((node) => (node.outputs[0] === "x2" ? { ...node, operator: "Sum" } : node)),
        }),
        kind: "ModelUnsupported",
        says: /same kind of operation/,
      },
      "nothing but the configuration missing": {
        bytes: readFileSync(join(llama, "model.onnx")),
        kind: "ModelNotFound",
        says: /no config\.json/,
      },
    };

    it.each(Object.entries(graphs))("%s", async (name, { bytes, kind, says }) => {
      const folder = join(test.folder, `bare ${name}`);
      mkdirSync(folder);
      // The only graph of a folder is found under any name.
      const file = join(folder, "some name.onnx");
      writeFileSync(file, bytes);
      for (const model of [folder, file]) {
        await expect(test.call("load", { model })).rejects.toMatchObject({
          kind,
          message: expect.stringMatching(says) as string,
        });
      }
    });

    it("several graphs, none under a known name: which one is meant stays open", async () => {
      const folder = join(test.folder, "several");
      mkdirSync(folder);
      for (const name of ["a.onnx", "b.onnx"]) writeFileSync(join(folder, name), beamSearch);
      await expect(test.call("load", { model: folder })).rejects.toMatchObject({
        kind: "ModelNotFound",
        message: expect.stringMatching(/: a\.onnx, b\.onnx\.$/) as string,
      });
      for (let i = 0; i < 20; i++) writeFileSync(join(folder, `c${i}.onnx`), "");
      await expect(test.call("load", { model: folder })).rejects.toMatchObject({
        message: expect.stringMatching(/, and 12 more\.$/) as string,
      });
    });
  });

  it.each<readonly [string, folder: string, file: string, damage: (path: string) => void, says: RegExp]>([
    ["weights beside the graph that are missing", "dynamo/llama", "model.onnx_data", rmSync, /is not there/],
    [
      "weights beside the graph that are cut short",
      "genai-builder/llama-fp32",
      "model.onnx.data",
      (path) => {
        truncateSync(path, 5000);
      },
      /is cut short: it has 5000 bytes/,
    ],
    [
      "a checkpoint without one of its files",
      "../checkpoints/qwen2-fp16-sharded",
      "model-00003-of-00004.safetensors",
      rmSync,
      /is not there/,
    ],
  ])("%s", async (name, original, file, damage, says) => {
    const folder = join(test.folder, name);
    cpSync(join(fixtures, "decoder-graphs", original), folder, { recursive: true });
    damage(join(folder, file));
    const refusal = test.call("load", { model: folder });
    await expect(refusal).rejects.toMatchObject({
      kind: "ModelCorrupt",
      message: expect.stringMatching(says) as string,
    });
    await expect(refusal).rejects.toThrow(file);
  });

  it("a configuration that belongs to another model", async () => {
    const folder = join(test.folder, "mismatch");
    cpSync(llama, folder, { recursive: true });
    const config = JSON.parse(readFileSync(join(llama, "config.json"), "utf8")) as Record<string, unknown>;
    for (const change of [{ num_hidden_layers: 4 }, { hidden_size: 64 }]) {
      writeFileSync(join(folder, "config.json"), JSON.stringify({ ...config, ...change }));
      await expect(test.call("load", { model: folder })).rejects.toMatchObject({ kind: "ModelUnsupported" });
    }
  });

  it("an encoder-decoder, a folder without weights, a path that does not exist", async () => {
    const folder = join(test.folder, "empty");
    mkdirSync(folder);
    await expect(test.call("load", { model: folder })).rejects.toMatchObject({ kind: "ModelNotFound" });
    await expect(test.call("load", { model: join(test.folder, "nowhere") })).rejects.toMatchObject({
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
