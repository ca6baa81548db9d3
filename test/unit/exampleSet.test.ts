import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  appendExamples,
  changeExample,
  exampleSetHash,
  examplesOf,
  formatExampleSet,
  pairExamples,
  parseExampleSet,
  removeExample,
  requireSoundSet,
  type ExampleSet,
} from "../../src/formats/exampleSet.ts";

const set = (...lines: string[]): ExampleSet => parseExampleSet(lines.join("\n"), "set");
const line = (label: string, text: string, more: object = {}): string =>
  JSON.stringify({ label, text, ...more });

describe("reading", () => {
  test("byte order mark, CRLF, empty lines, a last line without end and unknown keys come back unchanged", () => {
    const text = `\uFEFF{"text":"a", "label":"positive","x":1.0e2,"2":0,"1":{"__proto__":3}}\r\n\r\n \n${line("negative", "b")}\r\nnot json\n${line("negative", "c")}`;
    const read = parseExampleSet(text, "set");
    expect(formatExampleSet(read)).toBe(text);
    expect(examplesOf(read)).toEqual([
      { line: 1, example: { label: "positive", text: "a" } },
      { line: 4, example: { label: "negative", text: "b" } },
      { line: 6, example: { label: "negative", text: "c" } },
    ]);
    expect(read.problems).toMatchObject([
      {
        line: 5,
        code: "not-json",
        message: expect.stringContaining("not JSON") as string,
        severity: "error",
      },
    ]);
  });

  test.each(["\n", "\r\n", "\r"])("lines end at %j, as in the editor, and new ones likewise", (end) => {
    const text = [line("positive", "a"), "oops", line("negative", "b"), ""].join(end);
    const read = parseExampleSet(text, "set");
    expect(read.lines.map((each) => each.end)).toEqual([end, end, end]);
    expect(read.problems.map((each) => each.line)).toEqual([2]);
    const more = appendExamples(read, [{ label: "negative", text: "c" }]);
    expect(formatExampleSet(more)).toBe(text + line("negative", "c") + end);
  });

  test("any text at all is kept, character by character", () => {
    const fragment = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom(
        "\n",
        "\r\n",
        "\r",
        "\uFEFF",
        "\ud800",
        "{",
        '"',
        line("positive", "x"),
        "[".repeat(5000),
      ),
    );
    fc.assert(
      fc.property(fc.array(fragment), (fragments) => {
        const text = fragments.join("");
        expect(formatExampleSet(parseExampleSet(text, "set"))).toBe(text);
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  test.each([
    ["7", "not an object"],
    ["[]", "not an object"],
    ["null", "not an object"],
    [line("Positive", "a"), "label"],
    ['{"text":"a"}', "label"],
    ['{"__proto__":{"label":"positive","text":"a"}}', "label"],
    ['{"label":"positive"}', "text"],
    [line("positive", ""), "text"],
    ['{"label":"positive","text":["a"]}', "text"],
    [line("positive", "a", { prompt: 1 }), "prompt"],
    [line("positive", "a", { pair: 1 }), "pair"],
    [line("positive", "a", { pair: "" }), "pair"],
    ['{"label":"positive","text":"\\ud83d"}', "surrogate"],
    [`{"label":"positive","text":"${"a".repeat(2_100_000)}"}`, "longer"],
  ])("%.60s is reported", (bad, word) => {
    const read = set(line("negative", "ok"), bad);
    expect(read.problems).toMatchObject([
      { line: 2, message: expect.stringContaining(word) as string, severity: "error" },
    ]);
    expect(formatExampleSet(read)).toContain(bad);
    expect(() => {
      requireSoundSet(read);
    }).toThrow(/line 2/);
  });

  test("beyond the bounds the whole is refused", () => {
    expect(() => parseExampleSet("\n".repeat(100_001), "set")).toThrow(/100000 lines/);
  });

  test("a set without examples cannot be computed with", () => {
    expect(() => {
      requireSoundSet(set("", ""));
    }).toThrow(/no examples/);
  });
});

describe("pairs", () => {
  test("in order where there are as many of both", () => {
    const { positive, negative, pairs } = pairExamples(
      set(
        line("positive", "p0"),
        line("positive", "p1"),
        line("negative", "n0", { prompt: "q" }),
        line("negative", "n1"),
      ),
    );
    expect(positive).toEqual([{ text: "p0" }, { text: "p1" }]);
    expect(negative).toEqual([{ text: "n0", prompt: "q" }, { text: "n1" }]);
    expect([...pairs]).toEqual([0, 0, 1, 1]);
  });

  test("none where the sides differ in number", () => {
    const { positive, pairs } = pairExamples(
      set(line("positive", "p0"), line("positive", "p1"), line("negative", "n0")),
    );
    expect(positive).toHaveLength(2);
    expect([...pairs]).toEqual([]);
  });

  test("by id, also out of order, beside examples that pair in order", () => {
    const { pairs } = pairExamples(
      set(
        line("positive", "p0", { pair: "b" }),
        line("positive", "p1", { pair: "constructor" }),
        line("negative", "n0"),
        line("negative", "n1", { pair: "constructor" }),
        line("negative", "n2", { pair: "b" }),
        line("positive", "p2"),
      ),
    );
    expect([...pairs]).toEqual([0, 2, 1, 1, 2, 0]);
  });

  test("an id with two positives is an error, one with a single side a warning", () => {
    const read = set(
      line("positive", "a", { pair: "x" }),
      line("positive", "b", { pair: "x" }),
      line("negative", "c", { pair: "y" }),
    );
    expect(read.problems.map(({ line: at, severity }) => [at, severity])).toEqual([
      [2, "error"],
      [1, "warning"],
      [3, "warning"],
    ]);
  });
});

describe("changing", () => {
  const text = `{"2": 1.0, "label":"positive" , "text":"a", "1":[1, {"text":"}"}]}\r\n${line("negative", "b")}`;
  const read = parseExampleSet(text, "set");

  test("a changed key leaves every other as it was written", () => {
    expect(formatExampleSet(changeExample(read, 1, { text: 'say "hi"', pair: "p" }))).toBe(
      `{"2": 1.0,"label":"positive","text":"say \\"hi\\"","1":[1, {"text":"}"}],"pair":"p"}\r\n${line("negative", "b")}`,
    );
  });

  test("a key is taken away with undefined, and taken away twice when it was there twice", () => {
    const twice = set('{"pair":"a","label":"positive","text":"t","pair":"b"}');
    expect(formatExampleSet(changeExample(twice, 1, { pair: undefined }))).toBe(
      '{"label":"positive","text":"t"}',
    );
    expect(formatExampleSet(changeExample(twice, 1, { pair: "c" }))).toBe(
      '{"pair":"c","label":"positive","text":"t"}',
    );
  });

  test("what was changed is what is read again", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string({ minLength: 1, unit: "grapheme" }), (other, changed) => {
        const before = set(JSON.stringify({ other, label: "positive", text: "x", last: other }));
        const after = changeExample(before, 1, { text: changed });
        expect(examplesOf(after)[0]?.example).toEqual({ label: "positive", text: changed });
        expect(JSON.parse(after.lines[0]!.raw)).toEqual({
          ...(JSON.parse(before.lines[0]!.raw) as object),
          text: changed,
        });
      }),
      { seed: 1 },
    );
  });

  test("appending ends the last line and follows the line ends of the file", () => {
    const more = appendExamples(read, [{ label: "positive", text: "c" }]);
    expect(formatExampleSet(more)).toBe(`${text}\r\n{"label":"positive","text":"c"}\r\n`);
    expect(formatExampleSet(appendExamples(set(""), [{ label: "positive", text: "c" }]))).toBe(
      '{"label":"positive","text":"c"}\n',
    );
  });

  test("removing takes one line, and only a line that is an example", () => {
    expect(formatExampleSet(removeExample(read, 1))).toBe(line("negative", "b"));
    expect(() => removeExample(read, 3)).toThrow(/line 3/);
  });
});

test("the hash depends on label, text, prompt, pair and order, and on nothing else", async () => {
  const a = line("positive", "é");
  const b = line("negative", "b");
  const expected = createHash("sha256")
    .update('["positive","é",null,null]\n["negative","b",null,null]')
    .digest("hex");
  expect(await exampleSetHash(set(a, b))).toBe(expected);
  expect(
    await exampleSetHash(parseExampleSet(`\uFEFF${a.replace("}", ',"x":1}')}\r\n\r\n${b}\r\n`, "other")),
  ).toBe(expected);
  for (const other of [set(b, a), set(a), set(a, line("negative", "b", { pair: "p" }))]) {
    expect(await exampleSetHash(other)).not.toBe(expected);
  }
});
