import { describe, expect, test } from "vitest";
import { cachedRepository, modelFolderOf, modelName } from "../../src/shared/modelName.ts";

const commit = "0123456789abcdef0123456789abcdef01234567";
const snapshot = `/home/me/.cache/huggingface/hub/models--HuggingFaceTB--SmolLM2-135M/snapshots/${commit}`;
const windows = `C:\\Users\\me\\hub\\models--me--Tiny\\snapshots\\${commit}`;

describe("a model's name", () => {
  test.each([
    ["stories15m", "stories15m"],
    ["owner/name", "owner/name"],
    ["/data/models/tiny", "tiny"],
    ["/data/models/tiny/", "tiny"],
    ["C:\\models\\tiny", "tiny"],
    ["../tiny", "tiny"],
    ["/data/tiny/onnx/model_q4.onnx", "tiny model_q4"],
    ["/data/tiny/model.onnx", "tiny model"],
    ["model.onnx", "model"],
    [snapshot, "HuggingFaceTB/SmolLM2-135M"],
    [`${snapshot}/onnx/model_fp16.onnx`, "HuggingFaceTB/SmolLM2-135M model_fp16"],
    [windows, "me/Tiny"],
    [`${windows}\\model.onnx`, "me/Tiny model"],
    [`/hub/models--gpt2/snapshots/${commit}`, "gpt2"],
  ])("%s is %s", (reference, name) => {
    expect(modelName(reference)).toBe(name);
  });

  test("comes with the commit where it lies in the cache", () => {
    expect(cachedRepository(snapshot)).toEqual({
      repository: "HuggingFaceTB/SmolLM2-135M",
      revision: commit,
    });
    expect(cachedRepository("/data/models--me--Tiny/tiny")).toBeNull();
  });

  test("and the folder of a graph is the one with the configuration", () => {
    expect(modelFolderOf("/data/tiny/onnx/model.onnx")).toBe("/data/tiny");
    expect(modelFolderOf("C:\\tiny\\model.onnx")).toBe("C:\\tiny");
    expect(modelFolderOf("/data/tiny")).toBe("/data/tiny");
  });
});
