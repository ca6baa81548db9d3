import { expect, test } from "vitest";
import { parseExampleSet } from "../../src/formats/exampleSet.ts";
import { doubtTexts, exampleSetDoubts } from "../../src/formats/exampleSetDoubts.ts";
import { english } from "../../src/shared/localisation.ts";

const set = (...examples: readonly (readonly [string, string, string?])[]) =>
  parseExampleSet(
    examples.map(([label, text, prompt]) => JSON.stringify({ label, text, prompt })).join("\n"),
    "set",
  );
const p = "positive";
const n = "negative";

test("nothing is doubted where all examples differ", () => {
  const doubts = exampleSetDoubts(set([p, "a"], [n, "b"], [p, "c"], [n, "d"]));
  expect(doubts).toEqual({ identical: [], repeated: 0, shared: 0 });
  expect(doubtTexts(doubts, english)).toEqual([]);
});

test("a side that is one text again and again is named, and not counted as repetition", () => {
  const doubts = exampleSetDoubts(set([p, "a"], [p, "a"], [p, "a"], [n, "b"], [n, "c"]));
  expect(doubts).toEqual({ identical: [p], repeated: 0, shared: 0 });
  expect(doubtTexts(doubts, english)).toEqual([
    "All positive examples are the same text: figures on held-out examples say nothing.",
  ]);
});

test("the same answer to other prompts is another example", () => {
  expect(exampleSetDoubts(set([p, "yes", "1?"], [p, "yes", "2?"], [n, "no"], [n, "nay"])).identical).toEqual(
    [],
  );
});

test("repetitions and texts of both sides are counted once each", () => {
  const doubts = exampleSetDoubts(set([p, "a"], [p, "a"], [p, "b"], [n, "b"], [n, "b"], [n, "c"]));
  expect(doubts).toEqual({ identical: [], repeated: 2, shared: 1 });
  expect(doubtTexts(doubts, english)).toHaveLength(2);
});

test("one example a side is no side of identical examples", () => {
  expect(exampleSetDoubts(set([p, "a"], [n, "b"])).identical).toEqual([]);
});
