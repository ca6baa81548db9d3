/**
 * The safetensors format (https://huggingface.co/docs/safetensors, section "Format"): eight bytes of header length, a
 * JSON header, then the tensors without holes. Files are hostile: nothing of the header is believed before it has been
 * held against the size of the file.
 */
import { SteerscopeError, type ErrorKind } from "../shared/errors.ts";

export interface SafetensorsEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Byte offsets from the start of the file; `end` is exclusive. */
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: ReadonlyMap<string, string>;
  /** Offset of the first byte of data from the start of the file. */
  readonly dataStart: number;
}

export interface SafetensorsTensor {
  readonly name: string;
  readonly dtype: "F32" | "I32" | "I64";
  readonly shape: readonly number[];
  /** Little-endian values, row-major. */
  readonly data: ArrayBufferView;
}

/** The limit of the reference implementation; a header of this size would name about a million tensors. */
const maxHeaderLength = 100_000_000;
const maxRank = 16;

const bitsOfDtype: ReadonlyMap<string, number> = new Map([
  ["F4", 4],
  ["F6_E2M3", 6],
  ["F6_E3M2", 6],
  ["BOOL", 8],
  ["U8", 8],
  ["I8", 8],
  ["F8_E5M2", 8],
  ["F8_E4M3", 8],
  ["F8_E8M0", 8],
  ["I16", 16],
  ["U16", 16],
  ["F16", 16],
  ["BF16", 16],
  ["I32", 32],
  ["U32", 32],
  ["F32", 32],
  ["I64", 64],
  ["U64", 64],
  ["F64", 64],
  ["C64", 64],
]);

function refuse(kind: ErrorKind, detail: string, cause?: unknown): SteerscopeError {
  return new SteerscopeError(kind, `This is not a sound safetensors file: ${detail}.`, {
    remedy: "The file may be incomplete or damaged: download or write it again.",
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * Bytes of the JSON header of a file that begins with `first8`; the data begins at 8 plus this. Throws `errorKind`
 * (ModelCorrupt unless said otherwise) when there are fewer than eight bytes or the length cannot be one.
 */
export function safetensorsHeaderLength(first8: Uint8Array, errorKind: ErrorKind = "ModelCorrupt"): number {
  if (first8.length < 8) throw refuse(errorKind, `only ${first8.length} bytes`);
  const length = Number(
    new DataView(first8.buffer, first8.byteOffset, first8.byteLength).getBigUint64(0, true),
  );
  if (length < 2 || length > maxHeaderLength) throw refuse(errorKind, `header of ${length} bytes`);
  return length;
}

/**
 * The tensors and metadata of a file of `fileSize` bytes that begins with `head` (8 + header length bytes or more).
 * Every tensor lies inside the file, has the bytes that its shape asks for and overlaps no other. Throws `errorKind`,
 * ModelCorrupt unless said otherwise.
 */
export function parseSafetensorsHeader(
  head: Uint8Array,
  fileSize: number,
  errorKind: ErrorKind = "ModelCorrupt",
): SafetensorsHeader {
  const length = safetensorsHeaderLength(head, errorKind);
  const dataStart = 8 + length;
  if (dataStart > head.length || dataStart > fileSize) throw refuse(errorKind, "the header is cut off");
  const text = decodeText(head.subarray(8, dataStart), errorKind);
  const root = parseObject(text, errorKind);

  const tensors = new Map<string, SafetensorsEntry>();
  const metadata = new Map<string, string>();
  let keys = 0;
  for (const [name, value] of Object.entries(root)) {
    if (!isObject(value)) throw refuse(errorKind, `${name} is not an object`);
    keys += 1 + Object.keys(value).length;
    if (name === "__metadata__") {
      for (const [key, content] of Object.entries(value)) {
        if (typeof content !== "string") throw refuse(errorKind, `metadata ${key} is not text`);
        metadata.set(key, content);
      }
    } else tensors.set(name, parseEntry(name, value, dataStart, errorKind));
  }
  // JSON.parse keeps the last of two equal keys and says nothing.
  if (keys !== countPairs(text)) throw refuse(errorKind, "a name occurs twice");
  checkLayout(tensors, dataStart, fileSize, errorKind);
  return { tensors, metadata, dataStart };
}

function decodeText(bytes: Uint8Array, errorKind: ErrorKind): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw refuse(errorKind, "the header is not UTF-8", cause);
  }
}

function parseObject(text: string, errorKind: ErrorKind): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = text.startsWith("{") ? JSON.parse(text) : undefined;
  } catch {
    // Reported below, with everything else that is not an object.
  }
  if (!isObject(value)) throw refuse(errorKind, "the header is not a JSON object");
  return value;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Key-value pairs of valid JSON, at every depth: the colons outside strings. */
function countPairs(json: string): number {
  let pairs = 0;
  let inString = false;
  for (let i = 0; i < json.length; i++) {
    const code = json.charCodeAt(i);
    if (inString) {
      if (code === 0x5c) i++;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x3a) pairs++;
  }
  return pairs;
}

function parseEntry(
  name: string,
  value: Readonly<Record<string, unknown>>,
  dataStart: number,
  errorKind: ErrorKind,
): SafetensorsEntry {
  // Own keys only, so that a header cannot speak through __proto__.
  const fields = new Map(Object.entries(value));
  const dtype = fields.get("dtype");
  const shape = fields.get("shape");
  const offsets = fields.get("data_offsets");
  const bits = typeof dtype === "string" ? bitsOfDtype.get(dtype) : undefined;
  if (fields.size !== 3 || typeof dtype !== "string" || bits === undefined) {
    throw refuse(errorKind, `${name}: unknown type or fields`);
  }
  if (!isSizes(shape) || shape.length > maxRank) throw refuse(errorKind, `${name}: shape`);
  if (!isSizes(offsets) || offsets.length !== 2) throw refuse(errorKind, `${name}: offsets`);
  const [from, to] = offsets as readonly [number, number];
  const size = (elementCount(shape) * bits) / 8;
  if (!Number.isSafeInteger(size) || to - from !== size) {
    throw refuse(errorKind, `${name}: ${to - from} bytes where its shape asks for ${size}`);
  }
  return { dtype, shape, begin: dataStart + from, end: dataStart + to };
}

function isSizes(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

function checkLayout(
  tensors: ReadonlyMap<string, SafetensorsEntry>,
  dataStart: number,
  fileSize: number,
  errorKind: ErrorKind,
): void {
  let position = dataStart;
  for (const [name, entry] of [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)) {
    if (entry.begin !== position)
      throw refuse(errorKind, `${name}: overlaps another tensor or leaves a hole`);
    position = entry.end;
  }
  if (position !== fileSize) {
    throw refuse(errorKind, `the tensors end at byte ${position} of a file of ${fileSize} bytes`);
  }
}

/**
 * A whole file with `tensors` in the order given; the data begins at a multiple of 8. Throws InvalidRequest when a
 * name occurs twice or is reserved, or when data and shape disagree.
 */
export function encodeSafetensors(
  tensors: readonly SafetensorsTensor[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const parts = [`"__metadata__":${JSON.stringify(metadata)}`];
  const names = new Set(["__metadata__"]);
  let size = 0;
  for (const { name, dtype, shape, data } of tensors) {
    if (names.has(name) || data.byteLength * 8 !== elementCount(shape) * bitsOfDtype.get(dtype)!) {
      throw new SteerscopeError("InvalidRequest", `The tensor ${name} cannot be written.`, {
        detail: `${dtype} [${shape.join(", ")}] of ${data.byteLength} bytes, or a name that occurs twice`,
      });
    }
    names.add(name);
    const description = { dtype, shape, data_offsets: [size, size + data.byteLength] };
    parts.push(`${JSON.stringify(name)}:${JSON.stringify(description)}`);
    size += data.byteLength;
  }
  const header = new TextEncoder().encode(`{${parts.join(",")}}`);
  const dataStart = 8 + Math.ceil(header.length / 8) * 8;
  const bytes = new Uint8Array(dataStart + size).fill(0x20, 8, dataStart);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(dataStart - 8), true);
  bytes.set(header, 8);
  let position = dataStart;
  for (const { data } of tensors) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    position += data.byteLength;
  }
  return bytes;
}

/**
 * The values of one tensor of the file `bytes`, as a copy in the shape of `entry`; F16 and BF16 widen exactly. Throws
 * `errorKind` (ModelCorrupt unless said otherwise) for other types and for an entry that is not of this file.
 */
export function readFloat32(
  bytes: Uint8Array,
  entry: SafetensorsEntry,
  errorKind: ErrorKind = "ModelCorrupt",
): Float32Array {
  if (entry.end > bytes.length) throw refuse(errorKind, "a tensor lies outside the file");
  // A copy, since tensors need not be aligned in the file; not `slice`, which in a Node Buffer shares memory.
  const data = new Uint8Array(bytes.subarray(entry.begin, entry.end)).buffer;
  switch (entry.dtype) {
    case "F32":
      return new Float32Array(data);
    case "BF16":
      return new Float32Array(Uint32Array.from(new Uint16Array(data), (half) => half << 16).buffer);
    case "F16":
      return Float32Array.from(new Uint16Array(data), float16ToNumber);
    default:
      throw refuse(errorKind, `${entry.dtype} where floating-point numbers are expected`);
  }
}

/** The value of the bits of an IEEE 754 binary16 number. */
export function float16ToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}
