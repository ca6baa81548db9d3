import { expect, test } from "vitest";
import { isRepeat, readChoices, spellChoices, type ComputeChoices } from "../../src/host/computeChoices.ts";
import { vectorFixture } from "./support/vectorFixture.ts";

const choices: ComputeChoices = {
  model: "stories15m",
  method: "logistic",
  position: { kind: "last", back: 3 },
  template: "chat",
};

test("what is remembered is read again; what is left out comes from the defaults", () => {
  const defaults: ComputeChoices = {
    model: "other",
    method: "mean-difference",
    position: { kind: "mean" },
    template: "none",
  };
  expect(readChoices(spellChoices(choices), defaults)).toEqual(choices);
  expect(readChoices({}, defaults)).toEqual(defaults);
  expect(readChoices({ position: "5" }, defaults).position).toEqual({ kind: "index", index: 5 });
});

test.each([{ method: "toString" }, { position: "first" }, { template: "html" }])(
  "%j is refused",
  (spelled) => {
    expect(() => readChoices(spelled, choices)).toThrow(/is not a/);
  },
);

test("a repeat has the same model, examples and settings", () => {
  const { provenance } = vectorFixture(7);
  const inputs = {
    method: provenance.method,
    position: provenance.position,
    template: provenance.template,
    unit: false,
    seed: 0,
    modelHash: provenance.model.hash,
    setHash: provenance.examples.hash,
  } as const;
  expect(isRepeat(provenance, inputs)).toBe(true);
  for (const change of [
    { method: "logistic" },
    { position: { kind: "last", back: 1 } },
    { template: "chat" },
    { unit: true },
    { seed: 1 },
    { modelHash: "x" },
    { setHash: "x" },
  ] as const) {
    expect(isRepeat(provenance, { ...inputs, ...change }), JSON.stringify(change)).toBe(false);
  }
  const { combined } = vectorFixture(7, { combined: [] }).provenance;
  expect(isRepeat({ ...provenance, combined }, inputs)).toBe(false);
});
