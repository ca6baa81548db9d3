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
  expect(parseCombination(text)).toMatchObject(terms);
});

test("each term says where its name is", () => {
  const text = ' .5 * "more formal"+1e-2*größe - a';
  const columns = parseCombination(text).map(({ column }) => text.slice(column - 1));
  expect(columns).toEqual(['"more formal"+1e-2*größe - a', "größe - a", "a"]);
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
      const read = parseCombination(combinationFormula(terms));
      expect(read.map(({ weight, name }) => ({ weight, name }))).toEqual(terms);
    }),
  );
});
