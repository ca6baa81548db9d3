/** What the patcher writes, read by somebody else's protobuf implementation. */
import protobuf from "protobufjs";
import { describe, expect, it } from "vitest";
import { graphNames } from "../../src/engine/onnx/patch.ts";
import {
  fixtureOptions,
  graphBytes,
  graphFolders,
  patchBytes,
  toyDecoder,
  toyOptions,
} from "./support/onnxGraphs.ts";

// The part of onnx.proto3 that matters here.
const { root } = protobuf.parse(
  `syntax = "proto3";
  message StringStringEntry { string key = 1; string value = 2; }
  message Tensor {
    repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9;
    repeated StringStringEntry external_data = 13; int32 data_location = 14;
  }
  message Attribute { string name = 1; int64 i = 3; Tensor t = 5; Graph g = 6; repeated int64 ints = 8; int32 type = 20; }
  message Node {
    repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4;
    repeated Attribute attribute = 5; string domain = 7;
  }
  message Dimension { int64 dim_value = 1; string dim_param = 2; }
  message Shape { repeated Dimension dim = 1; }
  message TensorType { int32 elem_type = 1; Shape shape = 2; }
  message Type { TensorType tensor_type = 1; }
  message Value { string name = 1; Type type = 2; }
  message Graph {
    repeated Node node = 1; string name = 2; repeated Tensor initializer = 5; repeated Value input = 11;
    repeated Value output = 12; repeated Value value_info = 13;
  }
  message OperatorSet { string domain = 1; int64 version = 2; }
  message Model { int64 ir_version = 1; string producer_name = 2; Graph graph = 7; repeated OperatorSet opset_import = 8; }`,
  { keepCase: true },
);
const modelType = root.lookupType("Model");

interface Tensor {
  readonly name: string;
  readonly dims: number[];
  readonly data_type: number;
  readonly raw_data: Uint8Array;
  readonly external_data: { readonly key: string; readonly value: string }[];
  readonly data_location: number;
}
interface Graph {
  readonly node: Node[];
  readonly initializer: Tensor[];
  readonly input: { readonly name: string }[];
  readonly output: { readonly name: string }[];
  readonly value_info: unknown[];
}
interface Node {
  readonly input: string[];
  readonly output: string[];
  readonly name: string;
  readonly op_type: string;
  readonly attribute: { readonly name: string; readonly g?: Graph }[];
}

function decode(bytes: Uint8Array): { graph: Graph; opset_import: { domain: string; version: number }[] } {
  const message = modelType.decode(bytes);
  return modelType.toObject(message, { longs: Number, arrays: true, defaults: true }) as ReturnType<
    typeof decode
  >;
}

const namesOf = (values: readonly { readonly name: string }[]): string[] => values.map((value) => value.name);

/** Every value is made once and before it is used; nodes have names of their own. */
function checkGraph(graph: Graph, outside: ReadonlySet<string>): void {
  const known = new Set([...outside, ...namesOf(graph.input), ...namesOf(graph.initializer)]);
  const nodeNames = new Set<string>();
  for (const node of graph.node) {
    if (node.name !== "") expect(nodeNames, node.name).not.toContain(node.name);
    nodeNames.add(node.name);
    for (const input of node.input)
      if (input !== "") expect(known.has(input), `${input} of ${node.name}`).toBe(true);
    for (const { g } of node.attribute) if (g && g.node.length > 0) checkGraph(g, known);
    for (const output of node.output) {
      if (output === "") continue;
      expect(known.has(output), `${output} made twice`).toBe(false);
      known.add(output);
    }
  }
  for (const output of graph.output) expect(known.has(output.name), output.name).toBe(true);
}

describe.each(graphFolders)("%s", (folder) => {
  const original = graphBytes(folder);
  const patched = patchBytes(original, fixtureOptions(folder));
  const before = decode(original);
  const after = decode(patched.bytes);

  it("is a sound graph", () => {
    checkGraph(after.graph, new Set());
    expect(after.opset_import).toEqual(before.opset_import);
  });

  it("has the original's inputs and outputs and the new ones", () => {
    const { readOut, projections, ...inputs } = graphNames;
    expect(namesOf(after.graph.input)).toEqual([...namesOf(before.graph.input), ...Object.values(inputs)]);
    expect(namesOf(after.graph.output)).toEqual([...namesOf(before.graph.output), readOut, projections]);
  });

  it("points to the weights where they are", () => {
    const originals = new Map(before.graph.initializer.map((tensor) => [tensor.name, tensor]));
    let referenced = 0;
    for (const tensor of after.graph.initializer) {
      const source = originals.get(tensor.name);
      if (source === undefined) continue;
      expect([tensor.dims, tensor.data_type]).toEqual([source.dims, source.data_type]);
      if (source.data_location === 1) expect(tensor.external_data).toEqual(source.external_data);
      else if (tensor.data_location === 1) {
        referenced++;
        const external = new Map(tensor.external_data.map(({ key, value }) => [key, value]));
        expect(external.get("location")).toBe("model.onnx");
        const [offset, length] = [Number(external.get("offset")), Number(external.get("length"))];
        expect(sameBytes(original.subarray(offset, offset + length), source.raw_data)).toBe(true);
      } else expect(sameBytes(tensor.raw_data, source.raw_data)).toBe(true);
    }
    const isBig = (tensor: Tensor): boolean => tensor.raw_data.length >= 1024;
    expect(referenced).toBe(before.graph.initializer.filter(isBig).length);
  });
});

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

describe("what the patch says of a graph", () => {
  it.each([
    ["optimum/gpt2", "optimum", "fp32", false, null],
    ["variants/llama-merged", "optimum-merged", "fp32", false, null],
    ["variants/gpt2-op14", "optimum", "fp32", false, null],
    ["variants/llama-fp16", "optimum", "fp16", false, null],
    ["variants/llama-q4", "optimum", "q4", false, null],
    ["variants/llama-q8", "optimum", "q8", false, "by-call"],
    ["dynamo/llama", "dynamo", "fp32", false, null],
    ["genai-builder/llama-fp32", "onnxruntime-genai", "fp32", true, null],
    ["genai-builder/llama-int4", "onnxruntime-genai", "q4", true, "by-token"],
    ["genai-builder/llama-q4f16", "onnxruntime-genai", "q4f16", true, "by-token"],
  ])("%s: %s, %s", (folder, layout, precision, groupQueryAttention, activationQuantisation) => {
    const patched = patchBytes(graphBytes(folder), fixtureOptions(folder));
    expect(patched).toMatchObject({ layout, precision, groupQueryAttention, activationQuantisation });
  });

  it("marks the axes of the cache", () => {
    const builder = patchBytes(
      graphBytes("genai-builder/llama-q4f16"),
      fixtureOptions("genai-builder/llama-q4f16"),
    );
    expect(builder.cache.length).toBe(6);
    expect(builder.cache[0]).toEqual({
      input: "past_key_values.0.key",
      output: "present.0.key",
      elementType: "float16",
      dims: ["batch", 2, "past", 16],
    });
    expect([...builder.externalFiles.keys()]).toEqual(["model.onnx.data"]);
    expect(builder.inputs).toEqual({
      inputIds: "input_ids",
      attentionMask: "attention_mask",
      positionIds: null,
      useCacheBranch: null,
      numLogitsToKeep: null,
      attentionBias: null,
    });
  });
});

describe("the rewriter", () => {
  it("drops the mark by which the builder asks for a ring buffer", () => {
    const folder = "genai-builder/gemma3_text-fp32";
    const marks = (bytes: Uint8Array): number =>
      decode(bytes).graph.node.filter((node) => namesOf(node.attribute).includes("sliding_window_cache"))
        .length;
    expect(marks(graphBytes(folder))).toBe(3);
    expect(marks(patchBytes(graphBytes(folder), fixtureOptions(folder)).bytes)).toBe(0);
  });

  it("copies all weights when there is no file to point to", () => {
    const folder = "optimum/llama";
    const { graph } = decode(
      patchBytes(graphBytes(folder), { ...fixtureOptions(folder), weightsFile: "" }).bytes,
    );
    const copies = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
    for (const tensor of decode(graphBytes(folder)).graph.initializer) {
      expect(sameBytes(copies.get(tensor.name)!.raw_data, tensor.raw_data)).toBe(true);
    }
    expect(graph.initializer.filter((tensor) => tensor.data_location === 1)).toEqual([]);
  });

  it.each([11, 13, 18])("writes operators as operator set %i has them", (opset) => {
    const { graph } = decode(patchBytes(toyDecoder({ opset }), toyOptions).bytes);
    const splits = graph.node.filter((node) => node.op_type === "Split" || node.op_type === "Unsqueeze");
    expect(splits.length).toBe(4);
    for (const node of splits) {
      const attributes = namesOf(node.attribute).filter((name) => name !== "axis");
      expect([node.input.length, attributes.length]).toEqual(opset < 13 ? [1, 1] : [2, 0]);
    }
  });
});
