import { expect, test } from "vitest";
import { formatApplied, readApplied } from "../../src/host/appliedRecipe.ts";
import { vectorFixture } from "./support/vectorFixture.ts";

const mood = { name: "mood", file: vectorFixture(1) };
const formal = { name: "more formal", file: vectorFixture(2) };
const broken = { name: "broken", file: null };
const vectors = [broken, mood, formal];

test("what is applied is one line, and the line is what is applied", () => {
  const terms = [
    { entry: mood, layers: [1], strength: 0.8 },
    { entry: formal, layers: [0, 1, 2], strength: -0.3 },
  ];
  const line = formatApplied(terms, "generated");
  expect(line).toBe('0.8*mood@1 - 0.3*"more formal"@0-2 scope:generated');
  expect(readApplied(line, vectors)).toEqual({ terms, scope: "generated" });
});

test("an empty line switches all off", () => {
  expect(readApplied("", vectors)).toEqual({ terms: [], scope: null });
});

test("a strength in residual norms becomes multiples of the vector", () => {
  // The vector of layer 1 has half the residual norm.
  expect(readApplied("0.1r*mood@1", vectors)).toMatchObject({ terms: [{ strength: 0.2 }] });
});

test.each([
  ["0.8*nobody@1", 4, "no vector"],
  ["mood@7", 5, "no layer 7"],
  ["broken@0", 0, "cannot be read"],
  ["mood@0 + mood@1", 9, "twice"],
  ["ablate:mood@1", 7, "cannot be applied"],
  ["cap:mood@1<=2", 4, "cannot be applied"],
  ["mood@1 norm:keep", 0, "norm:keep"],
  ["0.1r*mood@0-2", 10, "needs one layer"],
  ["mood@", 5, "Layers are written"],
])("%s is refused at its place", (line, from, message) => {
  const read = readApplied(line, vectors);
  expect(read).toMatchObject({ from });
  expect("message" in read && read.message).toContain(message);
});
