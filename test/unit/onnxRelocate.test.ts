/** External data gets new file names wherever it hides, and nothing else changes. */
import { describe, expect, it } from "vitest";
import { encodeExternalTensor, ElementType } from "../../src/engine/onnx/encode.ts";
import { parseOnnx } from "../../src/engine/onnx/model.ts";
import { relocateWeights } from "../../src/engine/onnx/relocate.ts";
import { MemoryByteSource, MessageWriter } from "../../src/engine/onnx/wire.ts";
import { graphBytes, toyDecoder } from "./support/onnxGraphs.ts";

const tensorAt = (location: string): Uint8Array =>
  encodeExternalTensor("w", ElementType.float32, [4], { location, offset: 64, length: 16 });
const sparseAt = (values: string, indices: string): MessageWriter =>
  new MessageWriter().bytes(1, tensorAt(values)).bytes(2, tensorAt(indices)).varint(3, 16);
/** An attribute of every kind that can hold a tensor, its fields by number. */
const attributes = [
  new MessageWriter().text(1, "tensor").bytes(5, tensorAt("in-attribute")),
  new MessageWriter().text(1, "graph").message(6, new MessageWriter().bytes(5, tensorAt("in-branch"))),
  new MessageWriter().text(1, "tensors").bytes(10, tensorAt("in-list")).bytes(10, tensorAt("kept")),
  new MessageWriter().text(1, "graphs").message(11, new MessageWriter().bytes(5, tensorAt("in-graphs"))),
  new MessageWriter().text(1, "sparse").message(22, sparseAt("sparse-values", "sparse-indices")),
  new MessageWriter().text(1, "sparses").message(23, sparseAt("sparses-values", "sparses-indices")),
];
const hidingPlaces = [
  "in-graph",
  "graph-sparse-values",
  "graph-sparse-indices",
  "in-attribute",
  "in-branch",
  "in-list",
  "kept",
  "in-graphs",
  "sparse-values",
  "sparse-indices",
  "sparses-values",
  "sparses-indices",
  "in-function",
  "in-default",
];

function modelWithAll(): Uint8Array {
  const node = new MessageWriter().text(2, "y").text(4, "Custom");
  for (const attribute of attributes) node.message(5, attribute);
  const graph = new MessageWriter()
    .message(1, node)
    .bytes(5, tensorAt("in-graph"))
    .message(15, sparseAt("graph-sparse-values", "graph-sparse-indices"));
  const inFunction = new MessageWriter()
    .text(4, "Constant")
    .message(5, new MessageWriter().text(1, "value").bytes(5, tensorAt("in-function")));
  const withDefault = new MessageWriter().text(1, "value").bytes(5, tensorAt("in-default"));
  return new MessageWriter()
    .varint(1, 10)
    .message(7, graph)
    .message(25, new MessageWriter().message(7, inFunction).message(11, withDefault))
    .finish();
}

const filesOf = (model: Uint8Array): string[] => [
  ...parseOnnx(new MemoryByteSource(model)).externalFiles.keys(),
];

describe("relocateWeights", () => {
  it("renames in every place that the reader knows", () => {
    const model = modelWithAll();
    expect(filesOf(model).sort()).toEqual([...hidingPlaces].sort());
    const changed = hidingPlaces.filter((name) => name !== "kept");
    const renamed = (name: string): string => (name === "kept" ? name : `blobs/${name}-${"0".repeat(200)}`);
    const moved = relocateWeights(model, new Map(changed.map((name) => [name, renamed(name)])));
    expect(filesOf(moved).sort()).toEqual(hidingPlaces.map(renamed).sort());
    const back = relocateWeights(moved, new Map(changed.map((name) => [renamed(name), name])));
    expect(Buffer.compare(back, model)).toBe(0);
  });

  it("changes the names and nothing else of a real graph", () => {
    const model = Buffer.from(graphBytes("genai-builder/llama-fp32"));
    const text = model.toString("latin1");
    // Of the same length, so that replacing the text is all that there is to do.
    const expected = Buffer.from(text.replaceAll("model.onnx.data", "0123456789abcde"), "latin1");
    expect(Buffer.compare(expected, model)).not.toBe(0);
    const moved = relocateWeights(model, new Map([["model.onnx.data", "0123456789abcde"]]));
    expect(Buffer.compare(moved, expected)).toBe(0);
  });

  it("returns the same bytes where nothing changes its name", () => {
    const model = modelWithAll();
    expect(relocateWeights(model, new Map([["in-graph", "in-graph"]]))).toBe(model);
    const toy = toyDecoder();
    expect(relocateWeights(toy, new Map([["model.onnx", "blob"]]))).toBe(toy);
  });

  it.each(["../secret", "/etc/passwd", "*/_ORT_MEM_ADDR_/*", ""])("refuses the new name %j", (name) => {
    expect(() => relocateWeights(modelWithAll(), new Map([["in-graph", name]]))).toThrow(
      expect.objectContaining({ kind: "ModelUnsupported" }),
    );
  });
});
