import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  add,
  cosine,
  cosineMatrix,
  cosinesByLayer,
  dot,
  layerCosineMatrix,
  linearCombination,
  negate,
  norm,
  scale,
  subtract,
  unit,
  unitLayers,
} from "../../src/steering/algebra.ts";
import { computeVectors } from "../../src/steering/computeVectors.ts";
import { covariateDirection } from "../../src/steering/confounds.ts";
import { projectOnVectors } from "../../src/steering/projection.ts";
import { plantedSet, relativeError, thrownBy } from "./steeringSets.ts";

const vector = fc.float32Array({ minLength: 6, maxLength: 6, noNaN: true, min: -1e6, max: 1e6 });

describe("algebra", () => {
  test("sums of whole numbers are exact: linear, zero, negation", () => {
    const whole = fc
      .array(fc.integer({ min: -1000, max: 1000 }), { minLength: 6, maxLength: 6 })
      .map((list) => Float32Array.from(list));
    fc.assert(
      fc.property(whole, whole, fc.integer({ min: -20, max: 20 }), (a, b, factor) => {
        expect(add(a, b)).toEqual(add(b, a));
        expect(subtract(add(a, b), b)).toEqual(add(a, new Float32Array(6)));
        expect(add(a, negate(a)).every((value) => value === 0)).toBe(true);
        expect(add(scale(a, factor), scale(b, factor))).toEqual(
          add(scale(add(a, b), factor), new Float32Array(6)),
        );
        expect(
          linearCombination([
            { weight: factor, vector: a },
            { weight: -1, vector: b },
          ]),
        ).toEqual(subtract(scale(a, factor), b));
      }),
    );
  });

  test("negation and doubling round-trip bit for bit", () => {
    fc.assert(
      fc.property(vector, (a) => {
        expect(negate(negate(a))).toEqual(a);
        expect(scale(scale(a, 4), 0.25)).toEqual(a);
      }),
    );
  });

  test("unit has norm 1 and keeps the direction; cosine is bounded and symmetric", () => {
    fc.assert(
      fc.property(vector, vector, (a, b) => {
        fc.pre(norm(a) > 1e-30 && norm(b) > 1e-30);
        expect(norm(unit(a))).toBeCloseTo(1, 6);
        expect(cosine(a, unit(a))).toBeCloseTo(1, 6);
        expect(cosine(a, b)).toBe(cosine(b, a));
        expect(Math.abs(cosine(a, b))).toBeLessThanOrEqual(1);
        expect(dot(a, b)).toBeCloseTo(norm(a) * norm(b) * cosine(a, b), -3);
      }),
    );
  });

  test("a zero vector has no direction: unit stays zero, cosine is 0", () => {
    const zero = new Float32Array(3);
    expect(unit(zero)).toEqual(zero);
    expect(cosine(zero, Float32Array.of(1, 0, 0))).toBe(0);
    expect(unitLayers(Float32Array.of(0, 0, 3, 4), 2)).toEqual(Float32Array.of(0, 0, 0.6, 0.8));
  });

  test("accumulates in float64: 1 is not lost beside 1e8", () => {
    expect(dot(Float32Array.of(1e8, 1, -1e8), Float32Array.of(1, 1, 1))).toBe(1);
  });

  test("unequal lengths and empty combinations are refused", () => {
    const kind = (run: () => unknown) => thrownBy(run)?.kind;
    expect(kind(() => add(new Float32Array(2), new Float32Array(3)))).toBe("VectorMismatch");
    expect(kind(() => cosine(new Float32Array(2), new Float32Array(3)))).toBe("VectorMismatch");
    expect(kind(() => linearCombination([]))).toBe("InvalidRequest");
  });
});

describe("cosine matrices", () => {
  const vectors = Float32Array.of(1, 0, 0, 2, -3, 0);

  test("of layers and of vectors", () => {
    const expected = Float64Array.of(1, 0, -1, 0, 1, 0, -1, 0, 1);
    expect(layerCosineMatrix(vectors, 2).map((value) => value + 0)).toEqual(expected);
    expect(
      cosineMatrix([0, 1, 2].map((k) => vectors.subarray(2 * k, 2 * k + 2))).map((value) => value + 0),
    ).toEqual(expected);
    expect(cosineMatrix([])).toHaveLength(0);
  });

  test("of two vectors layer by layer", () => {
    const other = Float32Array.of(5, 0, 2, 0, 1, 0);
    expect([...cosinesByLayer(vectors, other, 2)]).toEqual([1, 0, -1]);
  });
});

describe("projectOnVectors", () => {
  test("equals the plain sum, layer by layer, and is zero on a zero vector", () => {
    const { set, direction } = plantedSet({ pairs: 5, hidden: 7, strengths: [1, 2, 0], noise: 1, seed: 1 });
    const projections = projectOnVectors(set.positives, direction, 3);
    for (let example = 0; example < 5; example++) {
      for (let layer = 0; layer < 3; layer++) {
        let sum = 0;
        let square = 0;
        for (let j = 0; j < 7; j++) {
          sum += set.positives[(example * 3 + layer) * 7 + j]! * direction[layer * 7 + j]!;
          square += direction[layer * 7 + j]! ** 2;
        }
        expect(projections[example * 3 + layer]).toBeCloseTo(square === 0 ? 0 : sum / Math.sqrt(square), 10);
      }
    }
    expect(() => projectOnVectors(set.positives, direction.subarray(1), 3)).toThrow("do not fit");
  });
});

describe("covariateDirection", () => {
  test("finds a direction that goes with length, and not the difference of the sides", () => {
    const { set, direction } = plantedSet({ pairs: 60, hidden: 16, strengths: [4], noise: 0.1, seed: 2 });
    const lengths = Array.from({ length: 60 }, (_, index) => 5 + ((index * 7) % 11));
    const ofLength = Float32Array.from({ length: 16 }, (_, j) => (j === 3 ? 1 : 0));
    const grown = { ...set, positives: set.positives.slice(), negatives: set.negatives.slice() };
    lengths.forEach((length, example) => {
      grown.positives[example * 16 + 3]! += length;
      // Every negative is longer: a difference between the sides, which must not count.
      grown.negatives[example * 16 + 3]! += length + 100;
    });
    const found = covariateDirection(grown, {
      positives: lengths,
      negatives: lengths.map((length) => length + 100),
    });
    expect(cosinesByLayer(found, ofLength, 16)[0]).toBeGreaterThan(0.95);
    expect(Math.abs(cosinesByLayer(found, direction, 16)[0]!)).toBeLessThan(0.5);
    const vectors = computeVectors(grown, "mean-difference", { unit: false, seed: 0 });
    expect(cosinesByLayer(vectors, found, 16)[0]).toBeLessThan(-0.95);
  });

  test("a quantity that does not vary has no direction", () => {
    const { set } = plantedSet({ pairs: 3, hidden: 4, strengths: [1], noise: 1, seed: 2 });
    const constant = covariateDirection(set, { positives: [2, 2, 2], negatives: [7, 7, 7] });
    expect(relativeError(constant, [1, 1, 1, 1])).toBe(0.5);
    expect(constant.every((value) => value === 0)).toBe(true);
    expect(() => covariateDirection(set, { positives: [2], negatives: [7, 7, 7] })).toThrow("1 values for 3");
  });
});
