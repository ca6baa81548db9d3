import { expect, test } from "vitest";
import { renamedKeys } from "../../src/host/renamedKeys.ts";
import { changeSwitch, readSwitches } from "../../src/host/vectorSwitches.ts";

test("changes merge, and a rename of the file or of a folder above takes the switch along", () => {
  const one = changeSwitch({}, ".steering/vectors/a.safetensors", { on: true, strength: 4 });
  const two = changeSwitch(one, ".steering/vectors/a.safetensors", { layers: [1, 2] });
  const value = { on: true, strength: 4, layers: [1, 2] };
  expect(two).toEqual({ ".steering/vectors/a.safetensors": value });
  expect(renamedKeys(two, ".steering/vectors/a.safetensors", ".steering/vectors/b.safetensors")).toEqual({
    ".steering/vectors/b.safetensors": value,
  });
  expect(renamedKeys(two, ".steering", "steer")).toEqual({ "steer/vectors/a.safetensors": value });
  expect(renamedKeys(two, ".steer", "x")).toEqual(two);
});

test("what was stored wrongly is left out or at its default", () => {
  expect(readSwitches("nonsense")).toEqual({});
  expect(readSwitches({ a: null, b: { on: "yes", layers: ["1"], strength: NaN } })).toEqual({
    b: { on: false, layers: null, strength: 1 },
  });
});

test("a thousand are kept, the newest among them", () => {
  let switches = {};
  for (let number = 0; number < 1200; number++) switches = changeSwitch(switches, `v${number}`, { on: true });
  expect(Object.keys(switches)).toHaveLength(1000);
  expect(switches).toHaveProperty("v1199");
  expect(switches).not.toHaveProperty("v199");
});
