/** Decoding, scopes, scores and cancelling on the embedded model; algebra as the oracle. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { greedySampling, type Sampling, type Steering } from "../../src/shared/engineContract.ts";
import type { Scope } from "../../src/shared/scope.ts";
import { fixtures, largestDifference, useTestEngine } from "./support/engine.ts";

const hidden = 288;
const input = { text: "Once upon a time, there was a" };
const vector = Float32Array.from({ length: hidden }, (_, i) => Math.sin(i * 1.3) * 0.2);
const steered = (strength: number, scope: Scope = "after-prompt", own = vector, layer = 3): Steering => {
  return { terms: [{ layer, vector: own, strength }], scope };
};

describe("generation", () => {
  const test = useTestEngine();
  beforeAll(() => test.call("load", { model: "stories15m" }));

  const generate = (
    variants: readonly (Steering | null)[],
    sampling: Partial<Sampling> = {},
  ): ReturnType<typeof test.call<"generate">> =>
    test.call("generate", {
      input,
      template: "none",
      variants,
      sampling: { ...greedySampling, maxTokens: 24, ...sampling },
    });

  it("a ladder in one batch equals its rows alone, whatever the scope", async () => {
    const ladder = [
      null,
      steered(-3),
      steered(2, "all"),
      steered(3, "prompt"),
      steered(3, "generated"),
      steered(3, { from: 1, to: 2 }),
      steered(-1, "all"),
    ];
    const { completions } = await generate(ladder);
    for (const [row, variant] of ladder.entries()) {
      const alone = await generate([variant]);
      expect([...completions[row]!.ids]).toEqual([...alone.completions[0]!.ids]);
    }
    expect(new Set(completions.map(({ text }) => text)).size).toBeGreaterThan(3);
  });

  it("20 times v at 1 equals v at 20, and v with -v is no steering", async () => {
    const twenty = vector.map((value) => value * 20);
    const { completions } = await generate([
      steered(20),
      steered(1, "after-prompt", twenty),
      { terms: [...steered(7).terms, ...steered(-7).terms], scope: "all" },
      null,
      steered(0),
    ]);
    expect([...completions[0]!.ids]).toEqual([...completions[1]!.ids]);
    for (const row of [2, 4]) {
      expect(completions[row]!.text).toBe(completions[3]!.text);
      expect(
        largestDifference(completions[row]!.logProbabilities, completions[3]!.logProbabilities),
      ).toBeLessThan(1e-5);
    }
    expect(completions[0]!.text).not.toBe(completions[3]!.text);
  });

  it("steers exactly the tokens of the scope", async () => {
    const { ids } = (await test.call("tokenize", { inputs: [input], template: "none" }))[0]!;
    const run = (steering: Steering | null): Promise<Float32Array> =>
      test
        .call("activations", {
          input: { ids, textStart: ids.length },
          template: "none",
          steering,
          logits: false,
        })
        .then(({ resid }) => resid);
    const base = await run(null);
    const tokens = ids.length;
    const scopes: [Scope, (token: number) => boolean][] = [
      ["all", () => true],
      ["prompt", () => true],
      ["after-prompt", (token) => token === tokens - 1],
      ["generated", () => false],
      [{ from: 2, to: 4 }, (token) => token >= 2 && token <= 4],
    ];
    for (const [scope, isSteered] of scopes) {
      const resid = await run(steered(5, scope));
      for (let token = 0; token < tokens; token++) {
        const at = (4 * tokens + token) * hidden;
        const moved = resid.subarray(at, at + hidden).map((value, i) => value - base[at + i]!);
        // Attention inside block 3 sees earlier blocks only, so the output of block 3 moves by the vector and nothing else.
        const expected = isSteered(token) ? vector.map((value) => 5 * value) : new Float32Array(hidden);
        expect(largestDifference(moved, expected)).toBeLessThan(1e-5);
      }
    }
  });

  it("streams exactly the text of each variant, ends rows one by one and honours stop strings", async () => {
    const texts = ["", ""];
    const { completions } = await test.call(
      "generate",
      {
        input,
        template: "none",
        variants: [null, steered(4)],
        sampling: { ...greedySampling, maxTokens: 60, stop: ["named"] },
      },
      {
        onProgress: (progress) => {
          if (progress.kind === "token") texts[progress.variant]! += progress.text;
        },
      },
    );
    expect(texts).toEqual(completions.map(({ text }) => text));
    expect(completions[0]!.finish).toBe("stop");
    expect(completions[0]!.text).not.toContain("named");
    const alone = await generate([steered(4)], { maxTokens: 60, stop: ["named"] });
    expect(alone.completions[0]!.text).toBe(completions[1]!.text);
  });

  it("fills the context and says so, past the room that a cache begins with", async () => {
    const { completions, promptIds } = await generate([null, steered(2)], {
      maxTokens: 1000,
      repetitionPenalty: 1.3,
    });
    for (const { finish, ids } of completions) {
      expect(["context-full", "end-of-text"]).toContain(finish);
      expect(promptIds.length + ids.length).toBeLessThanOrEqual(257);
    }
    expect(Math.max(...completions.map(({ ids }) => ids.length))).toBeGreaterThan(140);
  });

  it("samples the same text from the same seed and another from another", async () => {
    const settings = { temperature: 1, topP: 0.95, maxTokens: 30 };
    const first = await generate([null], { ...settings, seed: 1 });
    const again = await generate([null], { ...settings, seed: 1 });
    const other = await generate([null], { ...settings, seed: 2 });
    expect(again.completions[0]!.text).toBe(first.completions[0]!.text);
    expect(other.completions[0]!.text).not.toBe(first.completions[0]!.text);
  });

  it("stops between tokens when it is cancelled", async () => {
    const controller = new AbortController();
    let tokens = 0;
    const job = test.call(
      "generate",
      { input, template: "none", variants: [null], sampling: { ...greedySampling, maxTokens: 200 } },
      {
        signal: controller.signal,
        onProgress: () => {
          if (++tokens === 3) controller.abort();
        },
      },
    );
    await expect(job).rejects.toMatchObject({ kind: "Cancelled" });
    expect(tokens).toBe(3);
  });

  it("refuses what does not fit", async () => {
    await expect(generate([steered(1, "all", vector, 6)])).rejects.toMatchObject({ kind: "VectorMismatch" });
    await expect(generate([steered(1, "all", new Float32Array(7))])).rejects.toMatchObject({
      kind: "VectorMismatch",
    });
    await expect(generate([])).rejects.toMatchObject({ kind: "InvalidRequest" });
    const long = { ids: new Int32Array(300).fill(5), textStart: 0 };
    await expect(
      test.call("generate", { input: long, template: "none", variants: [null], sampling: greedySampling }),
    ).rejects.toMatchObject({ kind: "ContextTooLong" });
  });

  it("scores texts longer than the context in windows", async () => {
    const stories = JSON.parse(readFileSync(join(fixtures, "tinystories-1000.json"), "utf8")) as string[];
    const text = stories.slice(0, 4).join("\n");
    const [long] = await test.call("logLikelihood", {
      inputs: [{ text }],
      template: "none",
      steering: null,
      stride: 64,
    });
    expect(long!.ids.length).toBeGreaterThan(512);
    expect(long!.logProbabilities.length).toBe(long!.ids.length - 1);
    expect(long!.logProbabilities.every((value) => value < 0 && value > -40)).toBe(true);
    const mean = (values: Float32Array): number =>
      values.reduce((sum, value) => sum + value, 0) / values.length;
    // Every window but the first begins in the middle of a story: worse than each story alone, but a language still.
    expect(Math.exp(-mean(long!.logProbabilities))).toBeLessThan(12);
    // The first window is the same text read by itself.
    const head = { ids: long!.ids.subarray(0, 256), textStart: 1 };
    const [first] = await test.call("logLikelihood", {
      inputs: [head],
      template: "none",
      steering: null,
      stride: 256,
    });
    expect(largestDifference(first!.logProbabilities, long!.logProbabilities.subarray(0, 255))).toBeLessThan(
      1e-4,
    );
    // The second window begins 64 tokens later and scores the 64 tokens that the first did not hold.
    const next = { ids: long!.ids.subarray(64, 320), textStart: 0 };
    const [second] = await test.call("logLikelihood", {
      inputs: [next],
      template: "none",
      steering: null,
      stride: 256,
    });
    const own = long!.logProbabilities.subarray(255, 319);
    expect(largestDifference(second!.logProbabilities.subarray(191), own)).toBeLessThan(1e-4);
  });

  it("scores two choices by their first distinguishing token", async () => {
    const item = {
      input: { text: "Lily was very happy. She had a big smile on her" },
      choices: [" face", " car"],
    };
    const [scores] = await test.call("scoreChoices", { items: [item], template: "none", steering: null });
    expect(scores!.logProbabilities[0]!).toBeGreaterThan(scores!.logProbabilities[1]! + 2);
    const mass = Math.exp(scores!.logProbabilities[0]!) + Math.exp(scores!.logProbabilities[1]!);
    expect(scores!.neither).toBeCloseTo(1 - mass, 5);
    const same = { input: item.input, choices: [" face", " face"] };
    await expect(
      test.call("scoreChoices", { items: [same], template: "none", steering: null }),
    ).rejects.toMatchObject({
      kind: "InvalidRequest",
    });
  });

  it("projects every token as the dot product with its activation", async () => {
    const text = { text: "Tom and Lily went to the park." };
    const directions = Float32Array.from({ length: 7 * hidden * 2 }, (_, i) => Math.cos(i));
    const [own] = await test.call("project", {
      inputs: [text],
      template: "none",
      directions,
      count: 2,
      steering: null,
    });
    const { resid, ids } = await test.call("activations", {
      input: text,
      template: "none",
      steering: null,
      logits: false,
    });
    for (let point = 0; point < 7; point++) {
      for (let token = 0; token < ids.length; token++) {
        for (let m = 0; m < 2; m++) {
          let expected = 0;
          for (let i = 0; i < hidden; i++) {
            expected +=
              resid[(point * ids.length + token) * hidden + i]! * directions[(point * hidden + i) * 2 + m]!;
          }
          expect(own!.projections[(point * ids.length + token) * 2 + m]!).toBeCloseTo(expected, 2);
        }
      }
    }
  });
});
