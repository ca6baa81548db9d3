import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  buildTokenTrie,
  packTrie,
  runVisibility,
  spanReads,
  type PackedRun,
  type PlanStep,
  type TriePlan,
} from "../../src/engine/tokenTrie.ts";
import { isSteerscopeError } from "../../src/shared/errors.ts";

const ids = (...tokens: number[]): Int32Array => Int32Array.from(tokens);

/** Few distinct ids, so that random inputs share prefixes, repeat and contain each other. */
const inputsArbitrary = fc
  .array(fc.array(fc.nat(2), { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 25 })
  .map((lists) => lists.map((list) => Int32Array.from(list)));

/** Every distinct prefix is one token of the trie. */
function distinctPrefixes(inputs: readonly Int32Array[]): Set<string> {
  const prefixes = new Set<string>();
  for (const input of inputs) {
    for (let end = 1; end <= input.length; end++) prefixes.add(input.subarray(0, end).join(" "));
  }
  return prefixes;
}

/** Executes a plan as its doc comments say: the prefix of every token by run, from context and parents alone. */
function execute(plan: TriePlan): string[][] {
  const prefixes: string[][] = [];
  const visit = (run: PackedRun, context: readonly number[]): number[][] => {
    expect(run.index).toBe(prefixes.length);
    expect(run.past).toBe(context.length);
    const paths: number[][] = [];
    run.tokens.forEach((token, index) => {
      const parent = run.parents[index]!;
      expect(parent).toBeLessThan(index);
      const path = [...(parent < 0 ? context : paths[parent]!), token];
      expect(run.positions[index]).toBe(path.length - 1);
      paths.push(path);
    });
    prefixes.push(paths.map((path) => path.join(" ")));
    return paths;
  };
  const walk = (step: PlanStep, outer: readonly number[]): void => {
    const context = step.context === null ? outer : visit(step.context, outer).at(-1)!;
    for (const pack of step.packs) visit(pack, context);
    for (const child of step.children) walk(child, context);
  };
  walk(plan.root, []);
  expect(prefixes).toHaveLength(plan.runs.length);
  return prefixes;
}

describe("buildTokenTrie", () => {
  it("holds every prefix once and ends every input where it ends", () => {
    fc.assert(
      fc.property(inputsArbitrary, (inputs) => {
        const trie = buildTokenTrie(inputs);
        expect(trie.distinctTokens).toBe(distinctPrefixes(inputs).size);
        inputs.forEach((input, index) => {
          let path: number[] = [];
          for (let node = trie.lastNode[index]!; node > 0; node = trie.nodes[node]!.parent) {
            path = [...trie.nodes[node]!.tokens, ...path];
          }
          expect(path).toEqual([...input]);
          expect(trie.nodes[trie.lastNode[index]!]!.ends).toContain(index);
        });
        trie.nodes.forEach((node, index) => {
          const firsts = node.children.map((child) => trie.nodes[child]!.tokens[0]);
          expect(new Set(firsts).size).toBe(firsts.length);
          expect(index === 0 || node.ends.length > 0 || node.children.length > 1).toBe(true);
        });
      }),
    );
  });

  it("refuses an input without tokens and says which", () => {
    try {
      buildTokenTrie([ids(1), ids()]);
      expect.unreachable();
    } catch (error) {
      expect(isSteerscopeError(error, "InvalidRequest") && error.message).toContain("Input 2");
    }
  });

  it("takes no inputs as nothing to do", () => {
    expect(packTrie(buildTokenTrie([]), 8).runs).toEqual([]);
  });

  it("survives three thousand inputs, each a prefix of the next", () => {
    const longest = Int32Array.from({ length: 3000 }, (_, i) => i % 7);
    const inputs = Array.from({ length: 3000 }, (_, i) => longest.subarray(0, i + 1));
    const trie = buildTokenTrie(inputs);
    expect(trie.distinctTokens).toBe(3000);
    expect(packTrie(trie, 64).runs.every((run) => run.tokens.length <= 64)).toBe(true);
  });
});

describe("packTrie", () => {
  it("computes every distinct token exactly once, in runs within the budget, in the stated order", () => {
    fc.assert(
      fc.property(inputsArbitrary, fc.integer({ min: 1, max: 40 }), (inputs, budget) => {
        const plan = packTrie(buildTokenTrie(inputs), budget);
        const computed = execute(plan).flat();
        expect(new Set(computed)).toEqual(distinctPrefixes(inputs));
        expect(computed).toHaveLength(new Set(computed).size);
        for (const run of plan.runs) expect(run.tokens.length).toBeLessThanOrEqual(budget);
      }),
    );
  });

  it("marks where each input ends", () => {
    fc.assert(
      fc.property(inputsArbitrary, fc.integer({ min: 1, max: 40 }), (inputs, budget) => {
        const plan = packTrie(buildTokenTrie(inputs), budget);
        const prefixes = execute(plan);
        const ends = plan.runs.flatMap((run) => run.ends.map((end) => ({ run: run.index, ...end })));
        expect(ends.map((end) => end.input).sort((a, b) => a - b)).toEqual(inputs.map((_, input) => input));
        for (const { run, input, index } of ends)
          expect(prefixes[run]![index]).toBe(inputs[input]!.join(" "));
      }),
    );
  });

  it("finds any span of any input", () => {
    const withSpans = inputsArbitrary.chain((inputs) =>
      fc.record({
        inputs: fc.constant(inputs),
        spans: fc.tuple(
          ...inputs.map((input) =>
            fc
              .tuple(fc.nat(input.length - 1), fc.integer({ min: 1, max: input.length }))
              .map(([start, length]) => ({ start, end: Math.min(input.length, start + length) })),
          ),
        ),
        budget: fc.integer({ min: 1, max: 40 }),
      }),
    );
    fc.assert(
      fc.property(withSpans, ({ inputs, spans, budget }) => {
        const plan = packTrie(buildTokenTrie(inputs), budget);
        const prefixes = execute(plan);
        const found = inputs.map((): string[] => []);
        spanReads(plan, spans).forEach((reads, run) => {
          for (const { input, from, to } of reads) found[input]!.push(...prefixes[run]!.slice(from, to));
        });
        inputs.forEach((input, index) => {
          const { start, end } = spans[index]!;
          const expected: string[] = [];
          for (let at = start; at < end; at++) expected.push(input.subarray(0, at + 1).join(" "));
          expect(found[index]!.sort()).toEqual(expected.sort());
        });
      }),
    );
  });

  it("lets a token see the context, its ancestors and itself, and nothing else", () => {
    fc.assert(
      fc.property(inputsArbitrary, fc.integer({ min: 1, max: 40 }), (inputs, budget) => {
        for (const run of packTrie(buildTokenTrie(inputs), budget).runs) {
          const width = run.past + run.tokens.length;
          const expected = new Uint8Array(run.tokens.length * width);
          run.tokens.forEach((_, token) => {
            expected.fill(1, token * width, token * width + run.past);
            for (let at = token; at >= 0; at = run.parents[at]!) expected[token * width + run.past + at] = 1;
          });
          expect(runVisibility(run)).toEqual(expected);
        }
      }),
    );
  });

  it("runs one short input, and duplicates of it, as one pack without context", () => {
    const plan = packTrie(buildTokenTrie([ids(5, 6, 7), ids(5, 6, 7)]), 8);
    expect(plan.root.context).toBeNull();
    expect(plan.runs).toHaveLength(1);
    expect([...plan.runs[0]!.tokens]).toEqual([5, 6, 7]);
    expect(plan.runs[0]!.ends).toEqual([
      { input: 0, index: 2 },
      { input: 1, index: 2 },
    ]);
  });

  it("splits an edge longer than the budget into even pieces", () => {
    const plan = packTrie(buildTokenTrie([Int32Array.from({ length: 10 }, (_, i) => i)]), 4);
    expect(plan.runs.map((run) => run.tokens.length)).toEqual([3, 3, 4]);
    expect(plan.runs.map((run) => run.past)).toEqual([0, 3, 6]);
  });

  it("makes a shared prefix the context of packs that are filled up", () => {
    const inputs = Array.from({ length: 8 }, (_, i) => ids(1, 2, 3, 10 + i, 20 + i));
    const plan = packTrie(buildTokenTrie(inputs), 6);
    expect(plan.runs.map((run) => run.tokens.length)).toEqual([3, 6, 6, 4]);
  });

  it("refuses a budget that is no count", () => {
    const trie = buildTokenTrie([ids(1)]);
    for (const budget of [0, -1, 1.5, Number.NaN])
      expect(() => packTrie(trie, budget)).toThrow("not possible");
  });
});
