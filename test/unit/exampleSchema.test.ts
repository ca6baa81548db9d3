/** The JSON schema of a line of an example set says what the lint says. */
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseExampleSet } from "../../src/formats/exampleSet.ts";
import { lintExampleSet } from "../../src/formats/exampleSetLint.ts";

const file = new URL("../../media/schemas/example.schema.json", import.meta.url);
const validate = new Ajv2020({ strict: true }).compile(JSON.parse(readFileSync(file, "utf8")) as object);

function isRightForSchema(line: string): boolean {
  try {
    return validate(JSON.parse(line));
  } catch {
    return false;
  }
}

/** What a schema cannot see of a line alone: keys that are there twice, white space, pairs and sides. */
const lineCodes = ["bad-line", "bad-source"];

function isRightForLint(line: string): boolean {
  return lintExampleSet(parseExampleSet(line, "set")).every(
    ({ code, severity }) => !lineCodes.includes(code) && !(code === "empty-text" && severity === "error"),
  );
}

const origin = '{"uri":"a.md","range":[0,1,2,3],"sha256":"ab"}';
const good = [
  '{"label":"positive","text":"a"}',
  '{"label":"negative","text":"😀 \\ud83d\\ude00","prompt":"","pair":"p"}',
  `{"label":"positive","text":"a","pair":"${"😀".repeat(200)}"}`,
  `{"source":${origin},"text":" ","label":"negative","other":[1,{"text":2}]}`,
  '{"label":"positive","text":"a","source":{"uri":"","line":3}}',
  ' {"label":"positive","text":"a\\nb","__proto__":{"text":1}} ',
];
const bad = [
  "oops",
  "[]",
  "null",
  '"text"',
  "{}",
  '{"label":"positive"}',
  '{"text":"a"}',
  '{"label":"good","text":"a"}',
  '{"label":["positive"],"text":"a"}',
  '{"label":"positive","text":""}',
  '{"label":"positive","text":1}',
  '{"label":"positive","text":"a","prompt":null}',
  '{"label":"positive","text":"a","pair":""}',
  '{"label":"positive","text":"a","pair":7}',
  `{"label":"positive","text":"a","pair":"${"x".repeat(201)}"}`,
  '{"label":"positive","text":"\\ud83d"}',
  '{"label":"positive","text":"\\ud83d","prompt":"\\ude00"}',
  '{"label":"positive","text":"a","prompt":"\\ude00"}',
  '{"label":"positive","text":"a","source":"a.md"}',
  '{"label":"positive","text":"a","source":null}',
  '{"label":"positive","text":"a","source":{}}',
  '{"label":"positive","text":"a","source":{"uri":1}}',
  '{"label":"positive","text":"a","source":{"uri":"a","range":[0,1,2]}}',
  '{"label":"positive","text":"a","source":{"uri":"a","range":[0,1,2,-1]}}',
  '{"label":"positive","text":"a","source":{"uri":"a","range":[0,1,2,0.5]}}',
  '{"label":"positive","text":"a","source":{"uri":"a","sha256":1}}',
];

test.each(good)("both take %s", (line) => {
  expect([isRightForSchema(line), isRightForLint(line)]).toEqual([true, true]);
});

test.each(bad)("both refuse %s", (line) => {
  expect([isRightForSchema(line), isRightForLint(line)]).toEqual([false, false]);
});

test("both say the same of any line", () => {
  const value = fc.oneof(
    fc.string({ maxLength: 3, unit: "binary" }),
    fc.constant(""),
    fc.integer(),
    fc.constant(null),
  );
  const source = fc.oneof(
    value,
    fc.record(
      {
        uri: value,
        range: fc.oneof(value, fc.array(fc.integer({ min: -1, max: 9 }), { maxLength: 5 })),
        sha256: value,
      },
      { requiredKeys: [] },
    ),
  );
  const line = fc.record(
    {
      label: fc.oneof(fc.constantFrom("positive", "negative"), value),
      text: value,
      prompt: value,
      pair: value,
      source,
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(line, (example) => {
      const raw = JSON.stringify(example);
      expect(isRightForLint(raw)).toBe(isRightForSchema(raw));
    }),
    { seed: 6, numRuns: 2000 },
  );
});
