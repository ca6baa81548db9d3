import { describe, expect, it } from "vitest";
import { inverseFrequencies } from "../../src/engine/build/rotary.ts";

/** Within two units in the last place of float32. */
function expectFloat32(actual: Float32Array, expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(Math.abs(actual[i]! / value - 1)).toBeLessThan(2.4e-7);
  });
}

describe("inverseFrequencies", () => {
  it("equals transformers' on the scaling of Llama 3.2", () => {
    // ROPE_INIT_FUNCTIONS["llama3"] of transformers 4.57 with the configuration of Llama-3.2-1B.
    const expected = [
      1.0, 0.663601279, 0.440366626, 0.292227834, 0.193922758, 0.128687382, 0.0853971019, 0.0566696189,
      0.0376060307, 0.0249554086, 0.0165604409, 0.0109895291, 0.00729266508, 0.00483942125, 0.00321144611,
      0.00129054801, 0.000429556705, 9.70828623e-5, 1.94616387e-5, 1.29147675e-5, 8.57025589e-6,
      5.68723226e-6, 3.77405445e-6, 2.50446715e-6, 1.66196742e-6, 1.10288363e-6, 7.31874934e-7, 4.85673127e-7,
      3.22293289e-7, 2.1387423e-7, 1.41927202e-7, 9.41830649e-8,
    ];
    const scaling = {
      kind: "llama3",
      factor: 32,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalContext: 8192,
    } as const;
    expectFloat32(inverseFrequencies(64, 500_000, scaling), expected);
  });

  it("equals transformers' on linear scaling", () => {
    // ROPE_INIT_FUNCTIONS["linear"] of transformers 4.57.
    const expected = [
      0.333333343, 0.154719636, 0.0718144849, 0.0333333351, 0.0154719613, 0.00718144933, 0.00333333318,
      0.00154719653, 0.000718144758, 0.000333333359, 0.000154719644, 7.18144729e-5,
    ];
    expectFloat32(inverseFrequencies(24, 10_000, { kind: "linear", factor: 3 }), expected);
  });

  it("is theta ** (-2 i / headDim) without scaling", () => {
    const exact = Array.from({ length: 24 }, (_, i) => 10_000 ** (-i / 24));
    expectFloat32(inverseFrequencies(48, 10_000, { kind: "none" }), exact);
  });
});
