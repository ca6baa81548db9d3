import fc from "fast-check";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { formatExampleSet, pairExamples, parseExampleSet } from "../../src/formats/exampleSet.ts";
import {
  lintExampleSet,
  maximumLintProblems,
  type LineEdit,
  type LintProblem,
} from "../../src/formats/exampleSetLint.ts";
import { readJsonText } from "../../src/formats/jsonText.ts";
import { jsonMembers } from "../../src/formats/jsonMembers.ts";

type Line = string | readonly [label: string, text: string, more?: object];

function lines(...all: readonly Line[]): string[] {
  return all.map((line) =>
    typeof line === "string" ? line : JSON.stringify({ label: line[0], text: line[1], ...line[2] }),
  );
}

function lint(...all: readonly Line[]): readonly LintProblem[] {
  return lintExampleSet(parseExampleSet(lines(...all).join("\n"), "set"));
}

function codes(problems: readonly LintProblem[]): string[] {
  return problems.map(({ line, code }) => `${line} ${code}`);
}

function apply(text: readonly string[], edits: readonly LineEdit[]): string[] {
  const result: (string | null)[] = [...text];
  for (const { from, count, text: replacement } of edits) {
    for (let line = from; line < from + count; line++) result[line - 1] = null;
    if (replacement !== null) result[from - 1] = replacement;
  }
  return result.filter((line) => line !== null);
}

/** The file after the first fix of its first problem. */
function repaired(...all: readonly Line[]): { kind: string; lines: string[] } {
  const [fix] = lint(...all)[0]!.fixes;
  return { kind: fix!.kind, lines: apply(lines(...all), fix!.edits) };
}

/** Texts of the pairs that a vector is computed from. */
function pairsOf(text: readonly string[]): string[] {
  const { positive: ps, negative: ns, pairs } = pairExamples(parseExampleSet(text.join("\n"), "set"));
  return Array.from({ length: pairs.length / 2 }, (_, n) => {
    return `${ps[pairs[2 * n]!]!.text}|${ns[pairs[2 * n + 1]!]!.text}`;
  }).sort();
}

function pairOf(text: string): Line[] {
  return [
    ["positive", text],
    ["negative", `not ${text}`],
  ];
}

const positive = ["positive", "A bright day."] as const;
const negative = ["negative", "It rained again."] as const;

describe("example set lint", () => {
  it("has nothing to say of the sample sets but what their words show", () => {
    for (const name of ["happy-sad", "calm-alarm"]) {
      const text = readFileSync(new URL(`../../examples/sets/${name}.jsonl`, import.meta.url), "utf8");
      expect(codes(lintExampleSet(parseExampleSet(text, name)))).toEqual([]);
    }
  });

  it("reports a line that is not JSON, as a whole", () => {
    const [problem, ...others] = lint(positive, "oops", negative);
    expect(others).toEqual([]);
    expect(problem).toMatchObject({ line: 2, from: 0, to: 4, code: "bad-line", severity: "error" });
    expect(problem!.cause?.code).toBe("not-json");
    expect(lint('{"label')[0]!.cause?.values[0]).not.toContain("line 1");
    expect(repaired(positive, "oops", negative)).toEqual({
      kind: "delete-line",
      lines: lines(positive, negative),
    });
  });

  it("joins the lines of a text that was pasted with line breaks, and reports them once", () => {
    const all: Line[] = [
      positive,
      negative,
      '{"label":"positive","text":"Sun.',
      "",
      'More sun."}',
      ["negative", "Fog."],
    ];
    expect(codes(lint(...all))).toEqual(["3 bad-line"]);
    const { kind, lines: after } = repaired(...all);
    expect(kind).toBe("join-lines");
    expect(JSON.parse(after[2]!)).toEqual({ label: "positive", text: "Sun.\n\nMore sun." });
    expect(lint(...after)).toEqual([]);
  });

  it.each([
    ['{"label":"positive","text":"a\tb"}', "escape-characters", { label: "positive", text: "a\tb" }],
    ['{"label":"positive","text":"a"},', "remove-comma", { label: "positive", text: "a" }],
    ['{"label":"positive","text":"a, }",}', "remove-comma", { label: "positive", text: "a, }" }],
    ['{"label":"good","text":"a","n":1.50}', "label-positive", { label: "positive", text: "a", n: 1.5 }],
    ['{"text":"a"}', "label-positive", { label: "positive", text: "a" }],
  ])("repairs %s", (bad, kind, value) => {
    const after = repaired(bad, negative);
    expect(after.kind).toBe(kind);
    expect(JSON.parse(after.lines[0]!)).toEqual(value);
  });

  it("takes no example for the partner of another while a line cannot be read", () => {
    const set = parseExampleSet(
      [
        '{"label":"positive","text":"A",}',
        '{"label":"negative","text":"same"}',
        '{"label":"positive","text":"B"}',
        '{"label":"negative","text":"same"}',
        '{"label":"positive","text":"C"}',
        '{"label":"negative","text":"c",}',
      ].join("\n"),
      "set",
    );
    const repeated = lintExampleSet(set).find(({ code }) => code === "duplicate-example")!;
    expect(repeated.fixes.map(({ kind }) => kind)).toEqual(["delete-line"]);
  });

  it("points at the value of an empty text", () => {
    const bad = '{"label": "positive", "text": ""}';
    const [error, warning] = [lint(bad, negative)[0]!, lint(["positive", " \n"], negative)[0]!];
    expect(error).toMatchObject({ code: "empty-text", severity: "error" });
    expect(bad.slice(error.from, error.to)).toBe('""');
    expect(warning).toMatchObject({ code: "empty-text", severity: "warning" });
  });

  it("finds repeated examples and takes pairs away whole", () => {
    const all: Line[] = [positive, negative, positive, ["negative", "Fog."]];
    const [problem, ...others] = lint(...all);
    expect(others).toEqual([]);
    expect(problem).toMatchObject({ line: 3, code: "duplicate-example", values: [1] });
    expect(repaired(...all)).toEqual({ kind: "delete-pair", lines: lines(positive, negative) });
    expect(lint(positive, negative, [...positive, { prompt: "Other." }], ["negative", "Fog."])).toEqual([]);
  });

  it("finds a text on both sides", () => {
    const problem = lint(positive, negative, ["positive", "Sun."], ["negative", positive[1]])[0];
    expect(problem).toMatchObject({ line: 4, code: "same-text", severity: "warning", values: [1] });
  });

  it("finds halves of pairs and second members, and can take the id away", () => {
    const all: Line[] = [
      '{"label":"positive","text":"a","pair":"p1","note":[1.50]}',
      ["positive", "b", { pair: "p2" }],
      ["negative", "c", { pair: "p2" }],
      ["negative", "d", { pair: "p2" }],
    ];
    const problems = lint(...all);
    expect(codes(problems)).toEqual(["1 pair-one-sided", "4 pair-twice"]);
    expect(problems[0]).toMatchObject({ severity: "warning", values: ["p1", "negative"] });
    expect(problems[1]).toMatchObject({ severity: "error", values: ["p2", "negative", 3] });
    expect(lines(...all)[0]!.slice(problems[0]!.from, problems[0]!.to)).toBe('"p1"');
    expect(repaired(...all).lines[0]).toBe('{"label":"positive","text":"a","note":[1.50]}');
  });

  it("gives a second member of a pair an id that no other has, which pairs nobody anew", () => {
    const all: Line[] = [
      ["positive", "a"],
      ["negative", "b"],
      ["positive", "c", { pair: "p7" }],
      ["negative", "d", { pair: "p7" }],
      ["negative", "e", { pair: "p7" }],
    ];
    const { kind, lines: after } = repaired(...all);
    expect(kind).toBe("new-pair-id");
    expect(after).toEqual(lines(...all.slice(0, 4), ["negative", "e", { pair: "p8" }]));
    expect(pairsOf(after)).toEqual(pairsOf(lines(...all)));
  });

  it("keeps the pairs that order makes when a pair's id is taken away", () => {
    const all: Line[] = [["positive", "c", { pair: "p1" }], ...["a", "b"].flatMap(pairOf)];
    const { kind, lines: after } = repaired(...all);
    expect(kind).toBe("remove-pair-id");
    expect(pairsOf(after)).toEqual(["a|not a", "b|not b"]);
    expect(JSON.parse(after[0]!)).toEqual({ label: "positive", text: "c" });
  });

  it("deletes one of two repeated examples alone, and the other pairs stay", () => {
    const repetition = (...all: readonly Line[]): LintProblem =>
      lint(...all).find(({ code }) => code === "duplicate-example")!;
    const all: Line[] = [...pairOf("a"), ["positive", "a"], ["negative", "other"], ...pairOf("b")];
    const { fixes } = repetition(...all);
    expect(fixes.map(({ kind }) => kind)).toEqual(["delete-pair", "delete-only"]);
    const after = apply(lines(...all), fixes[1]!.edits);
    expect(pairsOf(after)).toEqual(["a|not a", "b|not b"]);
    expect(after).toContain(lines(...all)[3]);
    const withId: Line[] = [
      ...pairOf("a"),
      ["positive", "a", { pair: "q" }],
      ["negative", "x", { pair: "q" }],
    ];
    expect(repetition(...withId).fixes[1]!.edits).toEqual([{ from: 3, count: 1, text: null }]);
  });

  it("offers a line for the side that is short of one", () => {
    for (const [all, label] of [
      [[positive], "negative"],
      [[positive, negative, ["negative", "Fog."]], "positive"],
    ] as const) {
      const [problem] = lint(...all);
      const [fix] = problem!.fixes;
      expect(fix!.kind).toBe(`add-${label}`);
      expect(JSON.parse(apply(lines(...all), fix!.edits).at(-1)!)).toEqual({ label, text: "" });
    }
  });

  it("finds a key that is there twice, and takes away the one that does not count", () => {
    const twice = '{"label":"positive","text":"a", "text" : "b","n":{"text":1,"text":2}}';
    const [problem, ...others] = lint(twice, negative);
    expect(others).toEqual([]);
    expect(problem).toMatchObject({ line: 1, code: "key-twice", severity: "warning", values: ["text"] });
    expect(twice.slice(problem!.from, problem!.to)).toBe('"text":"a"');
    expect(repaired(twice, negative).lines[0]).toBe(
      '{"label":"positive","text" : "b","n":{"text":1,"text":2}}',
    );
  });

  it.each([
    ["Sun. ", {}, "end", "Sun."],
    [" Sun.", {}, "start", "Sun."],
    ["\n Sun  and rain\t", {}, "both", "Sun  and rain"],
    [" sun. ", { prompt: "I see the" }, "end", " sun."],
  ])("finds white space at the edges of %j", (text, more, where, trimmed) => {
    const all: Line[] = [["positive", text, more], negative];
    expect(lint(...all)).toMatchObject([{ code: "edge-blank", severity: "information", values: [where] }]);
    const { kind, lines: after } = repaired(...all);
    expect(kind).toBe("trim-text");
    expect(JSON.parse(after[0]!)).toEqual({ label: "positive", text: trimmed, ...more });
    expect(lint(...after)).toEqual([]);
    expect(lint(["positive", " sun.", { prompt: "I see the" }], negative)).toEqual([]);
  });

  it("says that an origin cannot be understood", () => {
    const all: Line[] = [["positive", "Sun.", { source: { uri: "a.md", range: [1, 2] } }], negative];
    expect(lint(...all)).toMatchObject([{ code: "bad-source", severity: "warning" }]);
    expect(repaired(...all).lines).toEqual(lines(["positive", "Sun."], negative));
  });

  it("says where unpaired sides are unequal, and which side is missing", () => {
    expect(lint(positive, negative, ["positive", "Sun."])).toMatchObject([
      { line: 3, code: "unequal-sides", severity: "information", values: [2, 1] },
    ]);
    expect(lint(positive)).toMatchObject([{ line: 1, code: "side-missing", values: ["negative"] }]);
    expect(lint(negative)).toMatchObject([{ line: 1, code: "side-missing", values: ["positive"] }]);
    expect(lint()).toEqual([]);
  });

  it("compares lengths by median words, characters where there are no spaces", () => {
    const side = (label: string, ...texts: string[]): Line[] => texts.map((text) => [label, text]);
    const long = side("positive", "one two three four", "five six seven eight", "nine ten eleven twelve");
    expect(lint(...long, ...side("negative", "a b", "c d", "e f"))).toMatchObject([
      { line: 1, code: "length-imbalance", severity: "information", values: [4, 2] },
    ]);
    expect(lint(...long, ...side("negative", "a b c", "d e f", "g h i"))).toEqual([]);
    expect(lint(...long, ...side("negative", "今天下雨", "我很难过", "他走开了"))).toEqual([]);
  });

  it("finds a side that is all alike, not a template that both sides share", () => {
    const negatives: Line[] = ["Rain fell.", "Dogs bark.", "Cars crash."].map((text) => ["negative", text]);
    const same: Line[] = [0, 1, 2].map((n) => ["positive", "Sun shines.", { prompt: String(n) }]);
    expect(lint(...same, ...negatives)).toMatchObject([
      { line: 1, code: "side-identical", severity: "warning", values: ["positive"] },
    ]);
    const begun = (label: string, ...ends: string[]): Line[] =>
      ends.map((end) => [label, `I really love ${end}`]);
    const others: Line[] = ["Rain fell on us", "Dogs bark at me", "Cars crash at night"].map((text) => [
      "negative",
      text,
    ]);
    expect(lint(...begun("positive", "tea", "sun", "rain"), ...others)).toMatchObject([
      { code: "side-alike", severity: "information", values: ["positive", "i really love"] },
    ]);
    expect(
      lint(...begun("positive", "tea", "sun", "rain"), ...begun("negative", "mud", "ice", "fog")),
    ).toEqual([]);
  });

  it("finds a word that alone tells the sides apart, at its first example", () => {
    const all: Line[] = [
      ["positive", "We saw the glad king."],
      ["positive", "Glad birds sing songs."],
      ["positive", "They are so glad."],
      ["positive", "My dog was glad."],
      ["negative", "We saw the old king."],
      ["negative", "Birds sing sad songs."],
      ["negative", "They are so tired."],
      ["negative", "My dog was ill."],
    ];
    expect(lint(...all)).toMatchObject([
      { line: 1, code: "telling-word", severity: "information", values: ["glad", "positive", 1] },
    ]);
  });

  it("marks the word itself, behind escapes too", () => {
    const line = String.raw`{"label":"positive","text":"\u201cSo\u201d,\n he said: \"gladly\", Glad.\ud83d\ude00"}`;
    const rest = ["is glad", "was glad", "glad"].map((text): Line => ["positive", text]);
    const others = ["one", "two", "three", "four"].map((text): Line => ["negative", text]);
    const problem = lint(line, ...rest, ...others).find(({ code }) => code === "telling-word");
    expect(problem).toMatchObject({ line: 1, values: ["glad", "positive", 1] });
    expect(line.slice(problem!.from, problem!.to)).toBe("Glad");
  });

  it("stays within its bound, in the order of lines, on ten thousand lines", () => {
    const many = Array.from({ length: 10_000 }, (_, n): Line =>
      n % 3 === 0 ? "{" : ["positive", `text ${n % 50}`],
    );
    const problems = lint(...many);
    expect(problems).toHaveLength(maximumLintProblems);
    const places = problems.map(({ line }) => line);
    expect(places).toEqual([...places].sort((a, b) => a - b));
  });

  it(
    "answers every file, with places inside of it and fixes that leave the rest alone",
    { timeout: 60_000 },
    () => {
      const line = fc.oneof(
        fc.constantFrom("", "{", '"}', "[1]", '{"label":"positive","text":"a","pair":"1","pair":"2"}'),
        fc
          .tuple(
            fc.constantFrom("positive", "negative", "other"),
            fc.string(),
            fc.constantFrom("p", "q", undefined),
          )
          .map(([label, text, pair]) => JSON.stringify({ label, text, pair })),
      );
      fc.assert(
        fc.property(fc.array(line, { maxLength: 12 }), (text) => {
          for (const { line: at, from, to, fixes } of lintExampleSet(
            parseExampleSet(text.join("\n"), "set"),
          )) {
            const raw = text[at - 1]!;
            expect(0 <= from && from <= to && to <= raw.length).toBe(true);
            for (const { edits } of fixes) {
              const touched = edits.flatMap(({ from: first, count }) =>
                Array.from({ length: count }, (_, i) => first + i),
              );
              expect(new Set(touched).size).toBe(touched.length);
              expect(touched.every((each) => each >= 1 && each <= text.length)).toBe(true);
              const after = apply(text, edits).join("\n");
              expect(formatExampleSet(parseExampleSet(after, "set"))).toBe(after);
            }
          }
        }),
        { seed: 4, numRuns: 150 },
      );
    },
  );
});

describe("strings of a JSON text", () => {
  it("are read like JSON.parse does, with the place of each character", { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.boolean(), (text, isEscaped) => {
        const spelled = JSON.stringify(text);
        const value = isEscaped
          ? spelled.replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)
          : spelled;
        const json = `{"a": [1], "text" : ${value} }`;
        const { valueStart } = jsonMembers(json).find(({ key }) => key === "text")!;
        const read = readJsonText(json, valueStart);
        expect(read.text).toBe(text);
        expect(read.offsets).toHaveLength(text.length + 1);
        expect(json[read.offsets[text.length]!]).toBe('"');
        const places = [...read.offsets];
        expect(places).toEqual([...new Set(places)].sort((a, b) => a - b));
      }),
      { seed: 4, numRuns: 150 },
    );
  });
});
