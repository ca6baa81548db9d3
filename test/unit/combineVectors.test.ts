import { describe, expect, test } from "vitest";
import { encodeVectorFile, parseVectorFile, vectorFormula } from "../../src/formats/vectorFile.ts";
import {
  combineVectors,
  isZeroSum,
  type Combination,
  type WeightedFile,
} from "../../src/host/combineVectors.ts";
import { SteerscopeError } from "../../src/shared/errors.ts";
import { layerOf, norm } from "../../src/steering/algebra.ts";
import { fixtureHidden, vectorFixture } from "./support/vectorFixture.ts";

const a = { name: "happy", file: vectorFixture(1) };
const b = { name: "more formal", file: vectorFixture(2) };

const combine = (...terms: WeightedFile[]): Combination =>
  combineVectors(terms, "steerscope 9", "2026-02-02T00:00:00.000Z");

function errorOf(action: () => unknown): SteerscopeError {
  try {
    action();
  } catch (error) {
    if (error instanceof SteerscopeError) return error;
  }
  throw new Error("no SteerscopeError was thrown");
}

test("a sum is the sum at every layer, says of what, and is read back from its file", () => {
  const sum = combine({ ...a, weight: 0.8 }, { ...b, weight: -0.3 });
  sum.vectors.forEach((value, index) => {
    expect(value).toBeCloseTo(0.8 * a.file.vectors[index]! - 0.3 * b.file.vectors[index]!, 6);
  });
  const bytes = encodeVectorFile(sum.layers, sum.hidden, sum.vectors, sum.provenance);
  const read = parseVectorFile(bytes);
  expect(read.provenance).toEqual(sum.provenance);
  expect(vectorFormula(read.provenance!).formula).toBe('0.8*happy - 0.3*"more formal"');
  expect(read.provenance?.program).toBe("steerscope 9");
});

test("a sum claims no separation and no stability, but its own norms", () => {
  const { vectors, provenance } = combine({ ...a, weight: 1 }, { ...b, weight: 1 });
  for (const { layer, separation, stability, vectorNorm, relativeNorm } of provenance.measures) {
    expect(separation).toBeNull();
    expect(stability).toBeNull();
    expect(vectorNorm).toBeCloseTo(norm(layerOf(vectors, layer, fixtureHidden)), 12);
    expect(relativeNorm).toBeCloseTo(vectorNorm / 4, 12);
  }
  expect(provenance.suggested.reason).toContain("was not tested");
});

test.each([
  [[0], true],
  [[1, -1], true],
  [[0.1, 0.2, -0.3], true],
  [[1, -0.999], false],
  [[-1], false],
])("weights %j of one vector: a zero sum is %s", (weights, isZero) => {
  const terms = weights.map((weight) => ({ ...a, weight }));
  expect(isZeroSum(terms, combine(...terms).vectors)).toBe(isZero);
});

test("a negated vector keeps its measures and exchanges its sides", () => {
  const { vectors, provenance } = combine({ ...a, weight: -1 });
  expect(Array.from(vectors)).toEqual(Array.from(a.file.vectors, (value) => -value));
  expect(provenance.examples).toMatchObject({ positive: 4, negative: 5 });
  expect(provenance.measures.map(({ separation }) => separation)).toEqual(
    a.file.provenance.measures.map(({ separation }) => separation),
  );
  expect(provenance.suggested).toEqual(a.file.provenance.suggested);
});

test("negating twice gives the vector and one term of weight 1", () => {
  const { layers, hidden, vectors, provenance } = combine({ ...a, weight: -1 });
  const once = { layers, hidden, vectors, provenance, present: a.file.present };
  const twice = combine({ name: "not-happy", file: once, weight: -1 });
  expect(twice.vectors).toEqual(a.file.vectors);
  expect(twice.provenance.combined).toMatchObject([{ name: "happy", weight: 1 }]);
  expect(twice.provenance.examples).toMatchObject({ positive: 5, negative: 4 });
});

test("a sum of sums names the vectors at the bottom, each once", () => {
  const first = combine({ ...a, weight: 2 }, { ...b, weight: 1 });
  const file = { ...first, present: a.file.present };
  const { combined } = combine({ name: "sum", file, weight: 0.5 }, { ...b, weight: 3 }).provenance;
  expect(combined?.map(({ name, weight }) => [name, weight])).toEqual([
    ["happy", 1],
    ["more formal", 3.5],
  ]);
});

describe("what does not fit is refused and named", () => {
  test.each<[string, WeightedFile, RegExp]>([
    ["another width", { ...b, weight: 1, file: { ...b.file, hidden: 2, layers: 6 } }, /6 layers of 2/],
    [
      "another model",
      {
        ...b,
        weight: 1,
        file: vectorFixture(2, { model: { ...b.file.provenance.model, id: "smol", hash: "s" } }),
      },
      /from smol/,
    ],
    ["no provenance", { ...b, weight: 1, file: { ...b.file, provenance: null } }, /which model/],
  ])("%s", (_, other, message) => {
    const error = errorOf(() => combine({ ...a, weight: 1 }, other));
    expect(error.kind).toBe("VectorMismatch");
    expect(error.message).toMatch(message);
    expect(error.remedy).toBeDefined();
  });

  test("nothing to combine, and too much", () => {
    expect(errorOf(() => combine()).kind).toBe("InvalidRequest");
    const many = Array.from({ length: 65 }, (_, index) => ({ ...a, name: `v${index}`, weight: 1 }));
    expect(errorOf(() => combine(...many)).message).toContain("64");
  });
});
