import { expect, test } from "vitest";
import { doseOf, formatLayerStrength, parseLayerStrength } from "../../src/host/layerStrength.ts";
import { vectorFixture } from "./support/vectorFixture.ts";

const file = vectorFixture();

test.each([
  ["2 4", [2], 4],
  ["0-2 -1.5", [0, 1, 2], -1.5],
  [" 0, 2  .5 ", [0, 2], 0.5],
  ["1 1e3", [1], 1000],
])("%s", (text, layers, strength) => {
  const read = parseLayerStrength(text, file);
  expect(read).toEqual({ layers, strength });
  expect(parseLayerStrength(formatLayerStrength(read), file)).toEqual(read);
});

test.each([
  ["", "Write layers and strength"],
  ["4", "Write layers and strength"],
  ["3 4", "no vector of layer 3"],
  ["2-1 4", "names no layers"],
  ["1 two", "Write layers and strength"],
  ["1 1e9", "A strength is a number"],
])("%s is refused", (text, message) => {
  expect(() => parseLayerStrength(text, file)).toThrow(message);
});

test("a dose is strength times the ratio of the norms, over all layers, whatever the sign", () => {
  expect(doseOf(file, { layers: [1], strength: 4 })).toEqual({ least: 2, most: 2 });
  expect(doseOf(file, { layers: [0, 2], strength: -2 })).toEqual({ least: 0.5, most: 1.5 });
  expect(doseOf({ ...file, provenance: null }, { layers: [1], strength: 4 })).toBeNull();
});
