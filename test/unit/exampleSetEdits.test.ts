import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  appendExamples,
  changeExamples,
  examplesOf,
  formatExampleSet,
  parseExampleSet,
  type ExampleSet,
} from "../../src/formats/exampleSet.ts";
import {
  appendLines,
  locateLines,
  moveToSide,
  newPairIds,
  pairLines,
  takeLines,
  traceEdit,
  undoEdit,
  unpairLines,
} from "../../src/formats/exampleSetEdits.ts";
import { english } from "../../src/shared/localisation.ts";

const line = (label: string, text: string, more: object = {}): string =>
  JSON.stringify({ label, text, ...more });
const set = (...lines: string[]): ExampleSet => parseExampleSet(lines.join("\n"), "set");
const summary = (content: ExampleSet): string[] =>
  examplesOf(content).map(({ example: { label, text, pair } }) => `${label[0]} ${text} ${pair ?? ""}`.trim());

const pairs = set(
  line("positive", "a", { pair: "p1" }),
  line("negative", "b", { pair: "p1" }),
  line("positive", "c"),
  line("negative", "d"),
);

describe("finding lines again", () => {
  const reference = { line: 2, raw: line("negative", "b", { pair: "p1" }) };
  test("at their place, or where they have moved to", () => {
    expect(locateLines(pairs, [reference])).toEqual([2]);
    const moved = set("", "bad", ...pairs.lines.map(({ raw }) => raw));
    expect(locateLines(moved, [reference])).toEqual([4]);
    expect(locateLines(set(line("positive", "x")), [reference])).toEqual([]);
  });

  test("two alike are two", () => {
    const raw = line("positive", "same");
    const twice = set(line("positive", "new"), raw, raw);
    expect(
      locateLines(twice, [
        { line: 1, raw },
        { line: 2, raw },
      ]),
    ).toEqual([2, 3]);
  });
});

describe("sides and pairs", () => {
  test("an example moved alone leaves its pair, and so does its partner", () => {
    expect(summary(moveToSide(pairs, [1], "other"))).toEqual(["n a", "n b", "p c", "n d"]);
  });

  test("a pair moved as a whole stays one, with its sides exchanged", () => {
    expect(summary(moveToSide(pairs, [1, 2], "other"))).toEqual(["n a p1", "p b p1", "p c", "n d"]);
  });

  test("moving to the side where it is changes nothing", () => {
    expect(formatExampleSet(moveToSide(pairs, [1, 3], "positive"))).toBe(formatExampleSet(pairs));
  });

  test("pairing takes a new name and frees those who were paired before", () => {
    const { set: paired, pairs: names } = pairLines(pairs, [1, 4], english);
    expect(names).toEqual(["p2"]);
    expect(summary(paired)).toEqual(["p a p2", "n b", "p c", "n d p2"]);
  });

  test("several are paired in order; unequal numbers are refused", () => {
    expect(summary(pairLines(pairs, [1, 2, 3, 4], english).set)).toEqual([
      "p a p2",
      "n b p2",
      "p c p3",
      "n d p3",
    ]);
    expect(() => pairLines(pairs, [1, 3], english)).toThrow("2 positive and 0 negative");
  });

  test("unpairing one side unpairs both", () => {
    expect(summary(unpairLines(pairs, [2]))).toEqual(["p a", "n b", "p c", "n d"]);
  });

  test("new names come after the highest", () => {
    expect(newPairIds(["p2", "x", "p10", "p007"], 2)).toEqual(["p11", "p12"]);
  });
});

describe("from one set into another", () => {
  test("half a pair goes alone", () => {
    const { rest, taken } = takeLines(pairs, [1]);
    expect(summary(rest)).toEqual(["n b", "p c", "n d"]);
    expect(taken).toEqual([line("positive", "a")]);
  });

  test("a whole pair stays a pair, under another name where its own is taken, with unknown keys", () => {
    const source = set(
      '{"note":1.50,"label":"positive","text":"x","pair":"p1"}',
      line("negative", "y", { pair: "p1" }),
    );
    const { taken } = takeLines(source, [1, 2]);
    const target = appendLines(pairs, taken);
    expect(summary(target).slice(4)).toEqual(["p x p2", "n y p2"]);
    expect(target.lines[4]!.raw).toBe('{"note":1.50,"label":"positive","text":"x","pair":"p2"}');
    expect(target.problems).toEqual([]);
  });
});

describe("undo", () => {
  const edits: Record<string, (content: ExampleSet) => ExampleSet> = {
    remove: (content) => takeLines(content, [1, 3]).rest,
    move: (content) => moveToSide(content, [1, 3], "other"),
    pair: (content) => pairLines(content, [3, 4], english).set,
    unpair: (content) => unpairLines(content, [1]),
    append: (content) => appendExamples(content, [{ label: "positive", text: "c" }]),
  };
  for (const [name, edit] of Object.entries(edits)) {
    test(`${name}: what was there is there again, and what others added stays`, () => {
      const after = edit(pairs);
      const trace = traceEdit(pairs, after);
      expect(undoEdit(after, trace).lines.map(({ raw }) => raw)).toEqual(pairs.lines.map(({ raw }) => raw));
      const others = appendExamples(after, [{ label: "negative", text: "theirs" }]);
      expect(undoEdit(others, trace).lines.map(({ raw }) => raw)).toEqual([
        ...pairs.lines.map(({ raw }) => raw),
        line("negative", "theirs"),
      ]);
    });
  }
});

test("an edited set is the one that its text parses to", () => {
  const anyLine = fc.oneof(
    fc.constantFrom("", "bad", '{"label":"positive"}'),
    fc
      .record({
        label: fc.constantFrom("positive", "negative"),
        text: fc.string({ minLength: 1 }),
        pair: fc.constantFrom("p1", "p2", undefined),
      })
      .map((example) => JSON.stringify(example)),
  );
  fc.assert(
    fc.property(fc.array(anyLine, { maxLength: 12 }), fc.boolean(), (raws, isWindows) => {
      const content = parseExampleSet(raws.join(isWindows ? "\r\n" : "\n"), "set");
      const lines = examplesOf(content).map((each) => each.line);
      const changed = changeExamples(content, new Map(lines.map((at) => [at, { prompt: "q" }])));
      const moved = moveToSide(changed, lines.slice(0, 2), "other");
      for (const edited of [changed, moved, takeLines(moved, lines.slice(1, 3)).rest]) {
        expect(parseExampleSet(formatExampleSet(edited), "set")).toEqual(edited);
      }
    }),
  );
});
