/** Locations of weights come from strangers: none may lead out of the model's folder, on any operating system. */
import { describe, expect, it } from "vitest";
import { parseExternalData } from "../../src/engine/onnx/externalData.ts";
import { parseOnnx } from "../../src/engine/onnx/model.ts";
import { MemoryByteSource } from "../../src/engine/onnx/wire.ts";
import { modelWithDataAt } from "./support/onnxGraphs.ts";

const entries = (location: string, more: Record<string, string> = {}): Map<string, string> =>
  new Map(Object.entries({ location, ...more }));

describe("external data", () => {
  it.each([
    "",
    "/etc/passwd",
    "../model.onnx_data",
    "onnx/../../secret",
    "..",
    "a/..",
    "a//b",
    "a/",
    "C:weights.bin",
    "C:/weights.bin",
    "..\\weights.bin",
    "\\\\server\\share\\weights.bin",
    "weights\u0000.bin",
    "*/_ORT_MEM_ADDR_/*",
  ])("refuses %j", (location) => {
    expect(() => parseExternalData("w", entries(location))).toThrow(/points outside the model's folder/);
  });

  it.each([
    "model.onnx_data",
    "./model.onnx.data",
    "onnx/weights/part 1.bin",
    "模型.data",
    "a..b",
    ".hidden",
  ])("takes %j", (location) => {
    expect(parseExternalData("w", entries(location, { offset: "4096", length: "12" }))).toEqual({
      location,
      offset: 4096,
      length: 12,
    });
  });

  it("starts at 0 and goes to the end when the file does not say", () => {
    expect(parseExternalData("w", entries("w.bin"))).toEqual({ location: "w.bin", offset: 0, length: null });
  });

  it.each(["-1", "1e3", "0x10", "", " 1", "99999999999999999999"])("refuses the offset %j", (offset) => {
    expect(() => parseExternalData("w", entries("w.bin", { offset }))).toThrow(/no valid position/);
  });

  it("is checked as a model is read, and named in the refusal", () => {
    const parse = (location: string): [string, number][] => [
      ...parseOnnx(new MemoryByteSource(modelWithDataAt(location))).externalFiles,
    ];
    expect(parse("weights.bin")).toEqual([["weights.bin", 16]]);
    expect(() => parse("../../home/user/.ssh/id_rsa")).toThrow(/\.\.\/\.\.\/home\/user\/\.ssh\/id_rsa/);
  });
});
