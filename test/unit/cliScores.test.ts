import { describe, expect, test } from "vitest";
import { formatEffect } from "../../src/cli/completionScores.ts";
import type { DirectionEffect, Movement } from "../../src/evaluation/completionEffect.ts";

function direction(
  response: number,
  ...movements: readonly (readonly [number, Movement])[]
): DirectionEffect {
  return {
    strengths: movements.map(([strength, movement]) => ({
      strength,
      change: response,
      interval: { low: response - 1, high: response + 1 },
      movement,
    })),
    movesAsIntended: movements.length > 0 && movements.every(([, movement]) => movement === "intended"),
    response,
  };
}

function conclusion(vector: DirectionEffect, controls: readonly DirectionEffect[], rank: number): string {
  return formatEffect({ layer: 3, prompts: 24, unsteered: 0, vector, controls, rank }).split("\n").at(-1)!;
}

describe("what follows from the scores", () => {
  const still = direction(0, [-2, "unclear"], [6, "unclear"]);
  const good = direction(5, [-2, "intended"], [6, "intended"]);

  test("a vector that moves the text its way, farther than chance", () => {
    expect(conclusion(good, [still, still], 1)).toBe(
      "The vector moves the text in the intended direction at every strength tried. " +
        "In the intended direction at every strength: 0 of 2 random vectors. " +
        "As far as this one or farther, to whichever side, all strengths together: 0 of 2.",
    );
  });

  test("chance that goes as far, to the other side too, takes the claim back", () => {
    const text = conclusion(good, [direction(-9, [-2, "reversed"], [6, "reversed"]), still], 2);
    expect(text).toContain("together: 1 of 2. Do not rely on this effect.");
  });

  test("a reversed effect is said, with its strength", () => {
    const text = conclusion(direction(-5, [-2, "unclear"], [6, "reversed"]), [still], 1);
    expect(text).toContain("does not move the text in the intended direction");
    expect(text).toContain("reversed at strength +6: the text moves the other way");
    expect(text).toContain("No movement is certain at strength -2");
    expect(text).toContain("Do not rely");
  });

  test("strength 0 alone claims nothing", () => {
    const text = conclusion(direction(0, [0, "unclear"]), [direction(0, [0, "unclear"])], 2);
    expect(text).toBe(
      "Strength 0 adds nothing, so this says nothing about the vector. Give a --strength other than 0.",
    );
  });
});
