import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TokenSampler, checkSampling } from "../../src/engine/sampler.ts";
import { greedySampling, type Sampling } from "../../src/shared/engineContract.ts";
import { isSteerscopeError } from "../../src/shared/errors.ts";

const sampled: Sampling = { ...greedySampling, temperature: 1 };

function draws(settings: Sampling, logits: Float32Array, count: number, history: number[] = []): number[] {
  const sampler = new TokenSampler(settings, settings.seed);
  return Array.from({ length: count }, () => sampler.sample(logits, history).id);
}

function softmax(logits: ArrayLike<number>): number[] {
  const maximum = Math.max(...Array.from(logits));
  const weights = Array.from(logits, (value) => Math.exp(value - maximum));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

function kindOf(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    if (isSteerscopeError(error)) return error.kind;
  }
  return undefined;
}

/**
 * Pearson's statistic of `ids` against `probabilities`, in standard deviations of its distribution (Wilson-Hilferty).
 * Categories that expect fewer than five are pooled.
 */
function chiSquareDeviation(ids: readonly number[], probabilities: readonly number[]): number {
  const counts = probabilities.map(() => 0);
  for (const id of ids) counts[id]!++;
  const pooled = { expected: 0, count: 0 };
  const categories: { expected: number; count: number }[] = [];
  probabilities.forEach((probability, id) => {
    const expected = probability * ids.length;
    if (expected === 0) expect(counts[id]).toBe(0);
    else if (expected >= 5) categories.push({ expected, count: counts[id]! });
    else {
      pooled.expected += expected;
      pooled.count += counts[id]!;
    }
  });
  if (pooled.expected >= 5) categories.push(pooled);
  const freedom = categories.length - 1;
  if (freedom < 1) return 0;
  const statistic = categories.reduce(
    (sum, { expected, count }) => sum + (count - expected) ** 2 / expected,
    0,
  );
  const spread = 2 / (9 * freedom);
  return (Math.cbrt(statistic / freedom) - (1 - spread)) / Math.sqrt(spread);
}

const logitsArbitrary = fc
  .array(fc.integer({ min: -640, max: 640 }), { minLength: 1, maxLength: 60 })
  .map((values) => Float32Array.from(values, (value) => value / 64));

describe("against transformers", () => {
  interface Case {
    readonly logits: number[];
    readonly history: number[];
    readonly settings: Pick<Sampling, "repetitionPenalty" | "temperature" | "topK" | "topP" | "minP">;
    readonly greedy: number;
    readonly logProbabilities: number[];
    readonly probabilities: number[];
  }
  const path = new URL("../fixtures/sampling/transformers.json", import.meta.url);
  const cases = JSON.parse(readFileSync(path, "utf8")) as Case[];

  it.each(cases.map((each, index) => ({ index, ...each })))(
    "keeps and weights the same tokens in case $index",
    ({ logits, history, settings, probabilities, logProbabilities }) => {
      const sampler = new TokenSampler({ ...sampled, ...settings }, 1);
      const ids: number[] = [];
      for (let i = 0; i < 5000; i++) {
        const { id, logProbability } = sampler.sample(Float32Array.from(logits), history);
        expect(logProbability).toBeCloseTo(logProbabilities[id]!, 5);
        ids.push(id);
      }
      expect(Math.abs(chiSquareDeviation(ids, probabilities))).toBeLessThan(4);
    },
  );

  it("chooses the same token greedily", () => {
    for (const { logits, history, settings, greedy } of cases) {
      const sampler = new TokenSampler(
        { ...greedySampling, repetitionPenalty: settings.repetitionPenalty },
        0,
      );
      expect(sampler.sample(Float32Array.from(logits), history).id).toBe(greedy);
    }
  });
});

describe("TokenSampler", () => {
  it("takes the first of the largest scores when greedy", () => {
    const sampler = new TokenSampler({ ...greedySampling, topK: 1, topP: 0.1, minP: 0.5 }, 0);
    expect(sampler.sample(Float32Array.of(1, 3, 2, 3), []).id).toBe(1);
  });

  it("applies the repetition penalty once a token, also when greedy, and reports the model's own probability", () => {
    const logits = Float32Array.of(2, 1.9, -1);
    const sampler = new TokenSampler({ ...greedySampling, repetitionPenalty: 1.2 }, 0);
    const { id, logProbability } = sampler.sample(logits, [0, 0, 0, 0, 0]);
    expect(id).toBe(1);
    expect(logProbability).toBeCloseTo(Math.log(softmax(logits)[1]!), 6);
    expect(sampler.sample(logits, [0, 1]).id).toBe(0);
    expect([...logits]).toEqual([...Float32Array.of(2, 1.9, -1)]);
  });

  it("passes over ids of the history that are outside the vocabulary", () => {
    const sampler = new TokenSampler({ ...greedySampling, repetitionPenalty: 2 }, 0);
    expect(sampler.sample(Float32Array.of(2, 1), [5, -1]).id).toBe(0);
  });

  it("draws from the softmax when every setting is off", () => {
    fc.assert(
      fc.property(logitsArbitrary, fc.integer(), (logits, seed) => {
        const ids = draws({ ...sampled, seed }, logits, 2000);
        expect(Math.abs(chiSquareDeviation(ids, softmax(logits)))).toBeLessThan(5);
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  it("draws the same whether a setting is off or cannot cut anything", () => {
    fc.assert(
      fc.property(logitsArbitrary, fc.integer(), (logits, seed) => {
        const plain = draws({ ...sampled, seed }, logits, 50);
        expect(draws({ ...sampled, seed, topK: logits.length }, logits, 50)).toEqual(plain);
        expect(draws({ ...sampled, seed, minP: 1e-300 }, logits, 50)).toEqual(plain);
        expect(draws({ ...sampled, seed, repetitionPenalty: 3 }, logits, 50, [])).toEqual(plain);
      }),
    );
  });

  it("keeps with top-p the smallest set of likeliest tokens that has the mass", () => {
    fc.assert(
      fc.property(logitsArbitrary, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (logits, topP) => {
        const probabilities = softmax(logits);
        const order = probabilities.map((_, id) => id);
        order.sort((a, b) => logits[b]! - logits[a]! || a - b);
        const kept = new Set<number>();
        let mass = 0;
        for (const id of order) {
          if (mass >= topP + 1e-9) break;
          kept.add(id);
          mass += probabilities[id]!;
        }
        for (const id of draws({ ...sampled, topP }, logits, 100)) expect(kept).toContain(id);
      }),
    );
  });

  it("keeps the mass of top-p exactly where tokens tie, lower ids first", () => {
    const ids = draws({ ...sampled, topP: 0.5 }, new Float32Array(8), 4000);
    expect([...new Set(ids)].sort((a, b) => a - b)).toEqual([0, 1, 2, 3]);
    expect(new Set(draws({ ...sampled, topP: 0 }, new Float32Array(8), 50))).toEqual(new Set([0]));
  });

  it("keeps all tokens that tie at the edge of top-k", () => {
    const ids = draws({ ...sampled, topK: 2 }, Float32Array.of(1, 3, 1, 1, 0), 2000);
    expect([...new Set(ids)].sort((a, b) => a - b)).toEqual([0, 1, 2, 3]);
  });

  it("keeps the k largest of any scores", () => {
    fc.assert(
      fc.property(logitsArbitrary, fc.integer({ min: 1, max: 60 }), (logits, topK) => {
        const sorted = [...logits].sort((a, b) => b - a);
        const least = sorted[Math.min(topK, sorted.length) - 1]!;
        const hot = { ...sampled, temperature: 50, topK };
        const ids = draws(hot, logits, 600);
        for (const id of ids) expect(logits[id]).toBeGreaterThanOrEqual(least);
        const probabilities = softmax(logits.map((value) => (value < least ? -Infinity : value / 50)));
        expect(Math.abs(chiSquareDeviation(ids, probabilities))).toBeLessThan(6);
      }),
      { seed: 2 },
    );
  });

  it("keeps with min-p what has at least that share of the likeliest token's probability", () => {
    fc.assert(
      fc.property(logitsArbitrary, fc.double({ min: 0.001, max: 1, noNaN: true }), (logits, minP) => {
        const top = Math.max(...logits);
        for (const id of draws({ ...sampled, minP }, logits, 100)) {
          expect(Math.exp(logits[id]! - top)).toBeGreaterThanOrEqual(minP * (1 - 1e-12));
        }
      }),
    );
  });

  it("becomes greedy as the temperature goes to zero", () => {
    const logits = Float32Array.of(1, 1.001, 0.5);
    expect(new Set(draws({ ...sampled, temperature: 1e-9 }, logits, 100))).toEqual(new Set([1]));
  });

  it("repeats itself with the same seed, and only then", () => {
    const logits = Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i));
    expect(draws({ ...sampled, seed: 7 }, logits, 20)).toEqual(draws({ ...sampled, seed: 7 }, logits, 20));
    expect(draws({ ...sampled, seed: 7 }, logits, 20)).not.toEqual(
      draws({ ...sampled, seed: 8 }, logits, 20),
    );
  });

  it("never chooses a token that is ruled out", () => {
    const logits = Float32Array.of(-Infinity, 0, -Infinity, 0);
    expect(new Set(draws(sampled, logits, 200))).toEqual(new Set([1, 3]));
  });

  it("refuses scores that are no distribution", () => {
    const ruledOut = Float32Array.of(-Infinity, -Infinity);
    for (const logits of [
      Float32Array.of(1, NaN, 0),
      Float32Array.of(NaN),
      ruledOut,
      Float32Array.of(Infinity, 1),
    ]) {
      for (const settings of [greedySampling, sampled]) {
        expect(kindOf(() => new TokenSampler(settings, 0).sample(logits, []))).toBe("InvalidRequest");
      }
    }
  });
});

describe("checkSampling", () => {
  it("takes the default and every setting at the ends of its range", () => {
    checkSampling(greedySampling);
    checkSampling({ ...greedySampling, topP: 0, minP: 1, topK: 1e6, maxTokens: 0, seed: -5, stop: ["\n"] });
  });

  it.each<[keyof Sampling, unknown[]]>([
    ["maxTokens", [-1, 1.5, NaN, "5"]],
    ["temperature", [-0.1, NaN, Infinity, "1"]],
    ["topK", [-1, 2.5, NaN]],
    ["topP", [-0.1, 1.1, NaN, undefined]],
    ["minP", [-0.1, 1.1, NaN]],
    ["repetitionPenalty", [0, -1, NaN, Infinity]],
    ["seed", [0.5, NaN, 2 ** 60]],
    ["stop", ["text", [""], [5], Array<string>(65).fill("x"), ["x".repeat(1001)]]],
  ])("refuses %s out of range and names it", (name, values) => {
    for (const value of values) {
      const settings = { ...greedySampling, [name]: value };
      expect(kindOf(() => new TokenSampler(settings, 0))).toBe("InvalidRequest");
      expect(() => {
        checkSampling(settings);
      }).toThrow(name);
    }
  });
});
