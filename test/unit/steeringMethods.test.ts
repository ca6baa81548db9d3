import { readFileSync } from "node:fs";
import { EigenvalueDecomposition, Matrix, SingularValueDecomposition } from "ml-matrix";
import { describe, expect, test } from "vitest";
import { methodIds } from "../../src/shared/methods.ts";
import type { ActivationSet } from "../../src/steering/activationSet.ts";
import { cosinesByLayer, layerOf, norm } from "../../src/steering/algebra.ts";
import { computeVectors } from "../../src/steering/computeVectors.ts";
import { tridiagonalEigen } from "../../src/steering/methods/tridiagonalEigen.ts";
import { SeededRandom } from "../../src/steering/random.ts";
import { flipped, permuted, plantedSet, relativeError, setOf } from "./steeringSets.ts";

const plain = { unit: false, seed: 1 };
/** Those that make something of many pairs and of the examples themselves. */
const fromManyPairs = methodIds.filter((method) => method !== "single-pair" && method !== "random");
const principal = ["pca-uncentred", "pca-pairwise"] as const;

interface GoldenCase {
  readonly name: string;
  readonly layers: number;
  readonly hidden: number;
  readonly pairs: number;
  readonly positives: readonly number[];
  readonly negatives: readonly number[];
  readonly logistic: readonly number[];
  readonly repengPcaDiff: readonly number[];
}

const goldens = (
  JSON.parse(readFileSync(new URL("../fixtures/steering/methods.json", import.meta.url), "utf8")) as {
    readonly cases: readonly GoldenCase[];
  }
).cases.map((golden) => ({
  ...golden,
  set: {
    layers: golden.layers,
    hidden: golden.hidden,
    positives: Float32Array.from(golden.positives),
    negatives: Float32Array.from(golden.negatives),
    pairs: Int32Array.from({ length: 2 * golden.pairs }, (_, k) => k >> 1),
  } satisfies ActivationSet,
}));

/** Mean of h+ less mean of h-, the plain way. */
function referenceMeanDifference(set: ActivationSet): Float64Array {
  const size = set.layers * set.hidden;
  const meanOf = (values: Float32Array, k: number) => {
    let sum = 0;
    for (let at = k; at < values.length; at += size) sum += values[at]!;
    return sum / (values.length / size);
  };
  return Float64Array.from({ length: size }, (_, k) => meanOf(set.positives, k) - meanOf(set.negatives, k));
}

/** [pairs, hidden] of h+ - h- at one layer. */
function differencesAt(set: ActivationSet, layer: number): number[][] {
  const row = (values: Float32Array, index: number) =>
    Array.from(values.subarray((index * set.layers + layer) * set.hidden).subarray(0, set.hidden));
  return Array.from({ length: set.pairs.length / 2 }, (_, pair) => {
    const minus = row(set.negatives, set.pairs[2 * pair + 1]!);
    return row(set.positives, set.pairs[2 * pair]!).map((value, j) => value - minus[j]!);
  });
}

/** The first right singular vector by ml-matrix, sign and scale by the rule: its projection of the mean of `differences`. */
function referencePrincipal(rows: number[][], differences: number[][]): number[] {
  const direction = new SingularValueDecomposition(new Matrix(rows), {
    autoTranspose: true,
  }).rightSingularVectors.getColumn(0);
  const projections = differences.map((row) => row.reduce((sum, value, j) => sum + value * direction[j]!, 0));
  const scale = projections.reduce((sum, value) => sum + value, 0) / projections.length;
  return direction.map((value) => value * scale);
}

describe("equal to other implementations", () => {
  test.each([
    { pairs: 1, hidden: 8 },
    { pairs: 7, hidden: 33 },
    { pairs: 130, hidden: 20 },
  ])("mean-difference: a float64 reference at every layer ($pairs pairs)", ({ pairs, hidden }) => {
    const { set } = plantedSet({ pairs, hidden, strengths: [0.1, 5, 0, 2], noise: 1, seed: pairs });
    const vectors = computeVectors(set, "mean-difference", plain);
    const expected = referenceMeanDifference(set);
    for (let layer = 0; layer < 4; layer++) {
      const from = layer * hidden;
      expect(
        relativeError(layerOf(vectors, layer, hidden), expected.subarray(from, from + hidden)),
      ).toBeLessThan(1e-6);
    }
  });

  test("mean-difference of unpaired lists of unequal length is a true mean of each", () => {
    const set = setOf(
      [
        [1, 2],
        [3, 6],
        [5, 7],
      ],
      [[10, 1]],
      false,
    );
    expect([...computeVectors(set, "mean-difference", plain)]).toEqual([3 - 10, 5 - 1]);
  });

  test.each([
    { pairs: 1, hidden: 5 },
    { pairs: 6, hidden: 40 },
    { pairs: 60, hidden: 12 },
    { pairs: 30, hidden: 30 },
  ])("both PCAs: singular vectors of ml-matrix ($pairs pairs of $hidden)", ({ pairs, hidden }) => {
    const { set } = plantedSet({ pairs, hidden, strengths: [0.3, 1, 6], noise: 0.7, seed: hidden });
    for (let layer = 0; layer < 3; layer++) {
      const differences = differencesAt(set, layer);
      const uncentred = layerOf(computeVectors(set, "pca-uncentred", plain), layer, hidden);
      expect(relativeError(uncentred, referencePrincipal(differences, differences))).toBeLessThan(1e-6);
      // By definition: both examples of every pair, about the pair's midpoint.
      const aboutMidpoint = differences.flatMap((row) => [row.map((v) => v / 2), row.map((v) => -v / 2)]);
      const pairwise = layerOf(computeVectors(set, "pca-pairwise", plain), layer, hidden);
      expect(relativeError(pairwise, referencePrincipal(aboutMidpoint, differences))).toBeLessThan(1e-6);
    }
  });

  test("the largest direction is found where the mean is orthogonal to it", () => {
    // Singular values 10 sqrt(2) along the first axis, sqrt(6) along the second; only the second has a mean.
    const set = setOf(
      [
        [10, 1],
        [-10, 1],
        [0, 1],
        [0, 1],
        [0, 1],
        [0.5, 1],
      ],
      Array.from({ length: 6 }, () => [0, 0]),
    );
    const vector = computeVectors(set, "pca-uncentred", plain);
    expect(Math.abs(vector[0]!)).toBeGreaterThan(5 * Math.abs(vector[1]!));
    expect(
      relativeError(vector, referencePrincipal(differencesAt(set, 0), differencesAt(set, 0))),
    ).toBeLessThan(1e-6);
  });

  test.each(goldens)("logistic: scikit-learn's LogisticRegression ($name)", ({ set, logistic, hidden }) => {
    const vectors = computeVectors(set, "logistic", plain);
    for (let layer = 0; layer < set.layers; layer++) {
      const expected = logistic.slice(layer * hidden, (layer + 1) * hidden);
      expect(relativeError(layerOf(vectors, layer, hidden), expected)).toBeLessThan(1e-5);
    }
  });

  test.each(goldens)("repeng-pca-diff: repeng 0.4.0, sign and draws included ($name)", (golden) => {
    const { set, repengPcaDiff, hidden } = golden;
    const vectors = computeVectors(set, "repeng-pca-diff", plain);
    for (let layer = 0; layer < set.layers; layer++) {
      const expected = repengPcaDiff.slice(layer * hidden, (layer + 1) * hidden);
      expect(relativeError(layerOf(vectors, layer, hidden), expected)).toBeLessThan(1e-5);
    }
  });

  test("tridiagonalEigen: ml-matrix, also where the matrix splits or repeats a value", () => {
    const random = new SeededRandom(9);
    for (let size = 1; size <= 24; size++) {
      const diagonal = Array.from({ length: size }, () => (size % 3 === 0 ? 2 : random.gaussian()));
      const off = Array.from({ length: size - 1 }, (_, k) => (k % 5 === 4 ? 0 : random.gaussian()));
      const dense = Matrix.zeros(size, size);
      diagonal.forEach((value, k) => dense.set(k, k, value));
      off.forEach((value, k) => dense.set(k, k + 1, value).set(k + 1, k, value));
      const { values, vectors } = tridiagonalEigen(diagonal, off);
      const expected = new EigenvalueDecomposition(dense, { assumeSymmetric: true }).realEigenvalues;
      expected.sort((a, b) => a - b);
      expect(relativeError(Float64Array.from(values).sort(), expected)).toBeLessThan(1e-12);
      const columns = Matrix.from1DArray(size, size, vectors);
      const residual = Matrix.sub(dense.mmul(columns), columns.mmul(Matrix.diag([...values])));
      expect(residual.norm()).toBeLessThan(1e-12 * size);
      expect(Matrix.sub(columns.transpose().mmul(columns), Matrix.eye(size)).norm()).toBeLessThan(
        1e-12 * size,
      );
    }
  });
});

describe("planted direction (hidden 64, 100 pairs)", () => {
  const noises = [0.05, 0.1, 0.2, 0.5];

  test.each(fromManyPairs.filter((method) => method !== "repeng-pca-diff"))("%s recovers it", (method) => {
    for (const noise of noises) {
      const { set, direction } = plantedSet({ pairs: 100, hidden: 64, strengths: [4, 8], noise, seed: 6 });
      const cosines = cosinesByLayer(computeVectors(set, method, plain), direction, 64);
      expect(Math.min(...cosines)).toBeGreaterThan(0.95);
    }
  });

  test("repeng-pca-diff does not: centring takes a constant difference away", () => {
    const { set, direction } = plantedSet({ pairs: 100, hidden: 64, strengths: [4], noise: 0.5, seed: 6 });
    const cosines = cosinesByLayer(computeVectors(set, "repeng-pca-diff", plain), direction, 64);
    expect(Math.abs(cosines[0]!)).toBeLessThan(0.5);
  });

  test("single-pair finds it in one pair as far as the noise lets it", () => {
    const { set, direction } = plantedSet({ pairs: 1, hidden: 64, strengths: [4], noise: 0.05, seed: 6 });
    expect(cosinesByLayer(computeVectors(set, "single-pair", plain), direction, 64)[0]).toBeGreaterThan(0.95);
  });

  test("scale: both PCAs are as long as the mean difference's projection on them, logistic and repeng are units", () => {
    const { set } = plantedSet({ pairs: 40, hidden: 64, strengths: [4, 1], noise: 0.3, seed: 8 });
    const difference = computeVectors(set, "mean-difference", plain);
    for (let layer = 0; layer < 2; layer++) {
      const mean = layerOf(difference, layer, 64);
      for (const method of principal) {
        const vector = layerOf(computeVectors(set, method, plain), layer, 64);
        const projection = vector.reduce((sum, value, j) => sum + value * mean[j]!, 0) / norm(vector);
        expect(norm(vector)).toBeCloseTo(projection, 5);
      }
      for (const method of ["logistic", "repeng-pca-diff"] as const) {
        expect(norm(layerOf(computeVectors(set, method, plain), layer, 64))).toBeCloseTo(1, 6);
      }
    }
  });
});

describe("algebra of extraction", () => {
  const { set } = plantedSet({ pairs: 25, hidden: 18, strengths: [3, 0.5], noise: 0.5, seed: 3 });

  test.each(fromManyPairs)("%s: flipping the labels flips the vector", (method) => {
    const vectors = computeVectors(set, method, plain);
    const turned = computeVectors(flipped(set), method, plain).map((value) => -value);
    expect(relativeError(turned, vectors)).toBeLessThan(1e-6);
  });

  test.each(fromManyPairs)("%s: the order of pairs and examples does not matter", (method) => {
    const vectors = computeVectors(set, method, plain);
    for (const seed of [1, 2]) {
      expect(relativeError(computeVectors(permuted(set, seed), method, plain), vectors)).toBeLessThan(2e-6);
    }
  });

  test.each(["mean-difference", "pca-uncentred", "pca-pairwise"] as const)(
    "%s is linear in the activations",
    (method) => {
      const tenfold = {
        ...set,
        positives: set.positives.map((value) => value * 16),
        negatives: set.negatives.map((value) => value * 16),
      };
      const expected = computeVectors(set, method, plain).map((value) => value * 16);
      expect(relativeError(computeVectors(tenfold, method, plain), expected)).toBeLessThan(1e-6);
    },
  );

  test("what both sides of a pair share changes nothing", () => {
    // A power of two on a grid keeps float32 sums exact.
    const grid = (values: Float32Array) => values.map((value) => Math.round(value * 64) / 64);
    const coarse = { ...set, positives: grid(set.positives), negatives: grid(set.negatives) };
    const moved = {
      ...coarse,
      positives: coarse.positives.map((value) => value + 512),
      negatives: coarse.negatives.map((value) => value + 512),
    };
    for (const method of fromManyPairs) {
      const expected = computeVectors(coarse, method, plain);
      expect(relativeError(computeVectors(moved, method, plain), expected)).toBeLessThan(1e-6);
    }
  });

  test("unit scales every layer to norm 1 and keeps the direction", () => {
    for (const method of methodIds.filter((id) => id !== "single-pair")) {
      const vectors = computeVectors(set, method, plain);
      const units = computeVectors(set, method, { ...plain, unit: true });
      for (let layer = 0; layer < 2; layer++) expect(norm(layerOf(units, layer, 18))).toBeCloseTo(1, 6);
      expect(Math.min(...cosinesByLayer(units, vectors, 18))).toBeGreaterThan(1 - 1e-12);
    }
  });
});

describe("random control", () => {
  const { set } = plantedSet({ pairs: 12, hidden: 400, strengths: [3, 30], noise: 0.5, seed: 3 });

  test("has the norm of the mean difference at each layer, whatever its direction", () => {
    const difference = computeVectors(set, "mean-difference", plain);
    const control = computeVectors(set, "random", plain);
    for (let layer = 0; layer < 2; layer++) {
      const expected = norm(layerOf(difference, layer, 400));
      expect(Math.abs(norm(layerOf(control, layer, 400)) / expected - 1)).toBeLessThan(1e-6);
    }
    expect(Math.max(...cosinesByLayer(control, difference, 400).map(Math.abs))).toBeLessThan(0.25);
  });

  test("is seeded, and its layers are unlike each other", () => {
    const control = computeVectors(set, "random", { unit: true, seed: 7 });
    expect(computeVectors(set, "random", { unit: true, seed: 7 })).toEqual(control);
    const other = computeVectors(set, "random", { unit: true, seed: 8 });
    expect(Math.max(...cosinesByLayer(control, other, 400).map(Math.abs))).toBeLessThan(0.25);
    expect(layerOf(control, 0, 400)).not.toEqual(layerOf(control, 1, 400));
  });
});
