import { homedir } from "node:os";
import { describe, expect, test } from "vitest";
import { Arguments, parseIds, type OptionSpecs } from "../../src/cli/arguments.ts";
import { parseLayers } from "../../src/shared/layers.ts";
import { defaultCacheFolder } from "../../src/cli/cacheFolder.ts";

const specs: OptionSpecs = {
  strength: { type: "string", multiple: true, help: "" },
  model: { type: "string", help: "" },
  seed: { type: "string", help: "" },
  json: { type: "boolean", help: "" },
};
const read = (...argv: string[]): Arguments => new Arguments(argv, specs);

test("negative numbers are values, in every spelling", () => {
  const values = read("--strength", "-4", "--strength=-.5", "a", "--strength", "-1e-2", "--json");
  expect(values.numbers("strength", -10, 10)).toEqual([-4, -0.5, -0.01]);
  expect(values.positionals).toEqual(["a"]);
  expect(values.flag("json")).toBe(true);
});

test.each([
  [["--nope"]],
  [["--model"]],
  [["--model", "--json"]],
  [["--json=1"]],
  [["--json", "-4"]],
  [["--__proto__", "x"]],
])("%j is not understood", (argv) => {
  expect(() => read(...argv)).toThrow(expect.objectContaining({ kind: "InvalidRequest" }) as Error);
});

test("values are held to their bounds", () => {
  expect(read("--seed", "7").integer("seed", 0, 10)).toBe(7);
  for (const bad of ["", " ", "x", "NaN", "11", "1.5", "Infinity"]) {
    expect(() => read("--seed", bad).integer("seed", 0, 10)).toThrow(/--seed must be/);
  }
  expect(() => read("--model", "b").oneOf("model", ["a", "c"])).toThrow("one of a, c");
  expect(() => read().required("model", "why")).toThrow("--model is missing: why");
});

describe("lists", () => {
  test.each([
    ["3", [3]],
    ["5,3,3", [3, 5]],
    ["3-6", [3, 4, 5, 6]],
    ["0, 4-5", [0, 4, 5]],
  ])("layers %s", (text, layers) => {
    expect(parseLayers(text)).toEqual(layers);
  });

  test.each(["", "a", "-1", "6-3", "1,,2", "1.5", "99999"])("layers %j are refused", (text) => {
    expect(() => parseLayers(text)).toThrow("names no layers");
  });

  test("ids", () => {
    expect([...parseIds("5, 9,33")]).toEqual([5, 9, 33]);
    for (const bad of ["", "5,", "-1", "1.5", "9999999999", "a"])
      expect(() => parseIds(bad)).toThrow("token ids");
  });
});

test("the cache folder follows the variable, then the platform", () => {
  const home = homedir();
  expect(defaultCacheFolder({ STEERSCOPE_CACHE: "/c", XDG_CACHE_HOME: "/x" }, "linux")).toBe("/c");
  expect(defaultCacheFolder({ STEERSCOPE_CACHE: "", XDG_CACHE_HOME: "/x" }, "linux")).toBe("/x/steerscope");
  expect(defaultCacheFolder({}, "linux")).toBe(`${home}/.cache/steerscope`);
  expect(defaultCacheFolder({}, "darwin")).toBe(`${home}/Library/Caches/steerscope`);
});
