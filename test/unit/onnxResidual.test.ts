/** The residual stream is found by structure: where it lies is known from the exporters, and names do not matter. */
import { describe, expect, it } from "vitest";
import { readInterface } from "../../src/engine/onnx/decoderInterface.ts";
import { attributeOf, parseOnnx, type OnnxGraph, type OnnxNode } from "../../src/engine/onnx/model.ts";
import { findResidualStream, type ResidualStream } from "../../src/engine/onnx/residual.ts";
import { GraphScope } from "../../src/engine/onnx/scope.ts";
import { MemoryByteSource } from "../../src/engine/onnx/wire.ts";
import { SeededRandom } from "../../src/steering/random.ts";
import { fixtureOptions, graphBytes, graphFolders } from "./support/onnxGraphs.ts";

function graphOf(folder: string): OnnxGraph {
  return parseOnnx(new MemoryByteSource(graphBytes(folder))).graph;
}

/** Each boundary as the value that carries it, or the Skip node whose sum it is; through one branch where there are two. */
function boundariesOf(
  folder: string,
  graph: OnnxGraph,
  branch?: string,
): { stream: ResidualStream; names: string[] } {
  const options = fixtureOptions(folder);
  const outer = new GraphScope(graph);
  const { inputs, logits, cache } = readInterface(outer, options.headDim);
  const branching = branch === undefined ? null : outer.producer(logits.name)!;
  const inner = branching && attributeOf(branching, branch!)!.graph!;
  const scope = inner ? new GraphScope(inner, outer) : outer;
  const named = (output: string): string =>
    inner ? inner.outputs[branching.outputs.indexOf(output)]!.name : output;
  const ends = {
    inputIds: inputs.inputIds,
    logits: named(logits.name),
    cacheOutputs: cache.map((tensor) => named(tensor.output)),
  };
  const stream = findResidualStream(scope, ends, options);
  const names = stream.boundaries.map((boundary) =>
    boundary.kind === "tensor" ? boundary.value : `sum of ${scope.nodes[boundary.node]!.name}`,
  );
  return { stream, names };
}

const blocks = (name: (block: number) => string): string[] => [0, 1, 2].map(name);
const skips = (...names: string[]): string[] =>
  names.map((name) => `sum of /model/layers.${name}/SkipLayerNorm`);

describe("boundaries", () => {
  const embedding = "/model/embed_tokens/Gather_output_0";
  const llama = [embedding, ...blocks((i) => `/model/layers.${i}/Add_1_output_0`)];
  it.each<[string, string[]]>([
    ["optimum/llama", llama],
    ["optimum/qwen2", llama],
    ["optimum/phi3", llama],
    ["optimum/gemma2", ["/model/Mul_3_output_0", ...llama.slice(1)]],
    ["optimum/gpt2", ["/transformer/Add_1_output_0", ...blocks((i) => `/transformer/h.${i}/Add_1_output_0`)]],
    [
      "optimum/gpt_neox",
      ["/gpt_neox/embed_in/Gather_output_0", ...blocks((i) => `/gpt_neox/layers.${i}/Add_1_output_0`)],
    ],
    ["optimum/opt", ["/decoder/Add_5_output_0", ...blocks((i) => `/decoder/layers.${i}/Reshape_1_output_0`)]],
    ["variants/llama-fp16", llama],
    ["variants/llama-q4", llama],
    [
      "genai-builder/llama-fp32",
      [
        "/model/embed_tokens/Gather/output_0",
        ...skips("1/input_layernorm", "2/input_layernorm", "3/final_norm_layernorm"),
      ],
    ],
    ["dynamo/llama", ["embedding", "add_415", "add_721", "add_1027"]],
  ])("%s", (folder, expected) => {
    expect(boundariesOf(folder, graphOf(folder)).names).toEqual(expected);
  });

  it("are found in both branches of a merged decoder", () => {
    const graph = graphOf("variants/llama-merged");
    for (const branch of ["then_branch", "else_branch"]) {
      const { names } = boundariesOf("variants/llama-merged", graph, branch);
      expect(names.slice(1).map((name) => name.replace(/_(then|else|decoder.*)$/, ""))).toEqual(
        llama.slice(1),
      );
    }
  });
});

const plain = graphFolders.filter((folder) => !folder.includes("merged"));

describe.each(plain)("%s", (folder) => {
  const graph = graphOf(folder);
  const { names } = boundariesOf(folder, graph);

  it("is found without looking at the names of nodes and values", () => {
    const kept = new Set([...graph.inputs, ...graph.outputs].map((value) => value.name));
    const renamed = new Map<string, string>();
    const rename = (value: string): string => {
      if (value === "" || kept.has(value)) return value;
      if (!renamed.has(value)) renamed.set(value, `v${renamed.size}`);
      return renamed.get(value)!;
    };
    const nodes = graph.nodes.map((node, i): OnnxNode => ({
      ...node,
      name: `n${i}`,
      inputs: node.inputs.map(rename),
      outputs: node.outputs.map(rename),
    }));
    const initializers = new Map([...graph.initializers].map(([name, tensor]) => [rename(name), tensor]));
    const valueInfo = new Map([...graph.valueInfo].map(([name, value]) => [rename(name), value]));
    const { stream } = boundariesOf(folder, { ...graph, nodes, initializers, valueInfo });
    const found = stream.boundaries.map((boundary) =>
      boundary.kind === "tensor"
        ? ([...renamed].find(([, name]) => name === boundary.value)?.[0] ?? boundary.value)
        : `sum of ${graph.nodes[boundary.node]!.name}`,
    );
    expect(found).toEqual(names);
  });

  it("is found when the nodes are out of order", () => {
    const order = new SeededRandom(7).permutation(graph.nodes.length);
    const nodes = [...order].map((index) => graph.nodes[index]!);
    expect(boundariesOf(folder, { ...graph, nodes }).names).toEqual(names);
  });
});
