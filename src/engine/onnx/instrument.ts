/**
 * The nodes that steer and read a residual stream: a shared head (once a model) and additions at each boundary (once a
 * graph, or once a branch of a merged decoder).
 *
 *   steering  resid'[L+1] = resid[L+1] + mask[B,T,1] * steer[L]       [B,T,D]
 *   reading   read_out[k] = read_pool[B,K,T] @ resid'[k]              [B,K,D]
 *   projecting projections[k] = resid'[k] @ directions[k]             [B,T,M]
 *   logit rows: after the last block only the wanted rows of the flattened [B*T] go on to the output head.
 *
 * Every decode step pays for every node, so all slicing by layer is done once, in the head, in a form that broadcasts
 * without another reshape.
 */
import { ElementType, encodeInt64, encodeNode, encodeValueInfo, type NodeSpec } from "./encode.ts";
import type { GraphScope } from "./scope.ts";
import type { OutputHead } from "./outputHead.ts";
import type { ResidualStream } from "./residual.ts";
import type { EditedNode, GraphEdit } from "./rewrite.ts";

/** Names of the inputs and outputs that a patched graph has beside its own. */
export const graphNames = {
  /** [layers, 1 or batch, hidden] float32, index = block */
  steer: "steerscope.steer",
  /** [batch, tokens] float32 */
  steerMask: "steerscope.steer_mask",
  /** [batch, reads, tokens] float32 */
  readPool: "steerscope.read_pool",
  /** [layers + 1, hidden, directions] float32 */
  directions: "steerscope.directions",
  /** [rows] int64, into the flattened [batch * tokens] */
  logitRows: "steerscope.logit_rows",
  /** [layers + 1, batch, reads, hidden] float32 */
  readOut: "steerscope.read_out",
  /** [layers + 1, batch, tokens, directions] float32 */
  projections: "steerscope.projections",
} as const;

/** Dimensions and versions that the nodes depend on. */
export interface InstrumentShape {
  readonly layers: number;
  readonly hidden: number;
  /** Of ai.onnx. */
  readonly opset: number;
  /** ElementType of the steered boundaries. */
  readonly elementType: number;
}

/** What the head hands to the boundaries. */
const shared = {
  mask: "steerscope.mask",
  offsets: "steerscope.offsets",
  pool: "steerscope.pool",
  directions: "steerscope.directions.stack",
  offset: (layer: number) => `steerscope.offset.${layer}`,
  direction: (k: number) => `steerscope.direction.${k}`,
};

/** The head's nodes and initializers, and the declarations of the new graph inputs. */
export function sharedHead(
  shape: InstrumentShape,
): Pick<GraphEdit, "initializers" | "inputs"> & { nodes: Uint8Array[] } {
  const { layers, hidden, elementType } = shape;
  const initializers = [encodeInt64("steerscope.mask_shape", [0, 0, 1])];
  const specs: NodeSpec[] = [
    { operator: "Reshape", inputs: [graphNames.steerMask, "steerscope.mask_shape"], outputs: [shared.mask] },
    // [layers, 1|B, D] -> [1|B, layers, D] -> layers times [1|B, 1, D], which broadcasts over tokens as it is.
    {
      operator: "Transpose",
      inputs: [graphNames.steer],
      outputs: [shared.offsets],
      attributes: { perm: [1, 0, 2] },
    },
    ...split(shape, typed(shared.offsets, elementType), 1, range(layers).map(shared.offset), initializers),
    // One more leading axis makes each product come out as a slice of the stack: [1, B, K, D] and [1, B, T, M].
    ...unsqueeze(shape, graphNames.readPool, shared.pool, 0, initializers),
    ...unsqueeze(shape, graphNames.directions, shared.directions, 1, initializers),
    ...split(shape, shared.directions, 0, range(layers + 1).map(shared.direction), initializers),
  ];
  if (elementType !== ElementType.float32) {
    specs.splice(
      2,
      0,
      ...[shared.mask, shared.offsets].map((value) => cast(value, typed(value, elementType), elementType)),
    );
  }
  const float = (name: string, dims: (number | string)[]): Uint8Array =>
    encodeValueInfo(name, ElementType.float32, dims);
  return {
    nodes: specs.map(encodeNode),
    initializers,
    inputs: [
      float(graphNames.steer, [layers, "steerscope_offset_rows", hidden]),
      float(graphNames.steerMask, ["steerscope_batch", "steerscope_tokens"]),
      float(graphNames.readPool, ["steerscope_batch", "steerscope_reads", "steerscope_tokens"]),
      float(graphNames.directions, [layers + 1, hidden, "steerscope_directions"]),
      encodeValueInfo(graphNames.logitRows, ElementType.int64, ["steerscope_rows"]),
    ],
  };
}

/** Declarations of the new outputs, named as `readOut` and `projections` say. */
export function declareOutputs(shape: InstrumentShape, readOut: string, projections: string): Uint8Array[] {
  const { layers, hidden } = shape;
  return [
    encodeValueInfo(readOut, ElementType.float32, [
      layers + 1,
      "steerscope_batch",
      "steerscope_reads",
      hidden,
    ]),
    encodeValueInfo(projections, ElementType.float32, [
      layers + 1,
      "steerscope_batch",
      "steerscope_tokens",
      "steerscope_directions",
    ]),
  ];
}

export interface Instrumented {
  readonly nodes: readonly (EditedNode | Uint8Array)[];
  readonly initializers: readonly Uint8Array[];
  readonly readOut: string;
  readonly projections: string;
}

/**
 * The nodes of `scope` with the stream steered and read. No consumer is touched: what a boundary's node wrote gets
 * another name, and the steered value takes the old one. `prefix` keeps the names of two branches apart.
 */
export function instrument(
  scope: GraphScope,
  stream: ResidualStream,
  shape: InstrumentShape,
  prefix: string,
): Instrumented {
  const edits = new NodeEdits(scope);
  const { head } = stream;
  const allRows = `${prefix}steerscope.head.all`;
  // onnxruntime runs the input that comes last in the file first. Offsets are [B, T, D] each: standing before all blocks,
  // one is made when its block has run; standing beside their blocks, all would be made, and kept, from the start.
  const offsets: NodeSpec[] = [];
  const reads: string[] = [];
  const projected: string[] = [];
  stream.boundaries.forEach((boundary, k) => {
    const label = `${prefix}steerscope.resid.${k}`;
    const offset = k === 0 ? null : `${label}.offset`;
    if (offset !== null) offsets.push(offsetNode(k, shape, offset));
    const steps: NodeSpec[] = [];
    let value: string;
    let place: number;
    if (boundary.kind === "skip") {
      place = boundary.node;
      if (offset !== null) {
        const skip = `${label}.skip`;
        edits.before(place, add(edits.inputs(place)[1]!, offset, skip));
        edits.inputs(place)[1] = skip;
      }
      value = edits.sumOf(place, `${label}.sum`);
    } else {
      value = boundary.value;
      place = scope.producers.get(value)!;
      if (offset !== null) {
        const unsteered = `${label}.unsteered`;
        edits.rename(place, value, unsteered);
        // A decoder without a final norm: what leaves the last block is what the head takes.
        if (value === head.input) value = allRows;
        steps.push(add(unsteered, offset, value));
      }
    }
    const isFloat = stream.elementTypes[k] === ElementType.float32;
    const float = isFloat ? value : `${label}.float`;
    steps.push(
      ...(isFloat ? [] : [cast(value, float, ElementType.float32)]),
      { operator: "MatMul", inputs: [shared.pool, float], outputs: [`${label}.read`] },
      { operator: "MatMul", inputs: [float, shared.direction(k)], outputs: [`${label}.projection`] },
    );
    edits.after(place, ...steps);
    reads.push(`${label}.read`);
    projected.push(`${label}.projection`);
  });
  const initializers = selectRows(scope, edits, head, allRows, shape.hidden);
  const readOut = `${prefix}${graphNames.readOut}`;
  const projections = `${prefix}${graphNames.projections}`;
  return {
    nodes: [
      ...offsets.map(encodeNode),
      ...edits.nodes(),
      encodeNode({ operator: "Concat", inputs: reads, outputs: [readOut], attributes: { axis: 0 } }),
      encodeNode({ operator: "Concat", inputs: projected, outputs: [projections], attributes: { axis: 0 } }),
    ],
    initializers,
    readOut,
    projections,
  };
}

/**
 * [B, T, D] -> [1, B*T, D] -> [1, rows, D], under the name that the head reads; `allRows` names what came before. A
 * product of matrices takes [rows, D]. Returns the initializers needed.
 */
function selectRows(
  scope: GraphScope,
  edits: NodeEdits,
  head: OutputHead,
  allRows: string,
  hidden: number,
): Uint8Array[] {
  const place = scope.producers.get(head.input)!;
  const flat = `${allRows}.flat`;
  const flatShape = `${flat}.shape`;
  const logitsShape = `${allRows}.logits_shape`;
  edits.rename(place, head.input, allRows);
  edits.after(
    place,
    { operator: "Reshape", inputs: [allRows, flatShape], outputs: [flat] },
    {
      operator: "Gather",
      inputs: [flat, graphNames.logitRows],
      outputs: [head.input],
      attributes: { axis: head.takesMatrix ? 0 : 1 },
    },
  );
  for (const reshape of head.reshapes) edits.inputs(scope.nodes.indexOf(reshape))[1] = logitsShape;
  return [
    encodeInt64(flatShape, head.takesMatrix ? [-1, hidden] : [1, -1, hidden]),
    ...(head.reshapes.length > 0 ? [encodeInt64(logitsShape, [1, -1, head.vocabulary!])] : []),
  ];
}

/** Collects changes to nodes and what is put before and after them. */
class NodeEdits {
  readonly #scope: GraphScope;
  readonly #before = new Map<number, NodeSpec[]>();
  readonly #after = new Map<number, NodeSpec[]>();
  readonly #changed = new Map<number, { inputs: string[]; outputs: string[] }>();

  constructor(scope: GraphScope) {
    this.#scope = scope;
  }

  before(index: number, ...nodes: NodeSpec[]): void {
    this.#before.set(index, [...(this.#before.get(index) ?? []), ...nodes]);
  }

  after(index: number, ...nodes: NodeSpec[]): void {
    this.#after.set(index, [...(this.#after.get(index) ?? []), ...nodes]);
  }

  /** The inputs of a node, to be changed in place. */
  inputs(index: number): string[] {
    return this.#change(index).inputs;
  }

  rename(index: number, output: string, name: string): void {
    const change = this.#change(index);
    change.outputs = change.outputs.map((other) => (other === output ? name : other));
  }

  /** The sum that a Skip*LayerNormalization makes; `name` when the exporter did not ask for it. */
  sumOf(index: number, name: string): string {
    const { outputs } = this.#change(index);
    while (outputs.length < 4) outputs.push("");
    outputs[3] ||= name;
    return outputs[3];
  }

  nodes(): (EditedNode | Uint8Array)[] {
    return this.#scope.nodes.flatMap((node, index) => [
      ...(this.#before.get(index) ?? []).map(encodeNode),
      { node, ...this.#changed.get(index), ...unsupportedAttributes(node.operator) },
      ...(this.#after.get(index) ?? []).map(encodeNode),
    ]);
  }

  #change(index: number): { inputs: string[]; outputs: string[] } {
    let change = this.#changed.get(index);
    if (change === undefined) {
      const { inputs, outputs } = this.#scope.nodes[index]!;
      change = { inputs: [...inputs], outputs: [...outputs] };
      this.#changed.set(index, change);
    }
    return change;
  }
}

/**
 * The builder marks sliding-window attention as writing a ring buffer; the CPU then demands a cache as long as the
 * window from the start. Without the mark the result is the same and the cache may grow.
 */
function unsupportedAttributes(operator: string): Pick<EditedNode, "dropAttributes"> {
  return operator === "GroupQueryAttention" ? { dropAttributes: ["sliding_window_cache"] } : {};
}

function offsetNode(k: number, { elementType }: InstrumentShape, output: string): NodeSpec {
  const inputs = [typed(shared.mask, elementType), shared.offset(k - 1)];
  return { operator: "Mul", inputs, outputs: [output] };
}

/** The name under which `value` is found in the type of the stream. */
function typed(value: string, elementType: number): string {
  return elementType === ElementType.float32 ? value : `${value}.typed`;
}

function add(a: string, b: string, output: string): NodeSpec {
  return { operator: "Add", inputs: [a, b], outputs: [output] };
}

function cast(input: string, output: string, elementType: number): NodeSpec {
  return { operator: "Cast", inputs: [input], outputs: [output], attributes: { to: elementType } };
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** Axes are an attribute before opset 13, an input from then on. */
function unsqueeze(
  { opset }: InstrumentShape,
  input: string,
  output: string,
  axis: number,
  initializers: Uint8Array[],
): NodeSpec[] {
  if (opset < 13)
    return [{ operator: "Unsqueeze", inputs: [input], outputs: [output], attributes: { axes: [axis] } }];
  const axes = `${output}.axes`;
  initializers.push(encodeInt64(axes, [axis]));
  return [{ operator: "Unsqueeze", inputs: [input, axes], outputs: [output] }];
}

/** Slices of one along `axis`; sizes are an attribute before opset 13, an input from then on. */
function split(
  { opset }: InstrumentShape,
  input: string,
  axis: number,
  outputs: readonly string[],
  initializers: Uint8Array[],
): NodeSpec[] {
  const ones = outputs.map(() => 1);
  if (opset < 13) return [{ operator: "Split", inputs: [input], outputs, attributes: { axis, split: ones } }];
  const sizes = `${input}.sizes`;
  initializers.push(encodeInt64(sizes, ones));
  return [{ operator: "Split", inputs: [input, sizes], outputs, attributes: { axis } }];
}
