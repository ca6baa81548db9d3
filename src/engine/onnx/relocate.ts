/**
 * Gives the files that a model's external data lies in other names, wherever a tensor can be: in graphs, in branches,
 * in attributes and in functions. Everything else stays as it is, byte for byte.
 */
import { SteerscopeError } from "../../shared/errors.ts";
import { staysInside } from "./externalData.ts";
import { fields, MemoryByteSource, MessageWriter, readText, WireType, type ByteSource } from "./wire.ts";

/** The messages on the way to a tensor's external data, by field number (onnx/onnx.proto3). */
const parts = {
  model: { 7: "graph", 25: "function" },
  graph: { 1: "node", 5: "tensor", 15: "sparseTensor" },
  function: { 7: "node", 11: "attribute" },
  node: { 5: "attribute" },
  attribute: { 5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparseTensor", 23: "sparseTensor" },
  sparseTensor: { 1: "tensor", 2: "tensor" },
  tensor: { 13: "entry" },
  entry: {},
} as const satisfies Readonly<Record<string, Readonly<Record<number, string>>>>;

type Part = keyof typeof parts;

/**
 * `model` with every location replaced by what `locations` has for it. Throws ModelUnsupported where that leads out of
 * the folder of weights or is nothing that onnxruntime takes for a file.
 */
export function relocateWeights(model: Uint8Array, locations: ReadonlyMap<string, string>): Uint8Array {
  const changes = new Map([...locations].filter(([from, to]) => from !== to));
  if (changes.size === 0) return model;
  for (const to of changes.values()) {
    if (!staysInside(to)) {
      throw new SteerscopeError(
        "ModelUnsupported",
        "The weights of this model lie under a name that cannot be used.",
        {
          detail: to,
          remedy: "Put copies of the model's files into one folder, under names without special characters.",
        },
      );
    }
  }
  return rewrite(new MemoryByteSource(model), "model", 0, model.length, changes) ?? model;
}

/** The message in [at, end) with its changes, or null where there are none. */
function rewrite(
  source: ByteSource,
  part: Part,
  at: number,
  end: number,
  changes: ReadonlyMap<string, string>,
): Uint8Array | null {
  if (part === "entry") return rewriteEntry(source, at, end, changes);
  const inner: Readonly<Record<number, Part>> = parts[part];
  const writer = new MessageWriter();
  let copied = at;
  for (const field of fields(source, at, end)) {
    const kind = field.wireType === WireType.bytes ? inner[field.number] : undefined;
    if (kind === undefined) continue;
    const content = rewrite(source, kind, field.at, field.end, changes);
    if (content === null) continue;
    writer.raw(source.read(copied, field.start - copied)).bytes(field.number, content);
    copied = field.end;
  }
  return copied === at ? null : writer.raw(source.read(copied, end - copied)).finish();
}

/** StringStringEntryProto. */
function rewriteEntry(
  source: ByteSource,
  at: number,
  end: number,
  changes: ReadonlyMap<string, string>,
): Uint8Array | null {
  let key = "";
  let value = "";
  for (const field of fields(source, at, end)) {
    if (field.number === 1) key = readText(source, field);
    else if (field.number === 2) value = readText(source, field);
  }
  const location = key === "location" ? changes.get(value) : undefined;
  return location === undefined ? null : new MessageWriter().text(1, key).text(2, location).finish();
}
