import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  encodeSafetensors,
  parseSafetensorsHeader,
  readFloat32,
  safetensorsHeaderLength,
} from "../../src/formats/safetensors.ts";
import { isSteerscopeError } from "../../src/shared/errors.ts";

const fixture = new URL("../fixtures/decoder-graphs/safetensors/llama/", import.meta.url);

/** A file with the JSON `header` as it stands and `dataLength` zero bytes behind it. */
function file(header: string, dataLength: number): Uint8Array {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + dataLength);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

function parse(bytes: Uint8Array): ReturnType<typeof parseSafetensorsHeader> {
  return parseSafetensorsHeader(bytes, bytes.length);
}

function kindOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (isSteerscopeError(error)) return error.kind;
    throw error;
  }
  return "accepted";
}

const f32 = (from: number, to: number, shape = "[2]"): string =>
  `{"dtype":"F32","shape":${shape},"data_offsets":[${from},${to}]}`;

describe("a file that Python's safetensors wrote", () => {
  const bytes = readFileSync(new URL("model.safetensors", fixture));
  const header = parse(bytes);

  it("has the tensors, shapes and metadata of the model", () => {
    expect(header.metadata.get("format")).toBe("pt");
    expect(header.tensors.get("model.embed_tokens.weight")?.shape).toEqual([128, 32]);
    expect(header.dataStart % 8).toBe(0);
    expect([...header.tensors.values()].every((entry) => entry.dtype === "F32")).toBe(true);
  });

  it("gives the values that PyTorch read from it", () => {
    const reference = JSON.parse(readFileSync(new URL("reference.json", fixture), "utf8")) as Record<
      "ids" | "emb",
      { data: number[] }
    >;
    const table = readFloat32(bytes, header.tensors.get("model.embed_tokens.weight")!);
    const rows = reference.ids.data.flatMap((id) => [...table.subarray(id * 32, id * 32 + 32)]);
    expect(rows).toEqual(reference.emb.data.map(Math.fround));
  });
});

describe("what is written", () => {
  it("reads back bit for bit, in the order given, aligned to 8 bytes", () => {
    const name = fc.string({ unit: "binary", minLength: 1 }).filter((text) => text !== "__metadata__");
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(name, fc.float32Array({ maxLength: 9 })), { selector: ([text]) => text }),
        fc.dictionary(fc.string({ unit: "binary" }), fc.string({ unit: "binary" })),
        (tensors, metadata) => {
          const bytes = encodeSafetensors(
            tensors.map(([name, data]) => ({ name, dtype: "F32", shape: [data.length], data })),
            metadata,
          );
          const header = parse(bytes);
          expect(header.dataStart % 8).toBe(0);
          expect([...header.tensors.keys()].sort()).toEqual(tensors.map(([name]) => name).sort());
          expect(new Map(header.metadata)).toEqual(new Map(Object.entries(metadata)));
          for (const [name, data] of tensors) {
            expect(readFloat32(bytes, header.tensors.get(name)!)).toEqual(data);
          }
        },
      ),
    );
  });

  it("keeps __proto__ as an ordinary name", () => {
    const data = Float32Array.of(1, 2);
    const bytes = encodeSafetensors([{ name: "__proto__", dtype: "F32", shape: [2], data }], {});
    expect(parse(bytes).tensors.get("__proto__")?.shape).toEqual([2]);
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });

  it("never has two tensors of a name, a reserved name, or data of another size than its shape", () => {
    const data = Float32Array.of(1, 2);
    const tensor = (name: string, shape: number[]) => ({ name, dtype: "F32", shape, data }) as const;
    expect(kindOf(() => encodeSafetensors([tensor("a", [2]), tensor("a", [2])], {}))).toBe("InvalidRequest");
    expect(kindOf(() => encodeSafetensors([tensor("__metadata__", [2])], {}))).toBe("InvalidRequest");
    expect(kindOf(() => encodeSafetensors([tensor("a", [3])], {}))).toBe("InvalidRequest");
  });
});

describe("readFloat32", () => {
  it("widens every float16 as an independent formula does", () => {
    const halves = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const entry = { dtype: "F16", shape: [65536], begin: 0, end: 131072 };
    const values = readFloat32(new Uint8Array(halves.buffer), entry);
    // Rebias the exponent in float32 bits; subnormals by a subtraction that float32 does exactly.
    const expected = Array.from(halves, (half) => {
      const bits = new Uint32Array(1);
      const float = new Float32Array(bits.buffer);
      const magnitude = half & 0x7fff;
      if (magnitude < 0x400) {
        bits[0] = magnitude | 0x3f000000;
        float[0] = float[0]! - 0.5;
      } else bits[0] = (magnitude << 13) + (magnitude >= 0x7c00 ? 0x70000000 : 0x38000000);
      return half & 0x8000 ? -float[0]! : float[0]!;
    });
    expect(values).toEqual(Float32Array.from(expected));
  });

  it("widens bfloat16 by appending zeros", () => {
    const data = Uint16Array.of(0x3f80, 0xc049, 0x0001, 0x7f80);
    const entry = { dtype: "BF16", shape: [4], begin: 0, end: 8 };
    expect([...readFloat32(new Uint8Array(data.buffer), entry)]).toEqual([1, -3.140625, 2 ** -133, Infinity]);
  });

  it("copies out of a Node Buffer, aligned or not", () => {
    const bytes = Buffer.alloc(13);
    bytes.writeFloatLE(1.5, 5);
    const entry = { dtype: "F32", shape: [1], begin: 5, end: 9 };
    const values = readFloat32(bytes, entry);
    bytes.fill(0);
    expect([...values]).toEqual([1.5]);
  });

  it("refuses whole numbers", () => {
    const entry = { dtype: "I64", shape: [1], begin: 0, end: 8 };
    expect(kindOf(() => readFloat32(new Uint8Array(8), entry))).toBe("ModelCorrupt");
  });
});

describe("hostile files", () => {
  it("accepts scalars, empty tensors and blanks behind the header", () => {
    const header = parse(file(`{"s":${f32(0, 4, "[]")},"e":${f32(4, 4, "[0,7]")}}   `, 4));
    expect([...header.tensors.keys()].sort()).toEqual(["e", "s"]);
  });

  it.each<readonly [what: string, header: string, dataLength: number]>([
    ["a tensor beyond the end", `{"a":${f32(0, 8)}}`, 4],
    ["bytes behind the last tensor", `{"a":${f32(0, 8)}}`, 9],
    ["a hole", `{"a":${f32(0, 8)},"b":${f32(12, 20)}}`, 20],
    ["an overlap", `{"a":${f32(0, 8)},"b":${f32(4, 12)}}`, 12],
    ["two names alike", `{"a":${f32(0, 8)},"a":${f32(0, 8)}}`, 8],
    ["two fields alike", `{"a":{"dtype":"F32","shape":[9],"shape":[2],"data_offsets":[0,8]}}`, 8],
    ["a shape larger than its bytes", `{"a":${f32(0, 8, "[3]")}}`, 8],
    ["a shape beyond all numbers", `{"a":${f32(0, 8, "[1e9,1e9,1e9]")}}`, 8],
    ["a negative dimension", `{"a":${f32(0, 8, "[-1,-2]")}}`, 8],
    ["a fractional dimension", `{"a":${f32(0, 8, "[0.5,4]")}}`, 8],
    ["a dimension that is text", `{"a":${f32(0, 8, '["2"]')}}`, 8],
    ["too many dimensions", `{"a":${f32(0, 4, `[${Array<number>(17).fill(1).join()}]`)}}`, 4],
    ["offsets the wrong way round", `{"a":${f32(8, 0)}}`, 8],
    ["offsets from nowhere", `{"a":{"dtype":"F32","shape":[0],"data_offsets":[null,null]}}`, 0],
    ["fields spoken through __proto__", `{"a":{"__proto__":${f32(0, 8)}}}`, 8],
    ["an unknown type", `{"a":{"dtype":"toString","shape":[2],"data_offsets":[0,8]}}`, 8],
    ["a field too many", `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}`, 8],
    ["metadata that is not text", `{"__metadata__":{"a":1}}`, 0],
    ["a list", `[]`, 0],
    ["null", `null`, 0],
    ["half a header", `{"a":`, 0],
    ["a deep header", `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`, 0],
  ])("refuses %s", (_, header, dataLength) => {
    expect(kindOf(() => parse(file(header, dataLength)))).toBe("ModelCorrupt");
  });

  it("refuses header lengths of NaN, zero, more than the file and more than the limit", () => {
    for (const length of [0n, 1n, 3n, 100_000_001n, 2n ** 63n, 2n ** 64n - 1n]) {
      const bytes = file("{}", 0);
      new DataView(bytes.buffer).setBigUint64(0, length, true);
      expect(kindOf(() => parse(bytes))).toBe("ModelCorrupt");
    }
    expect(kindOf(() => safetensorsHeaderLength(new Uint8Array(7)))).toBe("ModelCorrupt");
  });

  it("answers with the kind that the caller asked for", () => {
    expect(kindOf(() => parseSafetensorsHeader(new Uint8Array(9), 9, "VectorInvalid"))).toBe("VectorInvalid");
  });

  it("parses or refuses, and whatever it accepts lies inside the file", () => {
    const valid = file(`{"__metadata__":{"k":"v"},"a":${f32(0, 8)},"b":${f32(8, 16, "[2,1]")}}`, 16);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(valid.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
        fc.nat(valid.length),
        (changes, cut) => {
          const bytes = valid.slice(0, changes.length === 0 ? cut : valid.length);
          for (const [at, byte] of changes) bytes[at] = byte;
          try {
            for (const entry of parse(bytes).tensors.values()) {
              expect(entry.begin).toBeGreaterThanOrEqual(8);
              expect(entry.end).toBeLessThanOrEqual(bytes.length);
            }
          } catch (error) {
            if (!isSteerscopeError(error, "ModelCorrupt")) throw error;
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
