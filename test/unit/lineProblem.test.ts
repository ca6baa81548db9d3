import { expect, test } from "vitest";
import { importExamples } from "../../src/formats/exampleImport.ts";
import { parseExampleSet } from "../../src/formats/exampleSet.ts";
import { lineProblemText } from "../../src/formats/lineProblem.ts";
import bundle from "../../l10n/bundle.l10n.zh-cn.json" with { type: "json" };
import { english, type Localisation } from "../../src/shared/localisation.ts";

/** As VS Code does it in Chinese. */
const chinese: Localisation = {
  t: (message, ...args) => english.t((bundle as Record<string, string>)[message] ?? message, ...args),
};

const bad = [
  "oops",
  "[]",
  '{"label":"maybe","text":"a"}',
  '{"label":"positive"}',
  '{"label":"positive","text":"a","prompt":1}',
  '{"label":"positive","text":"a","pair":""}',
  '{"label":"positive","text":"\\ud83d"}',
  '{"label":"positive","text":"a","pair":"p1"}',
  '{"label":"positive","text":"b","pair":"p1"}',
  `{"label":"positive","text":"${"a".repeat(2_100_000)}"}`,
];

test("whatever is wrong with a line is said in the language of the reader", () => {
  const { problems } = parseExampleSet(bad.join("\n"), "set");
  expect(new Set(problems.map(({ line }) => line)).size).toBe(bad.length);
  for (const problem of problems) {
    expect(lineProblemText(problem, english)).toBe(problem.message);
    const words = lineProblemText(problem, chinese);
    expect(words).toMatch(/\p{Script=Han}/u);
    expect(words).not.toMatch(/\{\d\}/);
  }
});

test("what an import skips is told in the language of the reader, and so is why it is none", () => {
  const read = (text: string, format: "jsonl" | "json" | "csv") => {
    const steps = importExamples(text, format, null, chinese);
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
    }
  };
  const lines = [...bad, "7", '""', '{"positive":"","negative":"a"}', '{"text":""}'];
  const { skipped } = read(lines.join("\n"), "jsonl");
  expect(skipped.length).toBeGreaterThan(10);
  for (const { reason } of skipped) expect(reason).toMatch(/\p{Script=Han}/u);
  expect(read('label,text\npositive,"a', "csv").skipped[0]?.reason).toMatch(/\p{Script=Han}/u);
  expect(() => read("{}", "json")).toThrow(/\p{Script=Han}/u);
  expect(() => read("a,b,c\n", "csv")).toThrow(/\p{Script=Han}/u);
});
