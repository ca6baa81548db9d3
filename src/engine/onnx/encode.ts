/** Encoders for the parts of an ONNX graph that Steerscope writes (field numbers: onnx/onnx.proto3). */
import { MessageWriter } from "./wire.ts";

/** TensorProto.DataType */
export const ElementType = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
} as const;

/** AttributeProto.AttributeType */
const AttributeType = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
} as const;

export type AttributeValue = number | { readonly float: number } | readonly number[] | string;

/** A whole-number attribute is written as INT, `{ float }` as FLOAT, an array as INTS, text as STRING. */
function encodeAttribute(name: string, value: AttributeValue): Uint8Array {
  const writer = new MessageWriter().text(1, name);
  if (typeof value === "number") writer.varint(3, value).varint(20, AttributeType.int);
  else if (typeof value === "string") writer.text(4, value).varint(20, AttributeType.string);
  else if ("float" in value) writer.float(2, value.float).varint(20, AttributeType.float);
  else {
    for (const item of value) writer.varint(8, item);
    writer.varint(20, AttributeType.ints);
  }
  return writer.finish();
}

export interface NodeSpec {
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Must be unique in a graph for onnxruntime; derived from the first output when left out. */
  readonly name?: string;
  readonly domain?: string;
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

/** The content of a NodeProto (GraphProto field 1). */
export function encodeNode(node: NodeSpec): Uint8Array {
  const writer = new MessageWriter();
  for (const input of node.inputs) writer.text(1, input);
  for (const output of node.outputs) writer.text(2, output);
  writer.text(3, node.name ?? `${node.outputs[0] ?? ""}/${node.operator}`);
  writer.text(4, node.operator);
  for (const [name, value] of Object.entries(node.attributes ?? {}))
    writer.bytes(5, encodeAttribute(name, value));
  if (node.domain) writer.text(7, node.domain);
  return writer.finish();
}

/** The content of a TensorProto (GraphProto field 5) with its data inline; `data` is little-endian. */
export function encodeTensor(
  name: string,
  elementType: number,
  dims: readonly number[],
  data: ArrayBufferView,
): Uint8Array {
  const writer = tensorHead(name, elementType, dims);
  return writer.bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)).finish();
}

/** The content of a TensorProto whose bytes stay where they are: `length` bytes at `offset` of the file `location`. */
export function encodeExternalTensor(
  name: string,
  elementType: number,
  dims: readonly number[],
  external: { readonly location: string; readonly offset: number; readonly length: number },
): Uint8Array {
  const writer = tensorHead(name, elementType, dims);
  for (const [key, value] of Object.entries(external)) {
    writer.message(13, new MessageWriter().text(1, key).text(2, String(value)));
  }
  return writer.varint(14, 1).finish();
}

function tensorHead(name: string, elementType: number, dims: readonly number[]): MessageWriter {
  const writer = new MessageWriter();
  for (const dim of dims) writer.varint(1, dim);
  return writer.varint(2, elementType).text(8, name);
}

/** An int64 tensor, by default one-dimensional; `scalar` gives it no dimensions. */
export function encodeInt64(name: string, values: readonly number[], scalar = false): Uint8Array {
  const data = BigInt64Array.from(values, BigInt);
  return encodeTensor(name, ElementType.int64, scalar ? [] : [values.length], data);
}

/** The content of a ValueInfoProto (GraphProto fields 11, 12, 13); text dimensions are symbolic, null leaves the shape open. */
export function encodeValueInfo(
  name: string,
  elementType: number,
  dims: readonly (number | string)[] | null,
): Uint8Array {
  const tensorType = new MessageWriter().varint(1, elementType);
  if (dims !== null) {
    const shape = new MessageWriter();
    for (const dim of dims) {
      const dimension = new MessageWriter();
      shape.message(1, typeof dim === "number" ? dimension.varint(1, dim) : dimension.text(2, dim));
    }
    tensorType.message(2, shape);
  }
  return new MessageWriter().text(1, name).message(2, new MessageWriter().message(1, tensorType)).finish();
}

export interface GraphSpec {
  readonly name: string;
  readonly nodes: readonly Uint8Array[];
  readonly initializers: readonly Uint8Array[];
  readonly inputs: readonly Uint8Array[];
  readonly outputs: readonly Uint8Array[];
}

/** A whole ModelProto. `opsets`: domain ("" = ai.onnx) to version. */
export function encodeModel(
  graph: GraphSpec,
  opsets: Readonly<Record<string, number>>,
  producer: string,
): Uint8Array {
  const body = new MessageWriter();
  for (const node of graph.nodes) body.bytes(1, node);
  body.text(2, graph.name);
  for (const tensor of graph.initializers) body.bytes(5, tensor);
  for (const input of graph.inputs) body.bytes(11, input);
  for (const output of graph.outputs) body.bytes(12, output);
  const model = new MessageWriter().varint(1, 10).text(2, producer).message(7, body);
  for (const [domain, version] of Object.entries(opsets)) {
    const opset = new MessageWriter();
    if (domain) opset.text(1, domain);
    model.message(8, opset.varint(2, version));
  }
  return model.finish();
}
