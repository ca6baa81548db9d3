/**
 * Reads an ONNX model (field numbers: onnx/onnx.proto3) as far as graph surgery needs it. Weights are never read: a
 * tensor is known by where its bytes lie. What is not understood is kept as a byte range, so that rewriting a model
 * loses nothing that a newer ONNX version added.
 *
 * Files are hostile: every field counts against one budget, texts and nesting are bounded.
 */
import { SteerscopeError } from "../../shared/errors.ts";
import { parseExternalData, type ExternalData } from "./externalData.ts";
import { fields, readText, readVarint, toSigned, WireType, type ByteSource, type Field } from "./wire.ts";

export interface ByteRange {
  readonly at: number;
  readonly length: number;
}

export interface OnnxTensor {
  readonly name: string;
  /** ElementType of encode.ts, or another value of TensorProto.DataType. */
  readonly elementType: number;
  readonly dims: readonly number[];
  /** `raw_data`; null where the tensor keeps its values elsewhere. */
  readonly raw: ByteRange | null;
  readonly external: ExternalData | null;
  /** The TensorProto. */
  readonly body: ByteRange;
}

export interface OnnxAttribute {
  readonly name: string;
  readonly int: number | null;
  readonly tensor: OnnxTensor | null;
  readonly graph: OnnxGraph | null;
  /** The AttributeProto. */
  readonly body: ByteRange;
}

export interface OnnxNode {
  readonly name: string;
  readonly operator: string;
  /** "" for ai.onnx. */
  readonly domain: string;
  /** "" where an optional input or output is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly OnnxAttribute[];
  /** Whether the exporter left metadata on the node (torch.onnx dynamo does). */
  readonly hasMetadata: boolean;
  /** The NodeProto. */
  readonly body: ByteRange;
}

export interface OnnxValue {
  readonly name: string;
  /** 0: not declared. */
  readonly elementType: number;
  /** Symbolic dimensions are text ("" without a name); null: rank not declared. */
  readonly dims: readonly (number | string)[] | null;
  /** The ValueInfoProto. */
  readonly body: ByteRange;
}

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
  /** Without those that only name an initializer's default. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly valueInfo: ReadonlyMap<string, OnnxValue>;
  /** Whole fields (with their tags) that are kept as they are. */
  readonly rest: readonly ByteRange[];
}

export interface OnnxModel {
  readonly graph: OnnxGraph;
  readonly producer: string;
  /** Domain ("" = ai.onnx) to version. */
  readonly opsets: ReadonlyMap<string, number>;
  /** Locations of external data named anywhere in the model, each a path inside the model's folder, and the bytes that each file must have at least. */
  readonly externalFiles: ReadonlyMap<string, number>;
  /** Whole fields (with their tags) of the ModelProto but the graph. */
  readonly rest: readonly ByteRange[];
}

/** A 7,500-node graph takes 0.4 million; what takes this many is refused within about a second. */
const maximumFields = 10_000_000;
/** What a node, tensor or declaration costs beside its fields. */
const objectCost = 12;
const maximumTextBytes = 64 * 1024;
const maximumDepth = 16;

interface Parser {
  readonly source: ByteSource;
  readonly externalFiles: Map<string, number>;
  fieldsLeft: number;
}

/**
 * Parses a model without reading its weights. Throws ModelCorrupt for what is no ONNX model (empty, text, truncated,
 * out of bounds, external data outside the model's folder) and ModelUnsupported for a model without a graph.
 */
export function parseOnnx(source: ByteSource): OnnxModel {
  refuseOtherFiles(source);
  const parser: Parser = { source, externalFiles: new Map(), fieldsLeft: maximumFields };
  const opsets = new Map<string, number>();
  const rest: ByteRange[] = [];
  let producer = "";
  let graph: OnnxGraph | null = null;
  for (const field of scan(parser, { at: 0, length: source.size })) {
    if (field.number === 7) {
      if (graph !== null) throw corrupt("It holds two graphs.");
      graph = parseGraph(parser, message(field), 0);
      continue;
    }
    rest.push(whole(field));
    if (field.number === 2) producer = text(parser, field);
    else if (field.number === 8) addOpset(parser, field, opsets);
    else if (field.number === 25) checkFunction(parser, message(field));
  }
  if (graph === null || graph.nodes.length === 0) {
    throw new SteerscopeError("ModelUnsupported", "The ONNX file holds no operations: it is not a decoder.", {
      remedy: "Choose the decoder's model.onnx.",
    });
  }
  return { graph, producer, opsets, externalFiles: parser.externalFiles, rest };
}

/** The attribute `name` of a node, when it has one. */
export function attributeOf(node: OnnxNode, name: string): OnnxAttribute | undefined {
  return node.attributes.find((attribute) => attribute.name === name);
}

/** The nodes of a graph and of all graphs inside it. */
export function* allNodes(graph: OnnxGraph): Generator<OnnxNode> {
  for (const node of graph.nodes) {
    yield node;
    for (const attribute of node.attributes) if (attribute.graph) yield* allNodes(attribute.graph);
  }
}

function refuseOtherFiles(source: ByteSource): void {
  if (source.size === 0) throw corrupt("It is empty.");
  const start = source.read(0, Math.min(64, source.size));
  const isText = start.every((byte) => (byte >= 32 && byte < 127) || (byte >= 9 && byte <= 13));
  if (!isText) return;
  if (new TextDecoder().decode(start).startsWith("version https://git-lfs")) {
    throw corrupt("It is a Git LFS pointer, not the model itself.", "Fetch the file with: git lfs pull");
  }
  throw corrupt("It is a text file.");
}

function parseGraph(parser: Parser, range: ByteRange, depth: number): OnnxGraph {
  if (depth > maximumDepth) throw corrupt("Its graphs are nested too deeply.");
  const nodes: OnnxNode[] = [];
  const initializers = new Map<string, OnnxTensor>();
  const inputs: OnnxValue[] = [];
  const outputs: OnnxValue[] = [];
  const valueInfo = new Map<string, OnnxValue>();
  const rest: ByteRange[] = [];
  let name = "";
  for (const field of scan(parser, range)) {
    switch (field.number) {
      case 1:
        nodes.push(parseNode(parser, message(field), depth));
        break;
      case 5: {
        const tensor = parseTensor(parser, message(field));
        initializers.set(tensor.name, tensor);
        break;
      }
      case 11:
        inputs.push(parseValue(parser, message(field)));
        break;
      case 12:
        outputs.push(parseValue(parser, message(field)));
        break;
      case 13: {
        const value = parseValue(parser, message(field));
        valueInfo.set(value.name, value);
        break;
      }
      default:
        if (field.number === 2) name = text(parser, field);
        else if (field.number === 15) parseSparseTensor(parser, message(field));
        rest.push(whole(field));
    }
  }
  const realInputs = inputs.filter((input) => !initializers.has(input.name));
  return { name, nodes, initializers, inputs: realInputs, outputs, valueInfo, rest };
}

function parseNode(parser: Parser, range: ByteRange, depth: number): OnnxNode {
  spend(parser, objectCost);
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes: OnnxAttribute[] = [];
  let name = "";
  let operator = "";
  let domain = "";
  let hasMetadata = false;
  for (const field of scan(parser, range)) {
    if (field.number === 1) inputs.push(text(parser, field));
    else if (field.number === 2) outputs.push(text(parser, field));
    else if (field.number === 3) name = text(parser, field);
    else if (field.number === 4) operator = text(parser, field);
    else if (field.number === 5) attributes.push(parseAttribute(parser, message(field), depth));
    else if (field.number === 7) domain = text(parser, field);
    else if (field.number === 9) hasMetadata = true;
  }
  if (domain === "ai.onnx") domain = "";
  return { name, operator, domain, inputs, outputs, attributes, hasMetadata, body: range };
}

function parseAttribute(parser: Parser, range: ByteRange, depth: number): OnnxAttribute {
  spend(parser, objectCost);
  let name = "";
  let int: number | null = null;
  let tensor: OnnxTensor | null = null;
  let graph: OnnxGraph | null = null;
  for (const field of scan(parser, range)) {
    if (field.number === 1) name = text(parser, field);
    else if (field.number === 3) int = toSigned(field.value);
    else if (field.number === 5) tensor = parseTensor(parser, message(field));
    else if (field.number === 6) graph = parseGraph(parser, message(field), depth + 1);
    // Lists of tensors and graphs, sparse tensors: nothing here uses them, but their external data must be checked.
    else if (field.number === 10) parseTensor(parser, message(field));
    else if (field.number === 11) parseGraph(parser, message(field), depth + 1);
    else if (field.number === 22 || field.number === 23) parseSparseTensor(parser, message(field));
  }
  return { name, int, tensor, graph, body: range };
}

function parseTensor(parser: Parser, range: ByteRange): OnnxTensor {
  spend(parser, objectCost);
  const dims: number[] = [];
  const externalEntries = new Map<string, string>();
  let name = "";
  let elementType = 0;
  let raw: ByteRange | null = null;
  let isExternal = false;
  for (const field of scan(parser, range)) {
    if (field.number === 1) readInts(parser, field, dims);
    else if (field.number === 2) elementType = field.value;
    else if (field.number === 8) name = text(parser, field);
    else if (field.number === 9) raw = message(field);
    else if (field.number === 13) addEntry(parser, message(field), externalEntries);
    else if (field.number === 14) isExternal = field.value === 1;
  }
  const external = isExternal || externalEntries.size > 0 ? parseExternalData(name, externalEntries) : null;
  if (external !== null) {
    const { location, offset, length } = external;
    const leastBytes = Math.max(parser.externalFiles.get(location) ?? 0, offset + (length ?? 0));
    parser.externalFiles.set(location, leastBytes);
  }
  return { name, elementType, dims, raw, external, body: range };
}

function parseSparseTensor(parser: Parser, range: ByteRange): void {
  for (const field of scan(parser, range)) {
    if (field.number === 1 || field.number === 2) parseTensor(parser, message(field));
  }
}

function parseValue(parser: Parser, range: ByteRange): OnnxValue {
  spend(parser, objectCost);
  let name = "";
  let elementType = 0;
  let dims: (number | string)[] | null = null;
  for (const field of scan(parser, range)) {
    if (field.number === 1) name = text(parser, field);
    if (field.number !== 2) continue;
    // TypeProto.tensor_type { elem_type, shape { dim } }
    for (const type of scan(parser, message(field))) {
      if (type.number !== 1) continue;
      for (const part of scan(parser, message(type))) {
        if (part.number === 1) elementType = part.value;
        else if (part.number === 2) dims = parseShape(parser, message(part));
      }
    }
  }
  return { name, elementType, dims, body: range };
}

function parseShape(parser: Parser, range: ByteRange): (number | string)[] {
  const dims: (number | string)[] = [];
  for (const field of scan(parser, range)) {
    if (field.number !== 1) continue;
    let dim: number | string = "";
    for (const part of scan(parser, message(field))) {
      if (part.number === 1) dim = toSigned(part.value);
      else if (part.number === 2) dim = text(parser, part);
    }
    dims.push(dim);
  }
  return dims;
}

/** FunctionProto: kept as it is; its nodes and default attributes are walked for the sake of their external data. */
function checkFunction(parser: Parser, range: ByteRange): void {
  for (const field of scan(parser, range)) {
    if (field.number === 7) parseNode(parser, message(field), 0);
    else if (field.number === 11) parseAttribute(parser, message(field), 0);
  }
}

function addOpset(parser: Parser, field: Field, opsets: Map<string, number>): void {
  let domain = "";
  let version = 0;
  for (const part of scan(parser, message(field))) {
    if (part.number === 1) domain = text(parser, part);
    else if (part.number === 2) version = part.value;
  }
  opsets.set(domain === "ai.onnx" ? "" : domain, version);
}

function addEntry(parser: Parser, range: ByteRange, entries: Map<string, string>): void {
  let key = "";
  let value = "";
  for (const field of scan(parser, range)) {
    if (field.number === 1) key = text(parser, field);
    else if (field.number === 2) value = text(parser, field);
  }
  entries.set(key, value);
}

/** Repeated int64: packed or one at a time. */
function readInts(parser: Parser, field: Field, target: number[]): void {
  if (field.wireType === WireType.varint) {
    target.push(toSigned(field.value));
    return;
  }
  const { at, length } = message(field);
  for (let position = at; position < at + length;) {
    spend(parser);
    const { value, next } = readVarint(parser.source, position);
    target.push(toSigned(value));
    position = next;
  }
}

function* scan(parser: Parser, range: ByteRange): Generator<Field> {
  for (const field of fields(parser.source, range.at, range.at + range.length)) {
    spend(parser);
    yield field;
  }
}

function spend(parser: Parser, cost = 1): void {
  parser.fieldsLeft -= cost;
  if (parser.fieldsLeft < 0) throw corrupt("It holds more parts than any model has.");
}

function message(field: Field): ByteRange {
  if (field.wireType !== WireType.bytes) throw corrupt("Its fields do not have the types of ONNX.");
  return { at: field.at, length: field.length };
}

function whole(field: Field): ByteRange {
  return { at: field.start, length: field.end - field.start };
}

function text(parser: Parser, field: Field): string {
  if (message(field).length > maximumTextBytes) throw corrupt("It holds a name of absurd length.");
  return readText(parser.source, field);
}

function corrupt(reason: string, remedy = "Download or export the model again."): SteerscopeError {
  return new SteerscopeError("ModelCorrupt", `The ONNX file cannot be read. ${reason}`, { remedy });
}
