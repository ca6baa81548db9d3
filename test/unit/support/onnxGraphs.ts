/** Decoder graphs for tests: the exporters' fixtures, and a toy that can be broken in any way. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  ElementType,
  encodeExternalTensor,
  encodeInt64,
  encodeModel,
  encodeNode,
  encodeTensor,
  encodeValueInfo,
  type NodeSpec,
} from "../../../src/engine/onnx/encode.ts";
import { parseOnnx } from "../../../src/engine/onnx/model.ts";
import { patchGraph, type PatchedGraph, type PatchOptions } from "../../../src/engine/onnx/patch.ts";
import { MemoryByteSource } from "../../../src/engine/onnx/wire.ts";

export const fixtures = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "fixtures");

/** Folders of decoder-graphs that hold a graph, each as family/name. */
export const graphFolders = ["optimum", "variants", "dynamo", "genai-builder"].flatMap((family) =>
  readdirSync(join(fixtures, "decoder-graphs", family)).map((name) => `${family}/${name}`),
);

export function graphBytes(folder: string): Uint8Array {
  return new Uint8Array(readFileSync(join(fixtures, "decoder-graphs", folder, "model.onnx")));
}

/** All fixtures have three layers; builder graphs are 64 wide with heads of 16, the others 32 with heads of 8. */
export function fixtureOptions(folder: string): PatchOptions {
  const isBuilder = folder.startsWith("genai-builder");
  return { weightsFile: "model.onnx", layers: 3, hidden: isBuilder ? 64 : 32, headDim: isBuilder ? 16 : 8 };
}

export function patchBytes(bytes: Uint8Array, options: PatchOptions): PatchedGraph {
  const source = new MemoryByteSource(bytes);
  return patchGraph(parseOnnx(source), source, options);
}

/** A model whose only tensor claims to lie at `location`. */
export function modelWithDataAt(location: string): Uint8Array {
  const tensor = encodeExternalTensor("w", ElementType.float32, [4], { location, offset: 0, length: 16 });
  const node = encodeNode({ operator: "Identity", inputs: ["w"], outputs: ["y"] });
  const graph = { name: "g", nodes: [node], initializers: [tensor], inputs: [], outputs: [] };
  return encodeModel(graph, { "": 18 }, "test");
}

const hidden = 8;
const vocabulary = 16;

export const toyOptions: PatchOptions = { weightsFile: "model.onnx", layers: 2, hidden, headDim: hidden };

export interface ToyChanges {
  readonly opset?: number;
  readonly layers?: number;
  /** Added at the end of the graph. */
  readonly nodes?: readonly NodeSpec[];
  readonly inputs?: readonly Uint8Array[];
  /** Applied to the nodes before they are written. */
  readonly change?: (nodes: NodeSpec[]) => NodeSpec[];
  /** Replaces the inputs that are not cache. */
  readonly frontInputs?: readonly Uint8Array[];
  readonly cacheType?: number;
  readonly withoutCache?: boolean;
  readonly logitsName?: string;
}

const batchTokens = ["batch", "tokens"];

/**
 * A decoder of single-head blocks without norms: each adds a product of keys and values, then an MLP. Enough of a
 * decoder for its structure; its numbers mean nothing.
 */
export function toyDecoder(changes: ToyChanges = {}): Uint8Array {
  const { opset = 18, layers = 2, cacheType = ElementType.float32, logitsName = "logits" } = changes;
  const weight = (name: string, dims: number[]): Uint8Array =>
    encodeTensor(
      name,
      ElementType.float32,
      dims,
      new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(0.1),
    );
  const initializers = [
    weight("table", [vocabulary, hidden]),
    weight("w", [hidden, hidden]),
    weight("head", [hidden, vocabulary]),
    encodeInt64("heads", [0, 0, 1, hidden]),
    encodeInt64("flat", [0, 0, hidden]),
  ];
  const nodes: NodeSpec[] = [{ operator: "Gather", inputs: ["table", "input_ids"], outputs: ["x0"] }];
  const caches: { input: Uint8Array; output: Uint8Array }[] = [];
  for (let i = 0; i < layers; i++) {
    for (const part of ["key", "value"]) {
      const fresh = `${part}${i}`;
      const [past, present] = [`past_key_values.${i}.${part}`, `present.${i}.${part}`];
      nodes.push(
        { operator: "MatMul", inputs: [`x${i}`, "w"], outputs: [`${fresh}.flat`] },
        { operator: "Reshape", inputs: [`${fresh}.flat`, "heads"], outputs: [`${fresh}.split`] },
        {
          operator: "Transpose",
          inputs: [`${fresh}.split`],
          outputs: [fresh],
          attributes: { perm: [0, 2, 1, 3] },
        },
        { operator: "Concat", inputs: [past, fresh], outputs: [present], attributes: { axis: 2 } },
      );
      const dims = (length: string): (number | string)[] => ["batch", 1, length, hidden];
      caches.push({
        input: encodeValueInfo(past, cacheType, dims("past")),
        output: encodeValueInfo(present, cacheType, dims("total")),
      });
    }
    nodes.push(
      { operator: "Mul", inputs: [`key${i}.flat`, `value${i}.flat`], outputs: [`attention${i}`] },
      { operator: "Add", inputs: [`x${i}`, `attention${i}`], outputs: [`middle${i}`] },
      { operator: "MatMul", inputs: [`middle${i}`, "w"], outputs: [`mlp${i}`] },
      { operator: "Add", inputs: [`middle${i}`, `mlp${i}`], outputs: [`x${i + 1}`] },
    );
  }
  nodes.push({ operator: "MatMul", inputs: [`x${layers}`, "head"], outputs: [logitsName] });
  const all = [...(changes.change?.(nodes) ?? nodes), ...(changes.nodes ?? [])];
  const front = changes.frontInputs ?? [encodeValueInfo("input_ids", ElementType.int64, batchTokens)];
  return encodeModel(
    {
      name: "toy",
      nodes: all.map(encodeNode),
      initializers,
      inputs: [
        ...front,
        ...(changes.inputs ?? []),
        ...(changes.withoutCache ? [] : caches.map((cache) => cache.input)),
      ],
      outputs: [
        encodeValueInfo(logitsName, ElementType.float32, [...batchTokens, vocabulary]),
        ...(changes.withoutCache ? [] : caches.map((cache) => cache.output)),
      ],
    },
    { "": opset },
    "toy",
  );
}
