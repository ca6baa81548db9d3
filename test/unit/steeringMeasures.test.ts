import { describe, expect, test } from "vitest";
import { methodIds } from "../../src/shared/methods.ts";
import type { MethodId } from "../../src/shared/methods.ts";
import type { LayerMeasures, VectorMeasures } from "../../src/shared/vectorMeasures.ts";
import type { ActivationSet } from "../../src/steering/activationSet.ts";
import { cosine, layerOf, norm, unit } from "../../src/steering/algebra.ts";
import { computeVectors } from "../../src/steering/computeVectors.ts";
import { measureVectors } from "../../src/steering/measures.ts";
import { makeFolds, makeHalves } from "../../src/steering/splits.ts";
import { auroc, median } from "../../src/steering/statistics.ts";
import { suggestLayer } from "../../src/steering/suggestLayer.ts";
import { flipped, permuted, plantedSet, setOf, thrownBy } from "./steeringSets.ts";

function measure(set: ActivationSet, method: MethodId = "mean-difference", seed = 1): VectorMeasures {
  return measureVectors(set, computeVectors(set, method, { unit: false, seed }), method, { seed });
}

/** The pairs of a set named by index, alone. */
function keepPairs(set: ActivationSet, kept: readonly number[]): ActivationSet {
  const size = set.layers * set.hidden;
  const rows = (values: Float32Array, member: 0 | 1) => {
    const out = new Float32Array(kept.length * size);
    kept.forEach((pair, to) => {
      const from = set.pairs[2 * pair + member]! * size;
      out.set(values.subarray(from, from + size), to * size);
    });
    return out;
  };
  return {
    ...set,
    positives: rows(set.positives, 0),
    negatives: rows(set.negatives, 1),
    pairs: Int32Array.from({ length: 2 * kept.length }, (_, k) => k >> 1),
  };
}

const trainable = methodIds.filter((method) => method !== "single-pair" && method !== "random");

describe("separation is held out", () => {
  test.each(trainable)("%s on pure noise with hidden far above the examples: AUROC about 0.5", (method) => {
    // The vector separates its own examples perfectly here; 12 independent layers a set average the figure.
    for (const pairs of [8, 20, 40]) {
      const strengths = Array.from({ length: 12 }, () => 0);
      const { set } = plantedSet({ pairs, hidden: 300, strengths, noise: 1, seed: 10 + pairs });
      const measured = measure(set, method);
      const held = measured.layers.map((layer) => layer.separation!.auroc);
      const average = held.reduce((sum, value) => sum + value, 0) / held.length;
      // Standard error of the average: about 0.29 / sqrt(pairs) / sqrt(12) * 1.4.
      expect(Math.abs(average - 0.5)).toBeLessThan(0.1);
      expect(measured.layers[0]!.separation!.folds).toBe(pairs === 40 ? 10 : pairs);
    }
  });

  test("the same vectors scored on the pairs that made them look perfect", () => {
    const { set } = plantedSet({ pairs: 20, hidden: 300, strengths: [0], noise: 1, seed: 1 });
    const vector = unit(computeVectors(set, "mean-difference", { unit: false, seed: 1 }));
    const scores = (values: Float32Array) =>
      Array.from({ length: 20 }, (_, row) =>
        values.subarray(row * 300, (row + 1) * 300).reduce((sum, value, j) => sum + value * vector[j]!, 0),
      );
    expect(auroc(scores(set.positives), scores(set.negatives))).toBeGreaterThan(0.95);
    expect(measure(set).layers[0]!.separation!.auroc).toBeLessThan(0.75);
  });

  test("unpaired noise: about 0.5 as well", () => {
    const strengths = Array.from({ length: 12 }, () => 0);
    for (const pairs of [9, 30]) {
      const { set } = plantedSet({ pairs, hidden: 200, strengths, noise: 1, seed: pairs, unpaired: true });
      const held = measure(set).layers.map((layer) => layer.separation!.auroc);
      expect(Math.abs(held.reduce((sum, value) => sum + value, 0) / 12 - 0.5)).toBeLessThan(0.1);
    }
  });

  test.each(trainable)("%s: leave-one-pair-out equals vectors made without each pair by hand", (method) => {
    const { set } = plantedSet({ pairs: 7, hidden: 15, strengths: [1.5, 3], noise: 1, seed: 4 });
    const measured = measure(set, method);
    const everyPair = Array.from({ length: 7 }, (_, pair) => pair);
    for (let layer = 0; layer < 2; layer++) {
      const positives: number[] = [];
      const negatives: number[] = [];
      for (const pair of everyPair) {
        const rest = keepPairs(
          set,
          everyPair.filter((other) => other !== pair),
        );
        const vectors = computeVectors(rest, method, { unit: false, seed: 1 });
        const direction = unit(layerOf(vectors, layer, 15));
        const project = (values: Float32Array, row: number) =>
          values
            .subarray((row * 2 + layer) * 15)
            .subarray(0, 15)
            .reduce((sum, v, j) => sum + v * direction[j]!, 0);
        let midpoint = 0;
        for (let other = 0; other < 6; other++) {
          midpoint += (project(rest.positives, other) + project(rest.negatives, other)) / 12;
        }
        positives.push(project(set.positives, pair) - midpoint);
        negatives.push(project(set.negatives, pair) - midpoint);
      }
      // Vectors for measuring are made to an angle of 0.01: at most a comparison in 49 may turn.
      expect(Math.abs(measured.layers[layer]!.separation!.auroc - auroc(positives, negatives))).toBeLessThan(
        0.021,
      );
    }
  });

  test("the common part of all activations, large as it is, does not drown the scores of pooled folds", () => {
    const { set } = plantedSet({ pairs: 16, hidden: 40, strengths: [12], noise: 0.5, seed: 5 });
    const offset = { ...set, positives: set.positives.slice(), negatives: set.negatives.slice() };
    for (const values of [offset.positives, offset.negatives]) {
      values.forEach((value, k) => {
        values[k] = value + ((k % 40) - 20) * 500;
      });
    }
    expect(measure(offset).layers[0]!.separation!.auroc).toBeGreaterThan(0.98);
  });
});

describe("planted layers", () => {
  const strengths = [0, 0, 0, 8, 0, 0];
  const { set } = plantedSet({ pairs: 40, hidden: 64, strengths, noise: 0.6, seed: 12 });

  test.each(trainable.filter((method) => method !== "repeng-pca-diff"))(
    "%s finds the one that holds something",
    (method) => {
      const measured = measure(set, method);
      expect(measured.layers[3]!.separation!.auroc).toBeGreaterThan(0.97);
      expect(measured.layers[3]!.separation!.cohensD).toBeGreaterThan(2);
      expect(measured.layers[3]!.stability!.low).toBeGreaterThan(0.8);
      for (const layer of measured.layers) {
        if (layer.layer === 3) continue;
        expect(Math.abs(layer.separation!.auroc - 0.5)).toBeLessThan(0.3);
        expect(Math.abs(layer.stability!.meanCosine)).toBeLessThan(0.3);
      }
      expect(measured.suggested.layer).toBe(3);
      expect(measured.suggested.reason).toContain("Layer 3 separates best");
    },
  );

  test("a random control has a separation, no stability, no outliers, and suggests the middle", () => {
    const measured = measure(set, "random");
    expect(measured.layers[0]!.separation).not.toBeNull();
    expect(measured.layers.every((layer) => layer.stability === null)).toBe(true);
    expect(measured.outliers).toEqual([]);
    expect(measured.suggested.layer).toBe(2);
    expect(measured.suggested.reason).toContain("random control");
  });

  test("unpaired lists work with mean-difference, also of unequal length", () => {
    const size = 6 * 64;
    const unpaired = { ...set, negatives: set.negatives.subarray(0, 25 * size), pairs: new Int32Array(0) };
    const measured = measure(unpaired);
    expect(measured.layers[3]!.separation!.auroc).toBeGreaterThan(0.95);
    expect(measured.suggested.layer).toBe(3);
    expect(measured.outliers).toEqual([]);
  });

  test("examples without a partner count for mean-difference and are left aside by methods on pairs", () => {
    const mixed = { ...set, pairs: set.pairs.subarray(0, 2 * 30) };
    const folds = makeFolds(mixed, false, 1);
    const held = folds.flatMap((fold) => [...fold.part.positives]);
    expect(held.sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, index) => index));
    expect(makeFolds(mixed, true, 1).flatMap((fold) => [...fold.part.positives])).toHaveLength(30);
    const onPairs = measure(
      keepPairs(
        set,
        Array.from({ length: 30 }, (_, pair) => pair),
      ),
      "pca-uncentred",
    );
    const aside = measure(mixed, "pca-uncentred");
    expect(aside.layers.map((layer) => layer.separation)).toEqual(
      onPairs.layers.map((layer) => layer.separation),
    );
    expect(measure(mixed).layers[3]!.separation!.auroc).toBeGreaterThan(0.97);
  });
});

describe("splits", () => {
  const { set } = plantedSet({ pairs: 23, hidden: 2, strengths: [1], noise: 1, seed: 1 });

  test("folds hold every pair out once and never in training", () => {
    for (const folds of [
      makeFolds(set, true, 5),
      makeFolds({ ...set, pairs: new Int32Array(0) }, false, 5),
    ]) {
      expect(folds).toHaveLength(10);
      const positives = folds.flatMap(({ part }) => [...part.positives]);
      expect(new Set(positives).size).toBe(23);
      for (const { part, rest } of folds) {
        expect(part.negatives.length).toBeGreaterThan(0);
        for (const side of ["positives", "negatives"] as const) {
          expect(part[side].length + rest[side].length).toBe(23);
          expect([...part[side]].some((index) => rest[side].includes(index))).toBe(false);
        }
      }
    }
    for (const { part, rest } of makeFolds(set, true, 5)) {
      for (const side of [part, rest]) expect([...side.positives].sort()).toEqual([...side.negatives].sort());
    }
  });

  test("halves are halves, seeded", () => {
    const halves = makeHalves(set, true, 5, 8);
    expect(halves).toHaveLength(8);
    expect(halves.every(({ part, rest }) => part.pairs.length === 11 && rest.pairs.length === 12)).toBe(true);
    expect(makeHalves(set, true, 5, 8)).toEqual(halves);
    expect(makeHalves(set, true, 6, 8)).not.toEqual(halves);
  });
});

describe("norms, cosines, outliers", () => {
  const { set, direction } = plantedSet({ pairs: 30, hidden: 20, strengths: [6, 6, 6], noise: 0.3, seed: 2 });

  test("norms and neighbour cosines are those of the vectors given; the residual norm is the median over examples", () => {
    const vectors = computeVectors(set, "mean-difference", { unit: true, seed: 1 });
    const { layers } = measureVectors(set, vectors, "mean-difference", { seed: 1 });
    const norms = [set.positives, set.negatives].flatMap((values) =>
      Array.from({ length: 30 }, (_, row) => norm(values.subarray((row * 3 + 1) * 20).subarray(0, 20))),
    );
    expect(layers[1]!.vectorNorm).toBeCloseTo(1, 6);
    expect(layers[1]!.medianResidualNorm).toBeCloseTo(median(norms), 6);
    expect(layers[1]!.relativeNorm).toBeCloseTo(1 / median(norms), 8);
    expect(layers[0]!.cosineWithPrevious).toBeNull();
    expect(layers[1]!.cosineWithPrevious).toBeCloseTo(
      cosine(layerOf(vectors, 0, 20), layerOf(vectors, 1, 20)),
      12,
    );
  });

  test.each(trainable)("%s: a pair that points the other way and aside is the first outlier", (method) => {
    const spoiled = { ...set, positives: set.positives.slice() };
    const random = plantedSet({ pairs: 1, hidden: 60, strengths: [60], noise: 0, seed: 3 }).direction;
    random.forEach((value, k) => {
      spoiled.positives[17 * 60 + k]! -= value + 3 * direction[k]!;
    });
    const { outliers } = measure(spoiled, method);
    expect(outliers).toHaveLength(30);
    expect(outliers[0]!.pair).toBe(17);
    expect(outliers[0]!.shift).toBeGreaterThan(3 * outliers[1]!.shift);
    expect(outliers.every(({ shift }, index) => index === 0 || shift <= outliers[index - 1]!.shift)).toBe(
      true,
    );
  });

  test("shifts are those of vectors made without the pair", () => {
    const { suggested, outliers } = measure(set, "pca-uncentred");
    const layer = suggested.layer;
    const whole = layerOf(computeVectors(set, "pca-uncentred", { unit: false, seed: 1 }), layer, 20);
    for (const { pair, shift } of outliers.slice(0, 3)) {
      const rest = keepPairs(
        set,
        Array.from({ length: 30 }, (_, other) => other).filter((other) => other !== pair),
      );
      const vector = layerOf(computeVectors(rest, "pca-uncentred", { unit: false, seed: 1 }), layer, 20);
      expect(Math.abs(shift - (1 - cosine(whole, vector)))).toBeLessThan(1e-7);
    }
  });

  test("flipping the labels leaves every measure as it is", () => {
    const turned = measure(flipped(set));
    measure(set).layers.forEach((layer, index) => {
      const other = turned.layers[index]!;
      expect(other.vectorNorm).toBeCloseTo(layer.vectorNorm, 6);
      expect(other.separation!.auroc).toBeCloseTo(layer.separation!.auroc, 12);
      expect(other.stability!.meanCosine).toBeCloseTo(layer.stability!.meanCosine, 10);
    });
  });

  test("everything is seeded; other orders of the pairs agree about what does not depend on folds", () => {
    expect(measure(set)).toEqual(measure(set));
    const other = measure(permuted(set, 3));
    expect(other.layers[2]!.medianResidualNorm).toBe(measure(set).layers[2]!.medianResidualNorm);
    expect(other.outliers[0]!.shift).toBeCloseTo(measure(set).outliers[0]!.shift, 6);
  });
});

describe("degenerate inputs", () => {
  test("one pair: norms only, and the middle layer with the reason", () => {
    const { set } = plantedSet({ pairs: 1, hidden: 5, strengths: [1, 1, 1, 1, 1], noise: 0, seed: 1 });
    for (const method of ["single-pair", "mean-difference", "pca-uncentred", "logistic", "random"] as const) {
      const measured = measure(set, method);
      expect(measured.layers.every((layer) => layer.separation === null && layer.stability === null)).toBe(
        true,
      );
      expect(measured.layers[4]!.vectorNorm).toBeGreaterThan(0);
      expect(measured.outliers).toEqual([]);
      expect(measured.suggested.layer).toBe(2);
    }
    expect(measure(set).suggested.reason).toContain("too few examples");
  });

  test("identical sides at one layer: AUROC 0.5, cosine 0, no NaN anywhere", () => {
    const { set } = plantedSet({ pairs: 6, hidden: 5, strengths: [1, 1], noise: 0.1, seed: 1 });
    const negatives = set.negatives.slice();
    for (let pair = 0; pair < 6; pair++)
      negatives.set(set.positives.subarray(pair * 10, pair * 10 + 5), pair * 10);
    for (const method of trainable) {
      const measured = measure({ ...set, negatives }, method);
      expect(measured.layers[0]).toMatchObject({ vectorNorm: 0, relativeNorm: 0 });
      expect(measured.layers[0]!.separation!.auroc).toBe(0.5);
      expect(measured.layers[0]!.stability!.meanCosine).toBe(0);
      expect(measured.suggested.layer).toBe(1);
      expect(JSON.stringify(measured)).not.toContain("NaN");
    }
  });

  test("constant sides: perfect separation, and no Cohen's d rather than an infinite one", () => {
    const rows = (value: number) => Array.from({ length: 6 }, () => [value, 0]);
    const { layers } = measure(setOf(rows(1), rows(0)));
    expect(layers[0]!.separation).toEqual({ auroc: 1, cohensD: null, folds: 6 });
    expect(layers[0]!.stability!.meanCosine).toBeCloseTo(1, 12);
  });

  test("vectors of another size and activations that are not numbers are refused", () => {
    const { set } = plantedSet({ pairs: 5, hidden: 4, strengths: [1, 1], noise: 1, seed: 1 });
    const kind = (run: () => unknown) => thrownBy(run)?.kind;
    expect(kind(() => measureVectors(set, new Float32Array(4), "mean-difference", { seed: 1 }))).toBe(
      "VectorMismatch",
    );
    const negatives = set.negatives.slice();
    negatives[9] = Number.NaN;
    const spoiled = { ...set, negatives };
    expect(kind(() => measureVectors(spoiled, new Float32Array(8), "mean-difference", { seed: 1 }))).toBe(
      "ExampleSetInvalid",
    );
    expect(
      kind(() => measureVectors(set, new Float32Array(8), "random", { seed: 1, shouldStop: () => true })),
    ).toBe("Cancelled");
  });
});

describe("suggestLayer", () => {
  const layerWith = (layer: number, aurocValue: number, low: number, cohensD = 1): LayerMeasures => ({
    layer,
    vectorNorm: 1,
    medianResidualNorm: 1,
    relativeNorm: 1,
    separation: { auroc: aurocValue, cohensD, folds: 10 },
    stability: { meanCosine: low, low, high: 1, splits: 8 },
    cosineWithPrevious: null,
  });

  test("ties go to the middle third, there to the widest separation", () => {
    const layers = Array.from({ length: 12 }, (_, layer) => layerWith(layer, 1, 0.9, layer));
    expect(suggestLayer(layers, "").layer).toBe(7);
    expect(suggestLayer(layers, "").reason).toContain("one of 12");
  });

  test("ties outside the middle third go to the layer nearest to it", () => {
    const layers = Array.from({ length: 12 }, (_, layer) =>
      layerWith(layer, layer < 3 || layer > 9 ? 0.95 : 0.6, 0.9),
    );
    expect(suggestLayer(layers, "").layer).toBe(2);
  });

  test("a better layer that is not stable is passed over", () => {
    const layers = [layerWith(0, 0.99, 0.2), layerWith(1, 0.9, 0.7), layerWith(2, 0.8, 0.9)];
    expect(suggestLayer(layers, "").layer).toBe(1);
  });

  test("where nothing is stable it says so", () => {
    const layers = [layerWith(0, 0.6, 0.2), layerWith(1, 0.7, 0.1)];
    expect(suggestLayer(layers, "")).toMatchObject({
      layer: 1,
      reason: expect.stringContaining("no layer's vector is stable") as string,
    });
  });

  test("a model of one layer has one answer", () => {
    expect(suggestLayer([layerWith(0, 0.7, 0.9)], "").layer).toBe(0);
  });
});
