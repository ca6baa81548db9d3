import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseExampleSet } from "../../src/formats/exampleSet.ts";
import { exampleLinePlace } from "../../src/formats/exampleLinePlace.ts";

describe("place in a line of an example set", () => {
  it.each<[string, object]>([
    ["", { kind: "line" }],
    ["  ", { kind: "line" }],
    ["{", { kind: "key", from: 1 }],
    ['{ "', { kind: "key", from: 2 }],
    ['{"la', { kind: "key", from: 1 }],
    ["{la", { kind: "key", from: 1 }],
    ['{"label"', { kind: "other" }],
    ['{"label":', { kind: "value", key: "label", from: 9 }],
    ['{"label": "', { kind: "value", key: "label", from: 10 }],
    ['{"label": "pos', { kind: "value", key: "label", from: 10 }],
    ['{"label": pos', { kind: "value", key: "label", from: 10 }],
    ['{"label": "positive"', { kind: "other" }],
    ['{"label": "positive",', { kind: "key", from: 21 }],
    ['{"text": "a, {\\"label\\": ', { kind: "value", key: "text", from: 9 }],
    ['{"source": {"', { kind: "other" }],
    ['{"source": {"uri": "a"}, "p', { kind: "key", from: 25 }],
    ["[", { kind: "other" }],
    ['{"a": 1}', { kind: "other" }],
  ])("%j", (before, place) => {
    expect(exampleLinePlace(before)).toEqual(place);
  });
});

describe("schema of a line", () => {
  const schema = JSON.parse(
    readFileSync(new URL("../../media/schemas/example.schema.json", import.meta.url), "utf8"),
  ) as { required: string[]; properties: Record<string, { enum?: string[] }> };

  it("requires what the reader requires", () => {
    const whole: Record<string, unknown> = {
      label: "positive",
      text: "a",
      prompt: "b",
      pair: "c",
      source: { uri: "d" },
    };
    expect(Object.keys(schema.properties).sort()).toEqual(Object.keys(whole).sort());
    for (const key of Object.keys(whole)) {
      const rest = Object.fromEntries(Object.entries(whole).filter(([other]) => other !== key));
      const [line] = parseExampleSet(JSON.stringify(rest), "set").lines;
      expect(line!.example === null, key).toBe(schema.required.includes(key));
    }
    for (const label of schema.properties["label"]!.enum!) {
      const { problems } = parseExampleSet(JSON.stringify({ ...whole, label, pair: undefined }), "set");
      expect(problems).toEqual([]);
    }
  });
});
