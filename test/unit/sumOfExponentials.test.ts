import { describe, expect, it } from "vitest";
import { sumOfExponentials } from "../../src/engine/sumOfExponentials.ts";
import { SeededRandom } from "../../src/steering/random.ts";

function reference(logits: Float32Array, maximum: number): number {
  return logits.reduce((sum, value) => sum + Math.exp(value - maximum), 0);
}

describe("sum of exponentials", () => {
  it.each([0.01, 1, 10, 100])("agrees with Math.exp to 1e-8 on logits spread over %d", (spread) => {
    const random = new SeededRandom(spread * 100);
    const logits = Float32Array.from({ length: 5000 }, () => spread * (random.uniform() - 0.5));
    const maximum = Math.max(...logits);
    const expected = reference(logits, maximum);
    expect(Math.abs(sumOfExponentials(logits, maximum) / expected - 1)).toBeLessThan(1e-8);
  });

  it("counts what is ruled out as nothing", () => {
    expect(sumOfExponentials(Float32Array.of(3, -Infinity, -1000), 3)).toBe(1);
  });

  it("lets no NaN pass unseen", () => {
    expect(sumOfExponentials(Float32Array.of(1, NaN), 1)).toBeNaN();
  });

  it("is right at the edges of the table", () => {
    for (const down of [0, 1 / 64, 1 / 64 - 1e-7, 39.99, 40, 40.01]) {
      const logits = Float32Array.of(0, -down);
      expect(sumOfExponentials(logits, 0)).toBeCloseTo(reference(logits, 0), 8);
    }
  });
});
