import { describe, expect, test } from "vitest";
import type { ErrorKind } from "../../src/shared/errors.ts";
import { methodIds } from "../../src/shared/methods.ts";
import type { MethodId } from "../../src/shared/methods.ts";
import type { ActivationSet } from "../../src/steering/activationSet.ts";
import { norm } from "../../src/steering/algebra.ts";
import { computeVectors } from "../../src/steering/computeVectors.ts";
import { plantedSet, relativeError, setOf, thrownBy } from "./steeringSets.ts";

const plain = { unit: false, seed: 1 };
const principal = ["pca-uncentred", "pca-pairwise"] as const;

describe("degenerate inputs", () => {
  test.each(["mean-difference", "pca-uncentred", "pca-pairwise", "single-pair"] as const)(
    "one pair is its own vector: %s",
    (method) => {
      const set = setOf([[3, 5, 7]], [[1, 6, 7]]);
      expect(relativeError(computeVectors(set, method, plain), [2, -1, 0])).toBeLessThan(1e-7);
    },
  );

  test("one pair, logistic: the direction of its difference", () => {
    const vectors = computeVectors(setOf([[3, 4]], [[0, 0]]), "logistic", plain);
    expect(relativeError(vectors, [0.6, 0.8])).toBeLessThan(1e-7);
  });

  test("identical examples: no difference at any layer is an error, at one layer a zero vector", () => {
    const rows = [
      [1, 2],
      [3, 4],
      [5, 9],
    ];
    for (const method of methodIds.filter((id) => id !== "single-pair")) {
      const error = thrownBy(() => computeVectors(setOf(rows, rows), method, plain));
      expect(error?.kind).toBe("ExampleSetInvalid");
      expect(error?.message).toContain("no difference");
    }
    const twoLayers: ActivationSet = {
      layers: 2,
      hidden: 2,
      positives: Float32Array.of(1, 1, 4, 0, 1, 2, 5, 1),
      negatives: Float32Array.of(1, 1, 0, 0, 1, 2, 0, 0),
      pairs: Int32Array.of(0, 0, 1, 1),
    };
    for (const method of methodIds.filter((id) => id !== "single-pair")) {
      const vectors = computeVectors(twoLayers, method, { ...plain, unit: true });
      expect(norm(vectors.subarray(0, 2))).toBe(0);
      expect(norm(vectors.subarray(2))).toBeCloseTo(1, 6);
    }
  });

  test("constant differences: every method but repeng-pca-diff returns them", () => {
    const set = setOf(
      [
        [1, 2, 3],
        [4, 5, 6],
        [7, 8, 0.5],
      ],
      [
        [0, 2, 5],
        [3, 5, 8],
        [6, 8, 2.5],
      ],
    );
    for (const method of ["mean-difference", ...principal] as const) {
      expect(relativeError(computeVectors(set, method, plain), [1, 0, -2])).toBeLessThan(1e-7);
    }
    expect(
      relativeError(
        computeVectors(set, "logistic", plain),
        [1, 0, -2].map((v) => v / Math.sqrt(5)),
      ),
    ).toBeLessThan(1e-7);
    expect(thrownBy(() => computeVectors(set, "repeng-pca-diff", plain))?.message).toContain("no difference");
  });

  test("differences that cancel: a mean of zero leaves the PCAs without a sign, not with a random one", () => {
    const set = setOf(
      [
        [1, 0],
        [-1, 0],
      ],
      [
        [0, 0],
        [0, 0],
      ],
    );
    for (const method of ["mean-difference", ...principal] as const) {
      expect(thrownBy(() => computeVectors(set, method, plain))?.kind).toBe("ExampleSetInvalid");
    }
  });

  test("hidden size 1 and rank 1", () => {
    const set = setOf([[2], [4]], [[1], [1]]);
    expect([...computeVectors(set, "mean-difference", plain)]).toEqual([2]);
    expect([...computeVectors(set, "pca-uncentred", plain)]).toEqual([2]);
    expect([...computeVectors(set, "logistic", plain)]).toEqual([1]);
    expect([...computeVectors(set, "repeng-pca-diff", plain)]).toEqual([1]);
  });

  test("huge and tiny activations keep their direction", () => {
    // Beyond 1e6 the logistic problem is too ill-conditioned for float64; residual streams stay below 1e5.
    for (const size of [1e-30, 1e6, 1e30]) {
      const set = setOf(
        [
          [3 * size, 4 * size],
          [6 * size, 8 * size],
        ],
        [
          [0, 0],
          [0, 0],
        ],
      );
      const methods = size > 1e6 ? principal : ([...principal, "mean-difference", "logistic"] as const);
      for (const method of methods) {
        const vectors = computeVectors(set, method, { ...plain, unit: true });
        expect(relativeError(vectors, [0.6, 0.8])).toBeLessThan(1e-6);
      }
    }
  });
});

describe("refusals", () => {
  const { set } = plantedSet({ pairs: 5, hidden: 6, strengths: [1, 1, 1], noise: 1, seed: 1 });

  test.each([Number.NaN, Infinity, -Infinity])("%s in the activations names the example", (value) => {
    for (const side of ["positives", "negatives"] as const) {
      const values = set[side].slice();
      values[(2 * 3 + 1) * 6 + 4] = value;
      for (const method of methodIds.filter((id) => id !== "single-pair")) {
        const error = thrownBy(() => computeVectors({ ...set, [side]: values }, method, plain));
        expect(error?.kind).toBe("ExampleSetInvalid");
        expect(error?.message).toContain(`${side.slice(0, -1)} example number 3`);
        expect(error?.message).toContain("layer 1");
      }
    }
  });

  test("differences that float32 cannot hold name the example", () => {
    const far = setOf([[3e38], [1]], [[-3e38], [0]]);
    for (const method of ["mean-difference", ...principal, "logistic", "repeng-pca-diff"] as const) {
      expect(thrownBy(() => computeVectors(far, method, plain))?.message).toContain(
        "positive example number 1",
      );
    }
  });

  test("too few pairs for the method", () => {
    const unpaired = { ...set, pairs: new Int32Array(0) };
    const kinds = methodIds.map(
      (method) => thrownBy(() => computeVectors(unpaired, method, plain))?.kind ?? null,
    );
    expect(kinds).toEqual([null, ...Array.from({ length: 5 }, () => "ExampleSetInvalid"), null]);
    const one = setOf([[1, 2]], [[0, 0]]);
    expect(thrownBy(() => computeVectors(one, "repeng-pca-diff", plain))?.message).toContain(
      "at least 2 pairs",
    );
  });

  test("single-pair wants one pair and nothing beside it", () => {
    expect(thrownBy(() => computeVectors(set, "single-pair", plain))?.message).toContain("exactly one pair");
    const beside = {
      ...setOf(
        [
          [1, 2],
          [3, 4],
        ],
        [[0, 0]],
      ),
      pairs: Int32Array.of(0, 0),
    };
    expect(thrownBy(() => computeVectors(beside, "single-pair", plain))?.message).toContain(
      "exactly one pair",
    );
  });

  const broken: readonly (readonly [string, ErrorKind, Partial<ActivationSet>])[] = [
    [
      "no positive example",
      "ExampleSetInvalid",
      { positives: new Float32Array(0), pairs: new Int32Array(0) },
    ],
    [
      "no negative example",
      "ExampleSetInvalid",
      { negatives: new Float32Array(0), pairs: new Int32Array(0) },
    ],
    ["half an example", "InvalidRequest", { positives: new Float32Array(19) }],
    ["a pair out of range", "InvalidRequest", { pairs: Int32Array.of(0, 5) }],
    ["a negative index", "InvalidRequest", { pairs: Int32Array.of(-1, 0) }],
    ["half a pair", "InvalidRequest", { pairs: Int32Array.of(0, 0, 1) }],
    ["an example in two pairs", "ExampleSetInvalid", { pairs: Int32Array.of(0, 0, 1, 0) }],
    ["no layers", "InvalidRequest", { layers: 0 }],
    ["a fraction of a layer", "InvalidRequest", { layers: 1.5 }],
  ];
  test.each(broken)("%s: %s", (_, kind, change) => {
    expect(thrownBy(() => computeVectors({ ...set, ...change }, "mean-difference", plain))?.kind).toBe(kind);
  });

  test("can be stopped between layers, and reports each", () => {
    const seen: number[] = [];
    const run = (stopAfter: number, method: MethodId) =>
      computeVectors(set, method, {
        ...plain,
        onProgress: ({ done, total }) => {
          seen.push(done);
          expect(total).toBe(3);
        },
        shouldStop: () => seen.length >= stopAfter,
      });
    expect(thrownBy(() => run(2, "pca-uncentred"))?.kind).toBe("Cancelled");
    expect(seen).toEqual([1, 2]);
    seen.length = 0;
    expect(run(99, "pca-uncentred")).toHaveLength(18);
    expect(seen).toEqual([1, 2, 3]);
  });
});
