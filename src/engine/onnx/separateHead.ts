/**
 * Splits a patched graph where the wanted rows enter the output head: the product with the vocabulary becomes a graph
 * of its own. Reading activations never needs it, and its weights are a fifth of a small model's.
 */
import { encodeValueInfo } from "./encode.ts";
import { parseOnnx, type ByteRange, type OnnxNode, type OnnxValue } from "./model.ts";
import { ModelRewriter, type GraphEdit } from "./rewrite.ts";
import { GraphScope, readsOf } from "./scope.ts";
import { MemoryByteSource } from "./wire.ts";

/** The value that is cut: what the product with the vocabulary takes. */
export interface HeadRows {
  readonly name: string;
  readonly elementType: number;
  /** [rows, hidden] rather than [1, rows, hidden]. */
  readonly isMatrix: boolean;
}

export interface SeparateHead {
  /** The model without its head; the rows are an output in place of the logits. */
  readonly body: Uint8Array;
  /** From the rows to the logits. */
  readonly head: Uint8Array;
}

/** `bytes`: a model that keeps no weights in itself. Null where its head takes more than the rows and constants. */
export function separateHead(bytes: Uint8Array, rows: HeadRows, logits: string): SeparateHead | null {
  const source = new MemoryByteSource(bytes);
  const model = parseOnnx(source);
  const { inputs, outputs, initializers } = model.graph;
  const scope = new GraphScope(model.graph);
  const isLogits = ({ name }: OnnxValue): boolean => name === logits;
  const otherOutputs = outputs.filter((output) => !isLogits(output));
  const headNodes = nodesBehind(scope, [logits], rows.name);
  const bodyNodes = nodesBehind(scope, [rows.name, ...otherOutputs.map(({ name }) => name)]);
  if (!isConstantBut(scope, headNodes, rows.name)) return null;

  const dims = [...(rows.isMatrix ? [] : [1]), "steerscope_rows", "steerscope_hidden"];
  const cut = encodeValueInfo(rows.name, rows.elementType, dims);
  const write = (nodes: readonly OnnxNode[], ownInputs: readonly OnnxValue[], ends: Ends): Uint8Array => {
    const read = new Set(nodes.flatMap(readsOf));
    const used = new Map([...initializers].filter(([name]) => read.has(name)));
    const part = { ...model, graph: { ...model.graph, initializers: used, inputs: ownInputs } };
    return new ModelRewriter(source, "").write(part, {
      ...ends,
      nodes: nodes.map((node) => ({ node })),
      initializers: [],
    });
  };
  const bodiesOf = (values: readonly OnnxValue[]): ByteRange[] => values.map(({ body }) => body);
  return {
    body: write(bodyNodes, inputs, { inputs: [], outputs: [cut, ...bodiesOf(otherOutputs)] }),
    head: write(headNodes, [], { inputs: [cut], outputs: bodiesOf(outputs.filter(isLogits)) }),
  };
}

type Ends = Pick<GraphEdit, "inputs" | "outputs">;

/** The nodes that `values` come from, in the order of the graph; what makes `given` is left out. */
function nodesBehind(scope: GraphScope, values: readonly string[], given?: string): OnnxNode[] {
  const wanted = new Set(values);
  const nodes = scope.nodes.toReversed().filter((node) => {
    const isWanted = node.outputs.some((output) => output !== "" && output !== given && wanted.has(output));
    if (isWanted) for (const value of readsOf(node)) wanted.add(value);
    return isWanted;
  });
  return nodes.reverse();
}

/** Whether nothing but weights and `given` enters the nodes. */
function isConstantBut(scope: GraphScope, nodes: readonly OnnxNode[], given: string): boolean {
  return nodes
    .flatMap(readsOf)
    .every(
      (value) =>
        value === "" || value === given || scope.initializer(value) !== null || scope.producers.has(value),
    );
}
