/** Links of weight files are followed into one folder, or refused. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { locateWeightFiles } from "../../src/engine/weightFiles.ts";

let root = "";
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "steerscope-links-")));
  mkdirSync(join(root, "model"));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

const write = (path: string): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), path);
};
const link = (path: string, target: string): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  symlinkSync(target, join(root, path));
};
const locate = (...names: string[]): { folder: string; paths: string[]; locations: [string, string][] } => {
  const { folder, paths, locations } = locateWeightFiles(join(root, "model"), names);
  return { folder, paths: [...paths], locations: [...locations] };
};

describe("plain files", () => {
  it("stay where and what they are, subfolders included", () => {
    write("model/model.onnx");
    write("model/weights/part 1.bin");
    expect(locate("model.onnx", "weights/part 1.bin", "./model.onnx")).toEqual({
      folder: join(root, "model"),
      paths: ["model.onnx", "weights/part 1.bin", "model.onnx"].map((name) => join(root, "model", name)),
      locations: [
        ["model.onnx", "model.onnx"],
        ["weights/part 1.bin", "weights/part 1.bin"],
        ["./model.onnx", "model.onnx"],
      ],
    });
  });

  it("that are missing are named", () => {
    write("model/model.onnx");
    expect(() => locate("model.onnx", "model.onnx_data")).toThrow(
      expect.objectContaining({
        kind: "ModelCorrupt",
        message: expect.stringContaining("onnx_data") as string,
      }),
    );
  });
});

// Links need a privilege there.
describe.skipIf(process.platform === "win32")("links", () => {
  it("into one folder of blobs are followed", () => {
    write("blobs/1f0e");
    write("blobs/deeper/2a");
    link("model/model.onnx", "../blobs/1f0e");
    link("model/model.onnx_data", "../blobs/deeper/2a");
    expect(locate("model.onnx", "model.onnx_data")).toEqual({
      folder: join(root, "blobs"),
      paths: [join(root, "blobs/1f0e"), join(root, "blobs/deeper/2a")],
      locations: [
        ["model.onnx", "1f0e"],
        ["model.onnx_data", "deeper/2a"],
      ],
    });
  });

  it("within the folder are followed", () => {
    write("model/files/a");
    link("model/model.onnx", "files/a");
    expect(locate("model.onnx")).toMatchObject({
      folder: join(root, "model"),
      locations: [["model.onnx", "files/a"]],
    });
  });

  it("of the model folder itself are followed, those of one file out of it are not", () => {
    write("model/model.onnx");
    write("elsewhere/data");
    link("alias", "model");
    expect(locateWeightFiles(join(root, "alias"), ["model.onnx"]).folder).toBe(join(root, "model"));
    link("model/model.onnx_data", "../elsewhere/data");
    expect(() => locate("model.onnx", "model.onnx_data")).toThrow(
      expect.objectContaining({ kind: "ModelUnsupported" }),
    );
  });

  it("that lead nowhere are files that are missing", () => {
    link("model/model.onnx", "../blobs/none");
    expect(() => locate("model.onnx")).toThrow(expect.objectContaining({ kind: "ModelCorrupt" }));
  });
});
