/** Questions about the values of one graph: who makes them, which values a node needs, their element type and width. */
import { SteerscopeError } from "../../shared/errors.ts";
import { ElementType } from "./encode.ts";
import { attributeOf, type OnnxGraph, type OnnxNode, type OnnxTensor, type OnnxValue } from "./model.ts";

/** Long enough for any chain of reshapes and casts between a value and what fixes its type. */
const maximumSteps = 256;

export class GraphScope {
  readonly graph: OnnxGraph;
  /** The graph around a branch of an `If`; its values are visible here. */
  readonly parent: GraphScope | null;
  /** In an order in which every value is made before it is used. */
  readonly nodes: readonly OnnxNode[];
  /** Index in `nodes` of the node that makes a value. */
  readonly producers: ReadonlyMap<string, number>;

  /** Throws ModelCorrupt when the nodes form a cycle. */
  constructor(graph: OnnxGraph, parent: GraphScope | null = null) {
    this.graph = graph;
    this.parent = parent;
    this.nodes = inOrder(graph.nodes);
    this.producers = producersOf(this.nodes);
  }

  producer(value: string): OnnxNode | null {
    const index = this.producers.get(value);
    return index === undefined ? (this.parent?.producer(value) ?? null) : this.nodes[index]!;
  }

  initializer(value: string): OnnxTensor | null {
    return this.graph.initializers.get(value) ?? this.parent?.initializer(value) ?? null;
  }

  declared(value: string): OnnxValue | null {
    const { valueInfo, inputs, outputs } = this.graph;
    const named = (other: OnnxValue): boolean => other.name === value;
    return (
      valueInfo.get(value) ??
      inputs.find(named) ??
      outputs.find(named) ??
      this.parent?.declared(value) ??
      null
    );
  }

  /** ElementType of a value: as declared, else followed back to what fixes it; 0 when that does not tell. */
  elementType(value: string): number {
    let current = value;
    for (let step = 0; step < maximumSteps; step++) {
      const known = this.declared(current)?.elementType ?? this.initializer(current)?.elementType ?? 0;
      if (known !== 0) return known;
      const node = this.producer(current);
      if (node === null) return 0;
      if (node.operator === "Cast") return attributeOf(node, "to")?.int ?? 0;
      if (node.operator === "Constant")
        return attributeOf(node, "value")?.tensor?.elementType ?? ElementType.float32;
      if (floatProducers.has(node.operator)) return ElementType.float32;
      const next = node.inputs[typeGivingInput[node.operator] ?? 0];
      if (!next) return 0;
      current = next;
    }
    return 0;
  }

  /** Size of the last axis of a value, where declarations or the weights that made it tell; null otherwise. */
  width(value: string): number | null {
    let current = value;
    for (let step = 0; step < maximumSteps; step++) {
      const declared = this.declared(current)?.dims?.at(-1);
      if (typeof declared === "number" && declared > 0) return declared;
      const tensor = this.initializer(current);
      if (tensor !== null) return tensor.dims.at(-1) ?? null;
      const node = this.producer(current);
      if (node === null) return null;
      const decided = this.#widthFromWeights(node);
      if (decided !== undefined) return decided;
      const next = node.inputs[0];
      if (!next || !keepsWidth.has(node.operator)) return null;
      current = next;
    }
    return null;
  }

  /** undefined: the operator passes its first input's width on, or nothing is known of it. */
  #widthFromWeights(node: OnnxNode): number | null | undefined {
    switch (node.operator) {
      case "MatMul":
      case "MatMulInteger":
        return this.#lastAxis(node.inputs[1]);
      case "MatMulNBits":
        return attributeOf(node, "N")?.int ?? null;
      case "Gather":
      case "GatherBlockQuantized":
        // Packed four-bit tables have half the columns.
        return node.operator === "Gather" ? this.#lastAxis(node.inputs[0]) : null;
      case "LayerNormalization":
      case "SimplifiedLayerNormalization":
      case "RMSNormalization":
        return this.#lastAxis(node.inputs[1]);
      case "SkipLayerNormalization":
      case "SkipSimplifiedLayerNormalization":
      case "EmbedLayerNormalization":
        return this.#lastAxis(node.inputs[2]);
      default:
        return undefined;
    }
  }

  #lastAxis(value: string | undefined): number | null {
    return (value === undefined ? null : this.initializer(value))?.dims.at(-1) ?? null;
  }
}

/** Operators whose output has another element type than their first input, and where to look instead. */
const typeGivingInput: Readonly<Record<string, number>> = {
  DequantizeLinear: 1,
  GatherBlockQuantized: 2,
  EmbedLayerNormalization: 2,
  Where: 1,
};

const floatProducers = new Set(["MatMulIntegerToFloat", "DynamicQuantizeMatMul"]);

const keepsWidth = new Set(["Add", "Sub", "Mul", "Div", "Sum", "Cast", "Identity", "Dropout", "Reshape"]);

/** The values a node reads, those included that the graphs in its attributes take from around them. */
export function readsOf(node: OnnxNode): readonly string[] {
  const graphs = node.attributes.flatMap((attribute) => attribute.graph ?? []);
  if (graphs.length === 0) return node.inputs;
  return [...node.inputs, ...graphs.flatMap((graph) => capturesOf(graph))];
}

function capturesOf(graph: OnnxGraph): string[] {
  const own = new Set([...graph.inputs.map((input) => input.name), ...graph.initializers.keys()]);
  for (const node of graph.nodes) for (const output of node.outputs) own.add(output);
  const read = new Set(graph.outputs.map((output) => output.name));
  for (const node of graph.nodes) for (const value of readsOf(node)) read.add(value);
  return [...read].filter((value) => value !== "" && !own.has(value));
}

function producersOf(nodes: readonly OnnxNode[]): Map<string, number> {
  const producers = new Map<string, number>();
  nodes.forEach((node, index) => {
    for (const output of node.outputs) if (output) producers.set(output, index);
  });
  return producers;
}

/** Exporters sort their nodes, as the format demands, but onnxruntime also takes files of tools that forget to. */
function inOrder(nodes: readonly OnnxNode[]): readonly OnnxNode[] {
  const producers = producersOf(nodes);
  const needs = nodes.map((node) => readsOf(node).flatMap((value) => producers.get(value) ?? []));
  if (needs.every((indices, index) => indices.every((other) => other < index))) return nodes;
  const users: number[][] = nodes.map(() => []);
  const open = needs.map((indices) => indices.length);
  needs.forEach((indices, index) => {
    for (const other of indices) users[other]!.push(index);
  });
  const order = open.flatMap((count, index) => (count === 0 ? [index] : []));
  for (let next = 0; next < order.length; next++) {
    for (const user of users[order[next]!]!) {
      open[user]!--;
      if (!open[user]) order.push(user);
    }
  }
  if (order.length < nodes.length) {
    throw new SteerscopeError("ModelCorrupt", "The ONNX file cannot be read. Its operations form a circle.", {
      remedy: "Download or export the model again.",
    });
  }
  return order.map((index) => nodes[index]!);
}
