import fc from "fast-check";
import { expect, test } from "vitest";
import { combinationFormula } from "../../src/formats/combinedTerms.ts";
import { parseCombination } from "../../src/host/combinationExpression.ts";

test.each([
  ["happy", [{ weight: 1, name: "happy" }]],
  ["-happy", [{ weight: -1, name: "happy" }]],
  [
    "0.8*happy - 0.3*calm-alarm",
    [
      { weight: 0.8, name: "happy" },
      { weight: -0.3, name: "calm-alarm" },
    ],
  ],
  [
    ' .5 * "more formal"+1e-2*größe ',
    [
      { weight: 0.5, name: "more formal" },
      { weight: 0.01, name: "größe" },
    ],
  ],
])("%s", (text, terms) => {
  expect(parseCombination(text)).toEqual(terms);
});

test.each([
  ["", "at the end"],
  ["0.8*", "at column 1"],
  ["happy +", "at column 7"],
  ["happy sad", "at column 7"],
  ["happy * 2", "at column 7"],
  ["1e999*happy", "at column 1"],
  ['"broken', "at column 1"],
])("%s is refused with the place", (text, place) => {
  expect(() => parseCombination(text)).toThrow(place);
});

test("what is written is read again, whatever the names", () => {
  const term = fc.record({
    name: fc.string({ minLength: 1, unit: "grapheme" }),
    weight: fc.double({ noNaN: true, noDefaultInfinity: true }).filter((weight) => !Object.is(weight, -0)),
  });
  fc.assert(
    fc.property(fc.array(term, { minLength: 1, maxLength: 5 }), (terms) => {
      expect(parseCombination(combinationFormula(terms))).toEqual(terms);
    }),
  );
});
