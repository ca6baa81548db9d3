import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findCachedModels, findModels, hubCacheFolder } from "../../src/client/modelFolders.ts";
import { downloadRecordName } from "../../src/formats/downloadRecord.ts";
import { companionFiles, weightChoices } from "../../src/formats/modelFiles.ts";
import { scanModels } from "../../src/host/modelScan.ts";

const config = JSON.stringify({
  model_type: "llama",
  architectures: ["LlamaForCausalLM"],
  num_hidden_layers: 3,
  hidden_size: 32,
  torch_dtype: "bfloat16",
});
const commit = "0123456789abcdef0123456789abcdef01234567";
const other = "f".repeat(40);

let base = "";
const put = (path: string, text = "{}"): void => {
  mkdirSync(dirname(join(base, path)), { recursive: true });
  writeFileSync(join(base, path), text);
};
const checkpoint = (folder: string, configuration = config): void => {
  put(`${folder}/config.json`, configuration);
  put(`${folder}/model.safetensors`, "12345");
};
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "steerscope-folders-"));
});
afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});
const references = async (...args: Parameters<typeof findModels>): Promise<string[]> =>
  (await findModels(...args)).map(({ reference }) => reference.slice(base.length + 1));

describe("findModels", () => {
  it("knows a folder that is a model, by its names and configuration", async () => {
    checkpoint("one");
    put("one/tokenizer.json", "1234567");
    put("one/unrelated.bin", "x".repeat(100));
    expect(await findModels(join(base, "one"))).toEqual([
      {
        reference: join(base, "one"),
        folder: join(base, "one"),
        name: "one",
        bytes: config.length + 5 + 7,
        precision: "bf16",
        config: expect.objectContaining({ architecture: "llama", layers: 3, hidden: 32 }) as object,
        problem: null,
        repository: null,
        commit: null,
        record: null,
      },
    ]);
  });

  it("knows the layouts of Optimum, the hub, the builder and shards", async () => {
    for (const name of ["optimum", "hub", "builder", "shards"]) put(`${name}/config.json`, config);
    put("optimum/decoder_model_merged.onnx");
    put("optimum/decoder_model_merged.onnx_data", "123");
    put("hub/onnx/model.onnx");
    put("hub/onnx/model_q4.onnx");
    rmSync(join(base, "builder/config.json"));
    put(
      "builder/genai_config.json",
      JSON.stringify({ model: { type: "llama", decoder: { hidden_size: 64, num_hidden_layers: 2 } } }),
    );
    put("builder/model.onnx");
    put("shards/model.safetensors.index.json");
    put("shards/model-00001-of-00002.safetensors");
    put("shards/model-00002-of-00002.safetensors");
    expect(await references(base)).toEqual(["builder", "hub", "hub/onnx/model_q4.onnx", "optimum", "shards"]);
    const [builder, hub, q4] = await findModels(base);
    expect(builder).toMatchObject({ config: { layers: 2, hidden: 64 }, precision: null });
    expect(hub).toMatchObject({ name: "hub", precision: null });
    expect(q4).toMatchObject({ name: "hub model_q4", precision: "q4", folder: join(base, "hub") });
  });

  it("follows links, and ends where they lead in a circle", async () => {
    checkpoint("real/model");
    mkdirSync(join(base, "search/deep"), { recursive: true });
    symlinkSync(join(base, "real"), join(base, "search/deep/link"));
    symlinkSync(join(base, "search"), join(base, "search/deep/up"));
    symlinkSync(join(base, "nowhere"), join(base, "search/broken"));
    expect(await references(join(base, "search"))).toEqual(["search/deep/link/model"]);
  });

  it("keeps to its limits", async () => {
    for (const name of ["a", "b", "c", "deep/er/d"]) checkpoint(name);
    checkpoint("node_modules/x");
    checkpoint(".hidden/x");
    expect(await references(base)).toEqual(["a", "b", "c", "deep/er/d"]);
    expect(await references(base, { depth: 1, folders: 100, models: 100 })).toEqual(["a", "b", "c"]);
    expect(await references(base, { depth: 9, folders: 100, models: 2 })).toEqual(["a", "b"]);
    expect(await references(base, { depth: 9, folders: 2, models: 100 })).toEqual(["a"]);
  });

  it.each([
    ["no JSON", "{", "cannot be read"],
    ["no layers", "{}", "layers"],
    ["an encoder-decoder", JSON.stringify({ is_encoder_decoder: true }), "encoder-decoder"],
    ["a checkpoint of another family", config.replace('"llama"', '"gemma3"'), "ONNX export"],
    ["an encoder", config.replace("LlamaForCausalLM", "BertForMaskedLM"), "decoder-only"],
  ])("says what is wrong with %s", async (_, text, part) => {
    checkpoint("bad", text);
    expect((await findModels(base))[0]?.problem).toContain(part);
  });

  it("finds nothing where there is nothing", async () => {
    put("only/config.json", config);
    put("only/weights.bin");
    expect(await findModels(base)).toEqual([]);
    expect(await findModels(join(base, "not there"))).toEqual([]);
  });
});

describe("Hugging Face's cache", () => {
  const snapshot = (repository: string, revision: string, configuration = config): void => {
    checkpoint(`hub/${repository}/snapshots/${revision}`, configuration);
  };

  it("lies where its own tools look", () => {
    expect(hubCacheFolder({ HF_HUB_CACHE: "/a", HF_HOME: "/b" })).toBe("/a");
    expect(hubCacheFolder({ HF_HOME: "/b" })).toBe(join("/b", "hub"));
    expect(hubCacheFolder({ XDG_CACHE_HOME: "/c" })).toBe(join("/c", "huggingface", "hub"));
    expect(hubCacheFolder({ HF_HOME: "" })).toBe(join(homedir(), ".cache", "huggingface", "hub"));
  });

  it("is read at main, else at the newest snapshot, behind links, decoders only", async () => {
    snapshot("models--me--Main", commit);
    snapshot("models--me--Main", other);
    put("hub/models--me--Main/refs/main", commit);
    snapshot("models--me--Newest", commit);
    snapshot("models--me--Newest", other);
    utimesSync(join(base, `hub/models--me--Newest/snapshots/${commit}`), 1, 1);
    snapshot("models--me--Encoder", commit, config.replace("LlamaForCausalLM", "BertModel"));
    snapshot("datasets--me--Data", commit);
    put("hub/models--me--Linked/blobs/abc", config);
    put("hub/models--me--Linked/blobs/def", "123");
    mkdirSync(join(base, `hub/models--me--Linked/snapshots/${commit}`), { recursive: true });
    for (const [blob, name] of [
      ["abc", "config.json"],
      ["def", "model.safetensors"],
    ] as const)
      symlinkSync(`../../blobs/${blob}`, join(base, `hub/models--me--Linked/snapshots/${commit}/${name}`));
    const found = await findCachedModels(join(base, "hub"));
    expect(found.map(({ name, repository, commit: at }) => [name, repository, at])).toEqual([
      ["me/Linked", "me/Linked", commit],
      ["me/Main", "me/Main", commit],
      ["me/Newest", "me/Newest", other],
    ]);
    expect(found[0]!.bytes).toBe(config.length + 3);
  });
});

describe("scanModels", () => {
  const catalogue = (repository: string): string =>
    JSON.stringify({
      models: [
        {
          id: "tiny",
          name: "Tiny",
          origin: "hub",
          repository,
          revision: "main",
          licence: "MIT",
          note: "n",
          files: [
            { path: "config.json", approximateBytes: 10 },
            { path: "model.safetensors", approximateBytes: 90 },
          ],
        },
      ],
    });
  const scan = () =>
    scanModels({
      embedded: join(base, "embedded"),
      downloads: join(base, "downloads"),
      folders: [join(base, "mine"), join(base, "mine/one/")],
      cache: join(base, "hub"),
      workspace: [join(base, "mine")],
    });

  it("names each model once, and offers what is nowhere", async () => {
    put("embedded/catalogue.json", catalogue("me/Tiny"));
    checkpoint("mine/one");
    const before = await scan();
    expect(before.entries.map(({ reference, origin, bytes }) => [reference, origin, bytes])).toEqual([
      [join(base, "mine/one"), "folder", config.length + 5],
      ["tiny", "catalogue", 100],
    ]);
    checkpoint("downloads/me/Tiny");
    put(
      `downloads/me/Tiny/${downloadRecordName}`,
      JSON.stringify({ repository: "me/Tiny", commit, licence: "mit", date: "" }),
    );
    expect((await scan()).entries[0]).toMatchObject({
      reference: "tiny",
      origin: "downloaded",
      commit,
      config: { layers: 3 },
      isApproximate: false,
    });
  });

  it("does not offer what Hugging Face's cache has", async () => {
    put("embedded/catalogue.json", catalogue("me/Tiny"));
    checkpoint(`hub/models--me--Tiny/snapshots/${commit}`);
    expect((await scan()).entries.map(({ name, origin, licence }) => [name, origin, licence])).toEqual([
      ["me/Tiny", "cache", "MIT"],
    ]);
  });

  it("lists what a stopped download has left, with its model or by itself", async () => {
    put("embedded/catalogue.json", catalogue("me/Tiny"));
    for (const repository of ["me/Tiny", "you/Other"]) {
      const staging = `downloads/${repository.replace("/", "/.")}.download`;
      put(`${staging}/model.safetensors.part`, "x".repeat(71));
      const files = { "model.safetensors": "abc 100", "../../escaped": "abc 100" };
      put(`${staging}/.plan.json`, JSON.stringify({ repository, commit, bytes: 100, files }));
    }
    put("downloads/you/.Broken.download/.plan.json", "{");
    const kept = { done: 71, total: 100 };
    expect((await scan()).entries).toMatchObject([
      { reference: "tiny", origin: "catalogue", kept },
      { reference: join(base, "downloads/you/Other"), name: "you/Other", origin: "catalogue", commit, kept },
    ]);
  });

  it("lists folders although the catalogue is broken, and keeps the reason", async () => {
    put("embedded/catalogue.json", "{");
    checkpoint("mine/one");
    const { entries, problem } = await scan();
    expect(entries).toHaveLength(1);
    expect(problem?.kind).toBe("FileUnreadable");
  });
});

describe("weightChoices", () => {
  it("takes external data by the name of its graph, and shards only with their index", () => {
    const files = [
      "model.onnx",
      "model.onnx_data",
      "model.onnx_data_1",
      "model.onnx.data",
      "model.onnx_database",
      "model-00001-of-00001.safetensors",
    ];
    const choices = weightChoices(files.map((path) => ({ path })));
    expect(choices.map(({ path, files: own }) => [path, own.map((file) => file.path)])).toEqual([
      ["model.onnx", files.slice(0, 4)],
    ]);
  });

  it("leaves everything out that the engine does not read", () => {
    const files = ["config.json", "tokenizer.json", "pytorch_model.bin", "README.md", "x/config.json"];
    expect(companionFiles(files.map((path) => ({ path }))).map(({ path }) => path)).toEqual([
      "config.json",
      "tokenizer.json",
    ]);
  });
});
