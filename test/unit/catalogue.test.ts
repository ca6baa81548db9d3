import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  folderOf,
  listModels,
  readCatalogue,
  resolveModelFolder,
  type ModelRoots,
} from "../../src/engine/models/catalogue.ts";
import { downloadRecordName, serialiseDownloadRecord } from "../../src/formats/downloadRecord.ts";
import { parseCatalogue } from "../../src/formats/modelCatalogue.ts";

const shipped: ModelRoots = {
  embedded: join(import.meta.dirname, "../../models"),
  downloads: "/nowhere/steerscope",
};

const hubModel = {
  id: "tiny",
  name: "Tiny",
  origin: "hub",
  repository: "someone/Tiny-1B",
  revision: "main",
  licence: "MIT",
  note: "For tests.",
  files: [
    { path: "config.json", bytes: 2 },
    { path: "onnx/model.onnx", approximateBytes: 1000 },
  ],
};
const embeddedModel = { ...hubModel, id: "inside", origin: "embedded" };

function withFile(file: unknown): unknown {
  return { models: [{ ...hubModel, files: [file] }] };
}

describe("the catalogue that ships", () => {
  const models = readCatalogue(shipped);

  it("begins with the embedded model and has models of the hub", () => {
    expect(models[0]).toMatchObject({ id: "stories15m", hub: null });
    expect(models.length).toBeGreaterThan(4);
  });

  it("names for each model a configuration, a tokenizer and weights", () => {
    for (const { files, id } of models) {
      const paths = files.map(({ path }) => path);
      expect(paths, id).toContain("config.json");
      expect(paths, id).toContain("tokenizer.json");
      expect(
        paths.some((path) => /\.(safetensors|onnx)$/.test(path)),
        id,
      ).toBe(true);
    }
  });

  it("claims exact sizes and hashes of nothing on the hub that only a branch names", () => {
    for (const { hub, files } of models) {
      if (hub === null || /^[0-9a-f]{40}$/.test(hub.revision)) continue;
      for (const { isApproximate, sha256 } of files) {
        expect(isApproximate).toBe(true);
        expect(sha256).toBeNull();
      }
    }
  });
});

describe("parseCatalogue", () => {
  it.each<[string, unknown]>([
    ["no list", {}],
    ["a model without files", { models: [{ ...hubModel, files: [] }] }],
    ["an id twice", { models: [hubModel, hubModel] }],
    ["an id that is a path", { models: [{ ...hubModel, id: "../x" }] }],
    ["a repository that leaves its folder", { models: [{ ...hubModel, repository: "../.." }] }],
    ["a file that leaves its folder", withFile({ path: "../config.json", bytes: 1 })],
    ["an absolute file", withFile({ path: "/etc/passwd", bytes: 1 })],
    ["a file of Windows' kind", withFile({ path: "a\\b", bytes: 1 })],
    ["a file without a size", withFile({ path: "a" })],
    ["a file with two sizes", withFile({ path: "a", bytes: 1, approximateBytes: 1 })],
    ["a size below one", withFile({ path: "a", bytes: 0 })],
    ["a hash that is none", withFile({ path: "a", bytes: 1, sha256: "abc" })],
    ["an origin that nobody knows", { models: [{ ...hubModel, origin: "moon" }] }],
  ])("refuses %s", (_, parsed) => {
    expect(() => parseCatalogue(parsed)).toThrow(
      expect.objectContaining({ kind: "FileUnreadable" }) as Error,
    );
  });

  it("puts embedded models first", () => {
    expect(parseCatalogue({ models: [hubModel, embeddedModel] }).map(({ id }) => id)).toEqual([
      "inside",
      "tiny",
    ]);
  });
});

describe("finding models", () => {
  let base: string;
  let roots: ModelRoots;
  const put = (path: string, text = "{}"): void => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  const attempt = (reference: string) => (): unknown => resolveModelFolder(reference, roots);

  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), "steerscope-catalogue-"));
    roots = { embedded: join(base, "models"), downloads: join(base, "downloads") };
    put(join(roots.embedded, "catalogue.json"), JSON.stringify({ models: [embeddedModel, hubModel] }));
    put(join(roots.embedded, "inside/config.json"));
    put(join(roots.embedded, "inside/onnx/model.onnx"));
  });
  afterEach(() => {
    rmSync(base, { recursive: true });
  });

  it("finds a model that ships", () => {
    expect(resolveModelFolder("inside", roots)).toEqual({
      folder: join(roots.embedded, "inside"),
      name: "inside",
      revision: null,
    });
  });

  it("says where a model that is not there would go", () => {
    expect(attempt("tiny")).toThrow(
      expect.objectContaining({
        kind: "ModelNotFound",
        remedy: expect.stringContaining(join(roots.downloads, "someone/Tiny-1B")) as string,
      }) as Error,
    );
  });

  it("takes a download for there only when all of its files are", () => {
    const folder = folderOf(readCatalogue(roots)[1]!, roots);
    put(join(folder, "config.json"));
    expect(attempt("tiny")).toThrow();
    expect(listModels(roots)[1]).toMatchObject({ present: false, bytes: 1002, approximate: true });
    put(join(folder, "onnx/model.onnx"), "12345");
    expect(resolveModelFolder("tiny", roots)).toEqual({ folder, name: "tiny", revision: "main" });
    expect(listModels(roots)[1]).toMatchObject({
      present: true,
      bytes: 7,
      approximate: false,
      origin: "hub",
    });
  });

  it("takes anything else for a path", () => {
    expect(resolveModelFolder(base, roots)).toEqual({
      folder: resolve(base),
      name: basename(base),
      revision: null,
    });
  });

  it("knows repository and commit of a snapshot in Hugging Face's cache, and of a download", () => {
    const commit = "0123456789abcdef0123456789abcdef01234567";
    const snapshot = join(base, `hub/models--someone--Tiny-1B/snapshots/${commit}`);
    put(join(snapshot, "config.json"));
    expect(resolveModelFolder(snapshot, roots)).toMatchObject({ name: "someone/Tiny-1B", revision: commit });
    const downloaded = join(roots.downloads, "someone/Other");
    const record = { repository: "someone/Other", commit, licence: null, date: new Date(0).toISOString() };
    put(join(downloaded, downloadRecordName), serialiseDownloadRecord(record));
    put(join(downloaded, "onnx/model_q4.onnx"));
    expect(resolveModelFolder(downloaded, roots)).toMatchObject({ name: "someone/Other", revision: commit });
    expect(resolveModelFolder(join(downloaded, "onnx/model_q4.onnx"), roots)).toMatchObject({
      name: "someone/Other model_q4",
      revision: commit,
    });
  });

  it.each(["", "no-such-model", "nul\0byte"])("says what can be named instead of %j", (reference) => {
    expect(attempt(reference)).toThrow(
      expect.objectContaining({
        kind: "ModelNotFound",
        remedy: expect.stringContaining("one of: inside.") as string,
      }) as Error,
    );
  });

  it("says when the catalogue itself is missing", () => {
    rmSync(join(roots.embedded, "catalogue.json"));
    expect(attempt("inside")).toThrow(expect.objectContaining({ kind: "FileUnreadable" }) as Error);
  });
});
