import { describe, expect, test } from "vitest";
import { keyFraction, splitByKey } from "../../src/steering/keySplit.ts";
import { SeededRandom, hashWords } from "../../src/steering/random.ts";

describe("SeededRandom", () => {
  test("gives the numbers of the authors' C code for xoshiro128** 1.1", () => {
    const random = SeededRandom.fromState([1, 2, 3, 4]);
    const drawn = Array.from({ length: 10 }, () => random.uint32());
    expect(drawn).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
  });

  test("repeats itself for equal seed and stream, and for nothing else", () => {
    const draw = (seed: number, stream: number) => new SeededRandom(seed, stream).uniform();
    expect(draw(5, 1)).toBe(draw(5, 1));
    const seeds = [0, 1, 2, -1, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER];
    const all = seeds.flatMap((seed) => [0, 1, 2].map((stream) => draw(seed, stream)));
    expect(new Set(all).size).toBe(all.length);
  });

  test("draws uniforms and Gaussians with the moments of their distributions", () => {
    const random = new SeededRandom(11);
    const count = 100_000;
    const moments = (draw: () => number) => {
      const values = Float64Array.from({ length: count }, draw);
      return [1, 2, 3, 4].map((power) => values.reduce((sum, value) => sum + value ** power, 0) / count);
    };
    moments(() => random.uniform()).forEach((moment, index) => {
      expect(moment).toBeCloseTo(1 / (index + 2), 2);
    });
    const [first, second, third, fourth] = moments(() => random.gaussian());
    expect(first).toBeCloseTo(0, 1);
    expect(second).toBeCloseTo(1, 1);
    expect(third).toBeCloseTo(0, 1);
    expect(Math.abs(fourth! - 3)).toBeLessThan(0.15);
  });

  test("below() is without bias, also where 2^32 is far from a multiple of the bound", () => {
    const random = new SeededRandom(2);
    const bound = 3 * 2 ** 30;
    let inLowestThird = 0;
    for (let i = 0; i < 30_000; i++) if (random.below(bound) < 2 ** 30) inLowestThird++;
    // The modulo of a raw draw would put half of them there.
    expect(Math.abs(inLowestThird - 10_000)).toBeLessThan(400);
  });

  test("permutation() holds every index once and reaches every order", () => {
    const random = new SeededRandom(3);
    const orders = new Set(Array.from({ length: 200 }, () => random.permutation(3).join()));
    expect(orders.size).toBe(6);
    expect([...random.permutation(50)].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 50 }, (_, i) => i),
    );
    expect(random.permutation(0)).toHaveLength(0);
  });
});

describe("hashes and splits by key", () => {
  test("hashWords is MurmurHash3 as scikit-learn computes it", () => {
    expect(hashWords([1, 2, 3])).toBe(3923217110);
    expect(hashWords([1, 2, 3], 42)).toBe(2814989487);
    expect(hashWords([0])).toBe(593689054);
    expect(hashWords([4294967295, 7], 42)).toBe(1507294713);
  });

  test("equal keys stay together and other keys do not move them", () => {
    const keys = Array.from({ length: 400 }, (_, index) => `question ${index % 100}`);
    const { train, heldOut } = splitByKey(keys, 0.3, 1);
    expect(train.length + heldOut.length).toBe(400);
    const held = new Set(Array.from(heldOut, (index) => keys[index]));
    expect(Array.from(train).some((index) => held.has(keys[index]))).toBe(false);
    expect(held.size).toBeGreaterThan(15);
    expect(held.size).toBeLessThan(45);
    const alone = splitByKey(keys.slice(0, 10), 0.3, 1);
    expect([...alone.heldOut]).toEqual([...heldOut].filter((index) => index < 10));
  });

  test("the seed decides, fractions 0 and 1 hold out nothing and everything", () => {
    const keys = Array.from({ length: 64 }, (_, index) => `k${index}`);
    expect(splitByKey(keys, 0.5, 1).heldOut).not.toEqual(splitByKey(keys, 0.5, 2).heldOut);
    expect(splitByKey(keys, 0, 1).heldOut).toHaveLength(0);
    expect(splitByKey(keys, 1, 1).train).toHaveLength(0);
    expect(keyFraction("", 0)).toBeLessThan(1);
    expect(() => splitByKey(keys, Number.NaN, 1)).toThrow("not between 0 and 1");
  });
});
