import { describe, expect, test } from "vitest";
import { encodeSafetensors } from "../../src/formats/safetensors.ts";
import {
  checkVectorFits,
  encodeVectorFile,
  parseVectorFile,
  vectorFormula,
  vectorOfLayer,
  type VectorFile,
  type VectorProvenance,
} from "../../src/formats/vectorFile.ts";
import type { ModelDescription } from "../../src/shared/engineContract.ts";
import { SteerscopeError } from "../../src/shared/errors.ts";

const layers = 3;
const hidden = 4;

const file = {
  layers,
  hidden,
  present: [0, 1, 2],
  vectors: Float32Array.from({ length: layers * hidden }, (_, index) => Math.fround(Math.sin(index) * 1e-3)),
  provenance: {
    model: {
      id: "stories15m",
      revision: "abc",
      hash: "m".repeat(64),
      architecture: "llama",
      tokenizerHash: "t".repeat(64),
    },
    template: "none",
    method: "mean-difference",
    position: { kind: "last", back: 2 },
    seed: 5,
    examples: { name: "happy-sad", hash: "e".repeat(64), positive: 48, negative: 47, pairs: 46 },
    scale: "raw",
    measures: Array.from({ length: layers }, (_, layer) => ({
      layer,
      vectorNorm: 0.1 + layer,
      medianResidualNorm: 1 / 3,
      relativeNorm: 0.3,
      separation: layer === 0 ? null : { auroc: 0.9, cohensD: layer === 1 ? null : 1.5, folds: 10 },
      stability: layer === 0 ? null : { meanCosine: 0.9, low: 0.8, high: 0.95, splits: 8 },
      cosineWithPrevious: layer === 0 ? null : 0.7,
    })),
    suggested: { layer: 1, reason: "Highest separation; größer." },
    created: "2026-11-23T00:00:00.000Z",
    program: "steerscope 0.1.0",
    combined: null,
  },
} satisfies VectorFile & { provenance: VectorProvenance };

const encode = ({
  provenance,
  vectors,
}: {
  provenance: VectorProvenance;
  vectors: Float32Array;
}): Uint8Array => encodeVectorFile(layers, hidden, vectors, provenance);

const model = {
  name: "stories15m",
  layers,
  hidden,
  architecture: "llama",
  modelHash: "m".repeat(64),
} as ModelDescription;

/** The tensors and metadata that the file would be written from, changed. */
function tampered(change: {
  metadata?: Record<string, string | undefined>;
  tensors?: Parameters<typeof encodeSafetensors>[0];
}): Uint8Array {
  const bytes = encode(file);
  const length = new DataView(bytes.buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as {
    __metadata__: Record<string, string>;
  };
  const metadata = Object.fromEntries(
    Object.entries({ ...header.__metadata__, ...change.metadata }).filter((entry) => entry[1] !== undefined),
  ) as Record<string, string>;
  const tensors = Array.from({ length: layers }, (_, layer) => ({
    name: `direction.${layer}`,
    dtype: "F32" as const,
    shape: [hidden],
    data: vectorOfLayer(file, layer),
  }));
  return encodeSafetensors(change.tensors ?? tensors, metadata);
}

function kindOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return error instanceof SteerscopeError ? error.kind : String(error);
  }
  return "nothing";
}

test("what is written is read again, bit for bit, with its provenance", () => {
  expect(parseVectorFile(encode(file))).toEqual(file);
  const bare = {
    ...file,
    provenance: {
      ...file.provenance,
      scale: "unit" as const,
      position: { kind: "mean" } as const,
      model: { ...file.provenance.model, revision: null, tokenizerHash: null },
    },
  };
  expect(parseVectorFile(encode(bare))).toEqual(bare);
});

test("a sum of vectors says of which, also where a name is hostile", () => {
  const term = {
    name: '__proto__ "quoted"',
    weight: -0.3,
    method: "logistic",
    template: "chat",
    position: { kind: "last", back: 1 },
    exampleSet: "formal",
    exampleSetHash: "f".repeat(64),
  } as const;
  const sum = { ...file.provenance, combined: [{ ...term, name: "happy", weight: 0.8 }, term] };
  const bytes = encode({ ...file, provenance: sum });
  expect(parseVectorFile(bytes).provenance).toEqual(sum);
  expect(vectorFormula(sum).formula).toBe('0.8*happy - 0.3*"__proto__ \\"quoted\\""');
});

test("formula and sign rule are in the file", () => {
  const text = new TextDecoder().decode(encode(file).subarray(0, 4000));
  expect(text).toContain('"formula":"mean(p) - mean(n)"');
  expect(text).toContain('"sign_rule":"as computed"');
});

describe("files that are refused", () => {
  const tensor = {
    name: "direction.0",
    dtype: "F32" as const,
    shape: [hidden],
    data: new Float32Array(hidden),
  };
  test.each<[string, Uint8Array]>([
    ["nothing", new Uint8Array()],
    ["text", new TextEncoder().encode("not a vector file, but long enough")],
    ["cut off", encode(file).slice(0, -3)],
    [
      "another safetensors file",
      encodeSafetensors([{ ...tensor, name: "lm_head.weight" }], { format: "pt" }),
    ],
    [
      "vectors of two widths",
      encodeSafetensors(
        [tensor, { name: "direction.1", dtype: "F32", shape: [2], data: new Float32Array(2) }],
        {},
      ),
    ],
    ["a matrix in place of a vector", encodeSafetensors([{ ...tensor, shape: [2, 2] }], {})],
    ["a layer beyond all models", encodeSafetensors([{ ...tensor, name: "direction.99999" }], {})],
    ["a newer version", tampered({ metadata: { format_version: "2" } })],
    ["no version", tampered({ metadata: { format_version: undefined } })],
    ["more layers than tensors", tampered({ metadata: { layers: "4" } })],
    ["a million layers", tampered({ metadata: { layers: "1000000" } })],
    ["no layers", tampered({ metadata: { layers: "0" }, tensors: [] })],
    ["another width", tampered({ metadata: { hidden: "5" } })],
    [
      "layer 3 in place of 2",
      tampered({ tensors: [0, 1, 3].map((n) => ({ ...tensor, name: `direction.${n}` })) }),
    ],
    [
      "NaN",
      tampered({
        tensors: [0, 1, 2].map((n) => ({
          ...tensor,
          name: `direction.${n}`,
          data: new Float32Array(hidden).fill(NaN),
        })),
      }),
    ],
    [
      "integers",
      tampered({
        tensors: [0, 1, 2].map((n) => ({ ...tensor, name: `direction.${n}`, dtype: "I32" as const })),
      }),
    ],
    ["an unknown method", tampered({ metadata: { method: "toString" } })],
    ["an unknown position", tampered({ metadata: { read_position: "first" } })],
    ["a suggested layer outside", tampered({ metadata: { suggested_layer: "3" } })],
    ["negative counts", tampered({ metadata: { pairs: "-1" } })],
    ["measures that are not JSON", tampered({ metadata: { layer_measures: "[".repeat(100_000) } })],
    ["a sum of nothing", tampered({ metadata: { combined_from: "[]" } })],
    ["a sum of terms without weights", tampered({ metadata: { combined_from: '[{"name":"a"}]' } })],
    ["measures of other layers", tampered({ metadata: { layer_measures: "[]" } })],
    [
      "measures without figures",
      tampered({ metadata: { layer_measures: '[{"layer":0},{"layer":1},{"layer":2}]' } }),
    ],
  ])("%s", (_, bytes) => {
    expect(kindOf(() => parseVectorFile(bytes))).toBe("VectorInvalid");
  });

  test("any byte of the header changed: read or refused, never anything else", () => {
    const whole = encode(file);
    let seed = 3;
    for (let round = 0; round < 2000; round++) {
      seed = (seed * 48271) % 2147483647;
      const bytes = whole.slice();
      bytes[seed % bytes.length] = (seed >> 8) & 255;
      expect(["nothing", "VectorInvalid"]).toContain(kindOf(() => parseVectorFile(bytes)));
    }
  });

  test("numbers that are not finite are not written either", () => {
    expect(kindOf(() => encode({ ...file, vectors: file.vectors.map(() => Infinity) }))).toBe(
      "InvalidRequest",
    );
    expect(kindOf(() => encodeVectorFile(2, hidden, file.vectors, file.provenance))).toBe("InvalidRequest");
  });
});

test("width and layers must fit; other weights are a warning", () => {
  expect(checkVectorFits(file, model)).toEqual([]);
  expect(checkVectorFits(file, { ...model, modelHash: "x" })).toEqual([
    expect.stringContaining("other weights"),
  ]);
  expect(checkVectorFits(file, { ...model, modelHash: "x", architecture: "gpt2" })).toEqual([
    expect.stringContaining("another architecture"),
  ]);
  expect(() => checkVectorFits(file, { ...model, hidden: 5 })).toThrow("width 4 (the model: 5)");
  expect(kindOf(() => checkVectorFits(file, { ...model, layers: 4 }))).toBe("VectorMismatch");
});

test("vectors by layer, and none outside", () => {
  expect(vectorOfLayer(file, 2)).toEqual(file.vectors.subarray(8, 12));
  for (const layer of [-1, 3, 1.5, NaN])
    expect(kindOf(() => vectorOfLayer(file, layer))).toBe("VectorMismatch");
});

test("a file of another program needs nothing but its vectors, and may leave layers out", () => {
  const data = Float32Array.of(1, 2, 3, 4);
  const tensors = ["direction.2", "direction.0", "other"].map((name) => ({
    name,
    dtype: "F32" as const,
    shape: [hidden],
    data,
  }));
  const read = parseVectorFile(encodeSafetensors(tensors, {}));
  expect(read).toMatchObject({ layers: 3, hidden, present: [0, 2], provenance: null });
  expect(vectorOfLayer(read, 2)).toEqual(data);
  expect(() => vectorOfLayer(read, 1)).toThrow("no vector of layer 1");
  expect(checkVectorFits(read, { ...model, layers: 12 })).toHaveLength(1);
  expect(kindOf(() => checkVectorFits(read, { ...model, layers: 2 }))).toBe("VectorMismatch");
});
