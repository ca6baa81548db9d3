import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SeededRandom } from "../../src/steering/random.ts";
import { auroc, bootstrapInterval, cohensD, mean, median, quantile } from "../../src/steering/statistics.ts";

const values = fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 1, maxLength: 30 });

describe("auroc", () => {
  test("equals scikit-learn's roc_auc_score on values with ties", () => {
    expect(auroc([0.1, 0.5, 0.5, 2], [0.5, 0.1, -3])).toBeCloseTo(0.7916666666666666, 15);
  });

  test("counts all comparisons, ties half", () => {
    fc.assert(
      fc.property(values, values, (positives, negatives) => {
        let wins = 0;
        for (const a of positives) for (const b of negatives) wins += a > b ? 1 : a === b ? 0.5 : 0;
        expect(auroc(positives, negatives)).toBe(wins / (positives.length * negatives.length));
      }),
    );
  });

  test("constant values are a draw, infinities are ordered, NaN and empty sides are refused", () => {
    expect(auroc([1, 1, 1], [1, 1])).toBe(0.5);
    expect(auroc([Infinity], [-Infinity, 3])).toBe(1);
    expect(() => auroc([1, Number.NaN], [1])).toThrow("not numbers");
    expect(() => auroc([], [1])).toThrow("no values");
  });
});

describe("cohensD", () => {
  test("worked example: means 3 and 1, pooled variance 1.6", () => {
    // Squared deviations 2 + 6 over 4 + 3 - 2 = 5 degrees of freedom.
    expect(cohensD([2, 3, 3, 4], [0, 0, 3])).toBeCloseTo(2 / Math.sqrt(1.6), 14);
  });

  test("is undefined without spread and with one value a side", () => {
    expect(cohensD([2, 2], [1, 1])).toBeNull();
    expect(cohensD([2], [1])).toBeNull();
  });
});

describe("quantiles", () => {
  test("interpolate linearly, as NumPy does", () => {
    // numpy.quantile([7, 1, 3, 10], [0, 0.1, 0.25, 0.5, 0.9, 1])
    const list = [7, 1, 3, 10];
    const expected = [1, 1.6, 2.5, 5, 9.1, 10];
    [0, 0.1, 0.25, 0.5, 0.9, 1].forEach((probability, index) => {
      expect(quantile(list, probability)).toBeCloseTo(expected[index]!, 12);
    });
    expect(list).toEqual([7, 1, 3, 10]);
  });

  test("single, descending, empty and NaN inputs", () => {
    expect(median([4])).toBe(4);
    expect(median([9, 2, 1])).toBe(2);
    expect(median([1, Number.NaN])).toBeNaN();
    expect(() => median([])).toThrow("no values");
    expect(() => quantile([1], 1.5)).toThrow("not a probability");
  });
});

describe("bootstrapInterval", () => {
  test("is seeded, holds the estimate and has the width of the normal interval", () => {
    const random = new SeededRandom(4);
    const sample = Float64Array.from({ length: 400 }, () => 2 + random.gaussian());
    const interval = bootstrapInterval(sample, mean, { seed: 1 });
    expect(interval).toEqual(bootstrapInterval(sample, mean, { seed: 1 }));
    expect(interval).not.toEqual(bootstrapInterval(sample, mean, { seed: 2 }));
    expect(interval.low).toBeLessThan(mean(sample));
    expect(interval.high).toBeGreaterThan(mean(sample));
    const width = interval.high - interval.low;
    expect(Math.abs(width - (2 * 1.96) / Math.sqrt(400))).toBeLessThan(0.03);
  });

  test("covers the true mean about as often as it says", () => {
    const random = new SeededRandom(5);
    let covered = 0;
    for (let trial = 0; trial < 200; trial++) {
      const sample = Float64Array.from({ length: 60 }, () => random.gaussian());
      const { low, high } = bootstrapInterval(sample, mean, { seed: trial, resamples: 200, confidence: 0.9 });
      if (low <= 0 && high >= 0) covered++;
    }
    expect(covered).toBeGreaterThan(165);
    expect(covered).toBeLessThan(195);
  });

  test("a constant or single value has an interval of no width", () => {
    expect(bootstrapInterval([3, 3, 3], mean, { seed: 0 })).toEqual({ low: 3, high: 3 });
    expect(bootstrapInterval([3], mean, { seed: 0 })).toEqual({ low: 3, high: 3 });
    expect(() => bootstrapInterval([], mean, { seed: 0 })).toThrow("no values");
  });
});
