import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkRecipe,
  formatRecipe,
  parseRecipe,
  type Recipe,
  type RecipeTerm,
} from "../../src/shared/recipe.ts";

function add(
  strength: number,
  vector: string,
  layers: readonly number[],
  unit: "vector" | "residual-norm" = "vector",
): RecipeTerm {
  return { kind: "add", vector, layers, strength, unit };
}

/** The stretch of the line that its problem points at. */
function pointedAt(line: string): string {
  const { problem } = parseRecipe(line);
  if (problem === null) throw new Error(`"${line}" was read`);
  expect(problem.message).toMatch(/\.$/);
  expect(problem.to).toBeGreaterThan(problem.from);
  return line.slice(problem.from, problem.to);
}

describe("recipe line", () => {
  it("reads the line of the description", () => {
    const { recipe } = parseRecipe("0.8*mood@16 - 0.3*formal@12-18 scope:after-prompt");
    expect(recipe).toEqual({
      terms: [add(0.8, "mood", [16]), add(-0.3, "formal", [12, 13, 14, 15, 16, 17, 18])],
      scope: "after-prompt",
      keepsNorm: false,
    });
  });

  it.each<[string, RecipeTerm]>([
    ["mood@3", add(1, "mood", [3])],
    ["-mood@3", add(-1, "mood", [3])],
    ["- mood@3", add(-1, "mood", [3])],
    ["+2*mood@3", add(2, "mood", [3])],
    ["0.1r*mood@3", add(0.1, "mood", [3], "residual-norm")],
    ["1e-7 * mood@3", add(1e-7, "mood", [3])],
    [".5*happy-sad@12,14", add(0.5, "happy-sad", [12, 14])],
    ['2*"my mood"@3', add(2, "my mood", [3])],
    ['"2nd"@3', add(1, "2nd", [3])],
    ["-0*mood@3", add(0, "mood", [3])],
    ["ablate:mood@4", { kind: "ablate", vector: "mood", layers: [4] }],
    ["cap:mood@4-5<=-2.5", { kind: "cap", vector: "mood", layers: [4, 5], limit: -2.5 }],
  ])("reads %s", (line, term) => {
    expect(parseRecipe(line).recipe).toEqual({ terms: [term], scope: null, keepsNorm: false });
  });

  it("reads scopes, norm:keep and nothing at all", () => {
    expect(parseRecipe("").recipe).toEqual({ terms: [], scope: null, keepsNorm: false });
    expect(parseRecipe(" scope:3-7  norm:keep ").recipe).toEqual({
      terms: [],
      scope: { from: 3, to: 7 },
      keepsNorm: true,
    });
  });

  it.each([
    ["0.8*mood", "the end", ""],
    ["0.8*mood@", "the end", ""],
    ["0.8*mood@7-3", "the layers", "7-3"],
    ["0.8*mood@1,,2", "the layers", "1,,2"],
    ["0.8*@3", "the missing name", "@"],
    ["2mood@3", "the strength", "2"],
    ["a@1 b@2", "the second term", "b"],
    ["a@1 -b@2", "the sign without a space", "-"],
    ["a@1-0.3*b@2", "the range that goes down", "1-0"],
    ["a@1 - ablate:b@2", "the sign", "- ablate:"],
    ["cap:a@1", "the end", ""],
    ["a@1 scope:later", "the scope", "later"],
    ["a@1 scope:all scope:all", "the second scope", "scope:"],
    ["scope:all a@1", "the late term", "a"],
    ["norm:lose", "the word", "l"],
    ['"open@3', "from the quote on", '"open@3'],
    ['""@3', "the empty name", '""'],
    ["1e999*a@3", "the number", "1e999"],
  ])("says of %s that %s is wrong", (line, _, stretch) => {
    expect(pointedAt(line)).toBe(stretch);
  });

  it("refuses lines that are too long without reading them", () => {
    expect(parseRecipe("a@1 + ".repeat(10_000)).problem?.message).toContain("10000");
  });

  it("points at vectors and layers that cannot be applied", () => {
    const line = "0.8*mood@3 - 2*formal@1,9";
    const { recipe, places } = parseRecipe(line);
    const check = (known: Record<string, { layers: number[]; problem?: string }>) => {
      const problem = checkRecipe(recipe!, places!, (name) => known[name]);
      return problem && [line.slice(problem.from, problem.to), problem.message];
    };
    const mood = { layers: [0, 1, 2, 3] };
    expect(check({ mood })).toEqual(["formal", 'There is no vector "formal".']);
    expect(check({ mood, formal: { layers: [0, 1, 2] } })).toEqual([
      "1,9",
      '"formal" has no layer 9; it has 0-2.',
    ]);
    expect(check({ mood: { ...mood, problem: "It is 3 wide." } })).toEqual(["mood", "It is 3 wide."]);
    expect(check({ mood, formal: { layers: [1, 9] } })).toBeNull();
  });

  it("is read back as it was written", { timeout: 60_000 }, () => {
    const finite = fc
      .double({ noNaN: true, noDefaultInfinity: true })
      .map((value) => (value === 0 ? 0 : value));
    const target = {
      vector: fc.oneof(
        fc.string({ minLength: 1, unit: "binary" }),
        fc.constantFrom("mood", "-", "2", "scope", 'a"b'),
      ),
      layers: fc
        .uniqueArray(fc.nat(9999), { minLength: 1, maxLength: 6 })
        .map((layers) => layers.sort((a, b) => a - b)),
    };
    const term: fc.Arbitrary<RecipeTerm> = fc.oneof(
      fc.record({
        kind: fc.constant("add" as const),
        ...target,
        strength: finite,
        unit: fc.constantFrom("vector" as const, "residual-norm" as const),
      }),
      fc.record({ kind: fc.constant("ablate" as const), ...target }),
      fc.record({ kind: fc.constant("cap" as const), ...target, limit: finite }),
    );
    const recipe: fc.Arbitrary<Recipe> = fc.record({
      terms: fc.array(term, { maxLength: 5 }),
      scope: fc.constantFrom(null, "all" as const, "generated" as const, { from: 2, to: 11 }),
      keepsNorm: fc.boolean(),
    });
    fc.assert(
      fc.property(recipe, (value) => {
        const line = formatRecipe(value);
        const parsed = parseRecipe(line);
        expect(parsed.recipe).toEqual(value);
        expect(formatRecipe(parsed.recipe!)).toBe(line);
        parsed.places!.forEach(({ layers }) => {
          expect(line[layers.from - 1]).toBe("@");
        });
      }),
      { seed: 4, numRuns: 150 },
    );
  });

  it("answers every text, with a place inside or just behind it", { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom(
            "a",
            "@",
            "1",
            "-",
            " ",
            "*",
            '"',
            "\\",
            "r",
            "+",
            ",",
            "scope:",
            "cap:",
            "<=",
            "all",
          ),
        ),
        (parts) => {
          const line = parts.join("");
          const { recipe, problem } = parseRecipe(line);
          if (recipe === null) expect(problem.from).toBeLessThanOrEqual(line.length);
          else expect(parseRecipe(formatRecipe(recipe)).recipe).toEqual(recipe);
        },
      ),
      { seed: 4, numRuns: 1000 },
    );
  });
});
