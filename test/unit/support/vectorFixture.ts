import type { VectorFile, VectorProvenance } from "../../../src/formats/vectorFile.ts";

const fixtureLayers = 3;
export const fixtureHidden = 4;

/** A vector file as compute writes it: 3 layers of 4, values that differ by `seed`, changed by `change`. */
export function vectorFixture(
  seed = 1,
  change: Partial<VectorProvenance> = {},
): VectorFile & { readonly provenance: VectorProvenance } {
  return {
    layers: fixtureLayers,
    hidden: fixtureHidden,
    present: [0, 1, 2],
    vectors: Float32Array.from({ length: fixtureLayers * fixtureHidden }, (_, index) =>
      Math.fround(Math.sin(seed * (index + 1))),
    ),
    provenance: {
      model: {
        id: "stories15m",
        revision: null,
        hash: "m".repeat(64),
        architecture: "llama",
        tokenizerHash: "t".repeat(64),
      },
      template: "none",
      method: "mean-difference",
      position: { kind: "last", back: 0 },
      seed: 0,
      examples: { name: `set-${seed}`, hash: String(seed).repeat(64), positive: 5, negative: 4, pairs: 4 },
      scale: "raw",
      measures: Array.from({ length: fixtureLayers }, (_, layer) => ({
        layer,
        vectorNorm: 1 + layer,
        medianResidualNorm: 4,
        relativeNorm: (1 + layer) / 4,
        separation: { auroc: 0.7 + 0.1 * layer, cohensD: 1 + layer, folds: 4 },
        stability: { meanCosine: 0.8, low: 0.7, high: 0.9, splits: 8 },
        cosineWithPrevious: layer === 0 ? null : 0.5,
      })),
      suggested: { layer: 2, reason: "Layer 2 separates best." },
      created: "2026-01-01T00:00:00.000Z",
      program: "steerscope 0.1.0",
      combined: null,
      ...change,
    },
  };
}
