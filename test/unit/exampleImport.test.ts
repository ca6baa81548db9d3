import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { delimitedRecords, formatRecord } from "../../src/formats/delimited.ts";
import {
  importExamples,
  importFormatOf,
  type ImportedExamples,
  type ImportFormat,
} from "../../src/formats/exampleImport.ts";
import { exampleTable } from "../../src/formats/exampleTable.ts";
import { examplesOf, parseExampleSet, type ExampleLabel } from "../../src/formats/exampleSet.ts";
import { english } from "../../src/shared/localisation.ts";

function read(format: ImportFormat, text: string, side: ExampleLabel | null = null): ImportedExamples {
  const steps = importExamples(text, format, side, english);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Every line must be one that an example set can hold. */
function summary({ lines }: ImportedExamples): string[] {
  const set = parseExampleSet(lines.join("\n"), "import");
  expect(set.problems).toEqual([]);
  expect(examplesOf(set)).toHaveLength(lines.length);
  return examplesOf(set).map(({ example: { label, text, prompt, pair } }) =>
    [label[0], text, prompt ?? "-", pair ?? "-"].join("|"),
  );
}

describe("tables", () => {
  test("label, text, prompt, pair in any order, with quotes, line ends inside and other spellings of the sides", () => {
    const imported = read(
      "csv",
      'Text,LABEL,pair,prompt\r\n"a, ""b""\nc",pos,x,q\r\nd,0,x,\r\n\r\n,positive,,\r\ne,maybe,,\r\n',
    );
    expect(summary(imported)).toEqual(['p|a, "b"\nc|q|x', "n|d|-|x"]);
    expect(imported.skipped).toEqual([
      { line: 6, reason: '"text" is missing or empty.' },
      { line: 7, reason: '"maybe" is no side: use positive or negative.' },
    ]);
  });

  test("positive and negative side by side are pairs of their own", () => {
    const imported = read("tsv", "positive\tnegative\tprompt\na\tb\tq\nc\t\t\nd\te\t\n");
    expect(summary(imported)).toEqual(["p|a|q|p1", "n|b|q|p1", "p|d|-|p2", "n|e|-|p2"]);
    expect(imported.skippedCount).toBe(1);
  });

  test("semicolons, a byte order mark, no heading", () => {
    expect(summary(read("csv", "\uFEFFpositive;a\nnegative;b"))).toEqual(["p|a|-|-", "n|b|-|-"]);
    expect(summary(read("csv", "a;b\nc;d"))).toEqual(["p|a|-|p1", "n|b|-|p1", "p|c|-|p2", "n|d|-|p2"]);
  });

  test("one column needs a side", () => {
    expect(read("csv", "a\nb").unlabelled).toBe(2);
    expect(summary(read("csv", "text\na\nb", "negative"))).toEqual(["n|a|-|-", "n|b|-|-"]);
  });

  test("columns that cannot be told apart are refused with what would do", () => {
    expect(() => read("csv", "x,y,z\n1,2,3")).toThrow("which column is what");
  });

  test("a quoted field without an end is skipped, not swallowed", () => {
    const imported = read("csv", 'label,text\npositive,a\nnegative,"b\nc');
    expect(summary(imported)).toEqual(["p|a|-|-"]);
    expect(imported.skipped).toEqual([{ line: 3, reason: "A quoted field never ends." }]);
  });

  test("any fields come back from what was written", () => {
    const fields = fc.array(fc.string({ unit: fc.constantFrom("a", '"', ",", "\n", "\r", "\t", " ", "é") }), {
      minLength: 2,
      maxLength: 5,
    });
    fc.assert(
      fc.property(fc.array(fields, { minLength: 1, maxLength: 5 }), (records) => {
        const text = records.map((record) => formatRecord(record, ",")).join("");
        expect([...delimitedRecords(text, ",")].map((record) => record.fields)).toEqual(records);
      }),
    );
  });

  test("an exported table is imported as it was", () => {
    const lines = [
      '{"label":"positive","text":"a\\n\\"b\\"","pair":"p1","prompt":"q"}',
      '{"label":"negative","text":"c","pair":"p1"}',
    ];
    const set = parseExampleSet(lines.join("\n"), "set");
    expect(summary(read("csv", exampleTable(set, ",")))).toEqual(['p|a\n"b"|q|p1', "n|c|-|p1"]);
    expect(summary(read("tsv", exampleTable(set, "\t")))).toEqual(['p|a\n"b"|q|p1', "n|c|-|p1"]);
  });
});

describe("JSON", () => {
  test("an example set's own lines keep their characters", () => {
    const own = '{"label":"positive", "text":"a", "note":1.0}';
    expect(read("jsonl", `${own}\n`).lines).toEqual([own]);
  });

  test("pairs, bare texts and other spellings; bad lines are told", () => {
    const imported = read(
      "jsonl",
      '{"positive":"a","negative":"b"}\n{"text":"c","label":1}\n"d"\nbad\n{"text":5,"label":"positive"}\n{"label":"positive","text":"\\ud800"}',
      "negative",
    );
    expect(summary(imported)).toEqual(["p|a|-|p1", "n|b|-|p1", "p|c|-|-", "n|d|-|-"]);
    expect(imported.skipped.map(({ line }) => line)).toEqual([4, 5, 6]);
    expect(imported).toMatchObject({ positive: 2, negative: 2, unlabelled: 1 });
  });

  test("lists, lists by side, lists under a key", () => {
    expect(summary(read("json", '[{"label":"positive","text":"a"}]'))).toEqual(["p|a|-|-"]);
    expect(summary(read("json", '{"positive":["a"],"negative":[{"text":"b","prompt":"q"}]}'))).toEqual([
      "p|a|-|-",
      "n|b|q|-",
    ]);
    expect(summary(read("json", '{"examples":[{"positive":"a","negative":"b"}]}'))).toEqual([
      "p|a|-|p1",
      "n|b|-|p1",
    ]);
    expect(() => read("json", '{"a":1}')).toThrow("no list");
    expect(() => read("json", "[1,")).toThrow("not JSON");
  });

  test("a pair's new name is none that the file uses", () => {
    const imported = read(
      "jsonl",
      '{"positive":"a","negative":"b"}\n{"label":"positive","text":"c","pair":"p1"}',
    );
    expect(imported.lines.map((raw) => (JSON.parse(raw) as { pair: string }).pair)).toEqual([
      "p2",
      "p2",
      "p1",
    ]);
  });
});

test("plain text: one example a line that is not empty", () => {
  expect(summary(read("csv", 'label,text\r\npos,"a\r\nb"\r\n'))).toEqual(["p|a\nb|-|-"]);
  expect(read("txt", "a\n\nb\r\n").unlabelled).toBe(2);
  expect(summary(read("txt", "a\n\n  b  c \t\r\n", "positive"))).toEqual(["p|a|-|-", "p|b  c|-|-"]);
});

test("too many entries are refused", () => {
  expect(() => read("txt", "a\n".repeat(50_001), "positive")).toThrow("more than 50000 entries");
});

test("formats by name", () => {
  expect(importFormatOf("/a/b.CSV")).toBe("csv");
  expect(importFormatOf("/a/b.md")).toBeUndefined();
});

test("whatever a file holds, an import gives lines of a set or says why not", () => {
  const formats = fc.constantFrom<ImportFormat>("jsonl", "csv", "tsv", "txt");
  const text = fc.string({
    unit: fc.constantFrom(
      '"',
      ",",
      "\n",
      "\r",
      "\t",
      "{",
      "}",
      ":",
      "text",
      "label",
      "positive",
      "a",
      "\ud800",
    ),
    maxLength: 60,
  });
  fc.assert(
    fc.property(formats, text, (format, content) => {
      try {
        const { lines } = read(format, content, "positive");
        const set = parseExampleSet(lines.join("\n"), "import");
        expect(
          set.problems.filter(({ severity, message }) => severity === "error" && !message.includes("second")),
        ).toEqual([]);
      } catch (error) {
        expect(error).toMatchObject({ kind: "ExampleSetInvalid" });
      }
    }),
  );
});
