import { describe, expect, it } from "vitest";
import { measureCompletionEffect, sentenceEnds } from "../../src/evaluation/completionEffect.ts";
import { greedySampling, type Completion } from "../../src/shared/engineContract.ts";
import type { Engine } from "../../src/shared/engineProxy.ts";

const hidden = 8;
const vector = Float32Array.from({ length: hidden }, (_, i) => (i === 2 ? 3 : 0));
const end = 1;

/** A model whose text carries what it was steered with: the residual stream of its second token is the sum of all offsets. */
function echoEngine(answer: (along: number) => number): Pick<Engine, "generate" | "project" | "tokenize"> {
  const offsets = new Map<number, Float32Array>();
  return {
    generate: ({ variants }) => {
      const completions = variants.map((steering): Completion => {
        const sum = new Float32Array(hidden);
        for (const term of steering?.terms ?? []) {
          term.vector.forEach((value, i) => {
            sum[i]! += term.strength * value;
          });
        }
        const id = 100 + offsets.size;
        offsets.set(id, sum);
        return {
          ids: Int32Array.of(id, end),
          text: "",
          logProbabilities: new Float32Array(2),
          finish: "max-tokens",
        };
      });
      return Promise.resolve({
        promptIds: Int32Array.of(7, 8),
        completions,
        prefillMilliseconds: 0,
        decodeMilliseconds: 0,
        decodeSteps: 2,
      });
    },
    tokenize: ({ inputs }) =>
      Promise.resolve(
        inputs.map((input) => {
          const ids = "ids" in input ? input.ids : new Int32Array(0);
          const pieces = Array.from(ids, (id) => (id === end ? "." : "word"));
          return {
            ids,
            textStart: 0,
            textEnd: ids.length,
            pieces,
            offsets: new Int32Array(ids.length * 2),
            rendered: "",
          };
        }),
      ),
    project: ({ inputs, directions }) =>
      Promise.resolve(
        inputs.map((input) => {
          const ids = "ids" in input ? input.ids : new Int32Array(0);
          const projections = new Float32Array(3 * ids.length);
          const own = offsets.get(ids[2]!)!;
          // Layer 1 is point 2; only the sentence end at token 3 carries anything.
          const along = own.reduce((sum, value, i) => sum + value * directions[2 * hidden + i]!, 0);
          projections[2 * ids.length + 3] = answer(along);
          return { ids, projections };
        }),
      ),
  };
}

const request = {
  prompts: ["a", "b", "c"],
  layer: 1,
  layers: 2,
  vector,
  strengths: [-2, 2],
  controls: 3,
  scope: "after-prompt",
  template: "none",
  sampling: greedySampling,
  seed: 5,
} as const;
const options = { signal: new AbortController().signal, onProgress: (): void => undefined };

describe("measureCompletionEffect", () => {
  it("finds exactly what the vector adds, and less along random directions of the same norm", async () => {
    const {
      vector: own,
      controls,
      unsteered,
      rank,
      prompts,
    } = await measureCompletionEffect(
      echoEngine((along) => along),
      request,
      options,
    );
    expect([unsteered, prompts, rank]).toEqual([0, 3, 1]);
    expect(own.strengths.map(({ strength }) => strength)).toEqual([-2, 2]);
    expect(own.strengths[0]!.change).toBeCloseTo(-6, 5);
    expect(own.strengths[1]!.change).toBeCloseTo(6, 5);
    expect(own.strengths[1]!.interval).toEqual({
      low: own.strengths[1]!.change,
      high: own.strengths[1]!.change,
    });
    expect(own.movesAsIntended).toBe(true);
    expect(own.response).toBeCloseTo(12, 4);
    expect(controls).toHaveLength(3);
    for (const { strengths, response } of controls) {
      expect(Math.abs(response)).toBeLessThan(12);
      expect(strengths[1]!.change).toBeCloseTo(-strengths[0]!.change, 5);
    }
  });

  it("finds nothing in a model that does not respond, and says that chance does as much", async () => {
    const effect = await measureCompletionEffect(
      echoEngine(() => 0),
      request,
      options,
    );
    for (const { strengths } of [effect.vector, ...effect.controls]) {
      for (const { change } of strengths) expect(change).toBe(0);
    }
    expect(effect.vector.movesAsIntended).toBe(false);
    expect(effect.vector.strengths.map(({ movement }) => movement)).toEqual(["unclear", "unclear"]);
    expect(effect.rank).toBe(4);
  });

  it("calls a text that moves the other way reversed, and ranks by size, to whichever side", async () => {
    const { vector: own, rank } = await measureCompletionEffect(
      echoEngine((along) => -along),
      request,
      options,
    );
    expect(own.strengths.map(({ movement }) => movement)).toEqual(["reversed", "reversed"]);
    expect(own.movesAsIntended).toBe(false);
    expect(own.response).toBeCloseTo(-12, 4);
    expect(rank).toBe(1);
  });

  it("counts a random direction that moves the text far to the other side as chance", async () => {
    // What is pushed as far as the vector does, 6, hardly answers; random directions push less.
    const weak = (along: number): number => (Math.abs(along) > 5.9 ? along / 100 : along);
    const {
      vector: own,
      controls,
      rank,
    } = await measureCompletionEffect(echoEngine(weak), { ...request, controls: 12 }, options);
    expect(own.movesAsIntended).toBe(true);
    const opposed = controls.filter(({ response }) => response <= -own.response);
    expect(opposed.length).toBeGreaterThan(0);
    const along = controls.filter(({ response }) => response >= own.response);
    expect(rank).toBe(1 + opposed.length + along.length);
  });

  it("says nothing of strength 0", async () => {
    const { vector: own } = await measureCompletionEffect(
      echoEngine((along) => along),
      { ...request, strengths: [0] },
      options,
    );
    expect(own.strengths.map(({ movement }) => movement)).toEqual(["unclear"]);
    expect(own.movesAsIntended).toBe(false);
  });
});

describe("sentenceEnds", () => {
  it("finds full stops of several scripts, also before quotes, after the start", () => {
    expect(sentenceEnds(["Hi", ".", " you", '!"', " 好", "。", "?\n"], 2)).toEqual([3, 5, 6]);
  });

  it("falls back to the last token", () => {
    expect(sentenceEnds(["no", " end", " here"], 0)).toEqual([2]);
  });
});
