/**
 * Protobuf wire format, as much of it as ONNX needs (https://protobuf.dev/programming-guides/encoding). The reader pulls
 * through a window, so that gigabytes of weights are skipped and never read; positions are plain numbers, since files
 * pass 2^31 bytes.
 */
import { SteerscopeError } from "../../shared/errors.ts";

/** Random access to bytes that may be a file of any size. `read` returns exactly `length` bytes, valid until the next call. */
export interface ByteSource {
  readonly size: number;
  read(offset: number, length: number): Uint8Array;
}

/** A ByteSource over bytes in memory. */
export class MemoryByteSource implements ByteSource {
  readonly size: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.size = bytes.length;
  }

  read(offset: number, length: number): Uint8Array {
    if (offset < 0 || length < 0 || offset + length > this.size) throw truncated();
    return this.#bytes.subarray(offset, offset + length);
  }
}

function truncated(): SteerscopeError {
  return new SteerscopeError("ModelCorrupt", "The ONNX file ends in the middle of a field.", {
    remedy: "Download or export the model again.",
  });
}

export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** One field of a message: [start, end) with its tag, [at, at + length) its content. `value` is set for varints. */
export interface Field {
  readonly number: number;
  readonly wireType: number;
  readonly value: number;
  readonly at: number;
  readonly length: number;
  readonly start: number;
  readonly end: number;
}

/** The next varint of `source` at `position`. Values above 2^53 lose precision; negative int64 come out as two's complement. Throws ModelCorrupt. */
export function readVarint(source: ByteSource, position: number): { value: number; next: number } {
  const bytes = source.read(position, Math.min(10, source.size - position));
  return { value: varintAt(bytes, 0), next: position + varintLength(bytes, 0) };
}

function varintAt(bytes: Uint8Array, offset: number): number {
  let value = 0;
  let scale = 1;
  for (let i = offset; i < bytes.length && i < offset + 10; i++) {
    const byte = bytes[i]!;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
    scale *= 128;
  }
  throw truncated();
}

/** Of a varint that `varintAt` has accepted. */
function varintLength(bytes: Uint8Array, offset: number): number {
  let length = 1;
  while (bytes[offset + length - 1]! >= 0x80) length++;
  return length;
}

/** A varint of type int64/int32/enum: ten-byte encodings are negative numbers. */
export function toSigned(value: number): number {
  return value >= 2 ** 63 ? value - 2 ** 64 : value;
}

/** A tag and a length or value are varints of at most ten bytes each. */
const longestHead = 20;

/** The fields of the message in [position, end), without reading their contents. Throws ModelCorrupt. */
export function* fields(source: ByteSource, position: number, end: number): Generator<Field> {
  if (end > source.size) throw truncated();
  while (position < end) {
    const start = position;
    const head = source.read(position, Math.min(longestHead, end - position));
    const tag = varintAt(head, 0);
    const number = Math.floor(tag / 8);
    const wireType = tag % 8;
    const tagLength = varintLength(head, 0);
    let value = 0;
    let at = start + tagLength;
    let length: number;
    switch (wireType) {
      case WireType.varint:
        value = varintAt(head, tagLength);
        length = varintLength(head, tagLength);
        break;
      case WireType.bytes:
        length = varintAt(head, tagLength);
        at += varintLength(head, tagLength);
        break;
      case WireType.fixed32:
        length = 4;
        break;
      case WireType.fixed64:
        length = 8;
        break;
      default:
        throw new SteerscopeError("ModelCorrupt", "This file is not an ONNX model.", {
          detail: `wire type ${wireType} at byte ${start}`,
          remedy: "Choose a file that an ONNX exporter wrote.",
        });
    }
    if (number === 0 || at + length > end) throw truncated();
    position = at + length;
    yield { number, wireType, value, at, length, start, end: position };
  }
}

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder();

/** The content of a bytes field as text. */
export function readText(source: ByteSource, field: Field): string {
  return utf8Decoder.decode(source.read(field.at, field.length));
}

/** Builds a message field by field. */
export class MessageWriter {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Bytes that are already encoded fields. */
  raw(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    return this;
  }

  varint(field: number, value: number | bigint): this {
    this.#number(field * 8);
    // Negative numbers are written as ten bytes of two's complement.
    return value >= 0 && value <= Number.MAX_SAFE_INTEGER
      ? this.#number(Number(value))
      : this.#bigint(BigInt.asUintN(64, BigInt(value)));
  }

  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.#number(field * 8 + WireType.fixed32).raw(bytes);
  }

  bytes(field: number, content: Uint8Array): this {
    return this.#number(field * 8 + WireType.bytes)
      .#number(content.length)
      .raw(content);
  }

  text(field: number, content: string): this {
    return this.bytes(field, utf8Encoder.encode(content));
  }

  message(field: number, content: MessageWriter): this {
    this.#number(field * 8 + WireType.bytes).#number(content.length);
    for (const part of content.#parts) this.raw(part);
    return this;
  }

  finish(): Uint8Array {
    const bytes = new Uint8Array(this.#length);
    let position = 0;
    for (const part of this.#parts) {
      bytes.set(part, position);
      position += part.length;
    }
    return bytes;
  }

  #number(value: number): this {
    const bytes: number[] = [];
    let rest = value;
    while (rest >= 128) {
      bytes.push((rest % 128) | 128);
      rest = Math.floor(rest / 128);
    }
    bytes.push(rest);
    return this.raw(Uint8Array.from(bytes));
  }

  #bigint(value: bigint): this {
    const bytes: number[] = [];
    let rest = value;
    while (rest >= 128n) {
      bytes.push(Number(rest & 127n) | 128);
      rest >>= 7n;
    }
    bytes.push(Number(rest));
    return this.raw(Uint8Array.from(bytes));
  }
}
