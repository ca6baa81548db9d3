/** Likelihoods and choices against logits read one by one; what a scope calls the prompt; means under a chat template. */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { greedySampling, type Steering } from "../../src/shared/engineContract.ts";
import type { ReadPosition } from "../../src/shared/readPosition.ts";
import { isSteered, type Scope } from "../../src/shared/scope.ts";
import type { ModelInput, Template } from "../../src/shared/tokenInput.ts";
import { SeededRandom } from "../../src/steering/random.ts";
import { embeddedModels, fixtures, largestDifference, useTestEngine } from "./support/engine.ts";

const scopes: readonly Scope[] = ["all", "after-prompt", "generated", "prompt", { from: 2, to: 6 }];

const test = useTestEngine();

function logSoftmax(logits: Float32Array, id: number): number {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  return logits[id]! - largest - Math.log(logits.reduce((sum, value) => sum + Math.exp(value - largest), 0));
}

/** Log-probability of `ids[token]`, from the logits of the tokens from `begin` on that stand before it. */
async function oneByOne(
  ids: Int32Array,
  begin: number,
  from: number,
  steering: Steering | null = null,
): Promise<number[]> {
  const input = { ids: ids.subarray(begin), textStart: 0 };
  const { logits } = await test.call("activations", { input, template: "none", steering, logits: true });
  const vocabulary = logits!.length / input.ids.length;
  return Array.from(ids.subarray(from), (id, i) => {
    const row = from + i - 1 - begin;
    return logSoftmax(logits!.subarray(row * vocabulary, (row + 1) * vocabulary), id);
  });
}

describe("texts longer than the context", () => {
  const context = 256;
  const random = new SeededRandom(6);
  const ids = Int32Array.from({ length: 700 }, () => 1 + Math.floor(random.uniform() * 127));
  beforeAll(async () => {
    const folder = join(test.folder, "llama");
    const original = join(fixtures, "decoder-graphs/safetensors/llama");
    cpSync(original, folder, { recursive: true });
    const config = JSON.parse(readFileSync(join(original, "config.json"), "utf8")) as object;
    writeFileSync(
      join(folder, "config.json"),
      JSON.stringify({ ...config, max_position_embeddings: context }),
    );
    await test.call("load", { model: folder });
  });
  const likelihood = async (stride: number, steering: Steering | null = null): Promise<Float32Array> => {
    const inputs = [{ ids, textStart: 300 }];
    const [result] = await test.call("logLikelihood", { inputs, template: "none", steering, stride });
    return result!.logProbabilities;
  };

  it.each([1, 100, 255, 256, 1000])("score every token once, with stride %i", async (stride) => {
    const step = Math.min(stride, context - 1);
    const expected: number[] = [];
    for (let begin = 0; expected.length < ids.length - 1; begin += step) {
      expected.push(...(await oneByOne(ids.subarray(0, begin + context), begin, expected.length + 1)));
    }
    expect(largestDifference(await likelihood(stride), expected)).toBeLessThan(1e-4);
  });

  it("count tokens of a scope from the start of the text, not of a window", async () => {
    const vector = Float32Array.from({ length: 32 }, (_, i) => 3 * Math.cos(i));
    const steer = (scope: Scope): Steering => ({ terms: [{ layer: 1, vector, strength: 1 }], scope });
    const plain = await likelihood(100);
    const early = await likelihood(100, steer({ from: 0, to: 20 }));
    const prompt = await likelihood(100, steer("prompt"));
    const same = (a: Float32Array, from: number): boolean =>
      largestDifference(a.subarray(from), plain.subarray(from)) === 0;
    // Windows begin at 0, 100, 200 and so on; token t is scored by the first that holds it, at index t - 1.
    expect([same(early, 0), same(early, 255)]).toEqual([false, true]);
    // The prompt ends at token 299: windows that begin later do not see it.
    expect([same(prompt, 255), same(prompt, 555)]).toEqual([false, true]);
  });

  it("refuse bad ids wherever they stand, and strides that are none", async () => {
    const bad = Int32Array.from(ids, (id, i) => (i === 600 ? 5000 : id));
    for (const [wrong, stride] of [
      [bad, 100],
      [ids, 0],
      [ids, 1.5],
    ] as const) {
      const inputs = [{ ids: wrong, textStart: 0 }];
      await expect(
        test.call("logLikelihood", { inputs, template: "none", steering: null, stride }),
      ).rejects.toMatchObject({ kind: "InvalidRequest" });
    }
  });
});

describe("a chat model", () => {
  const hidden = 288;
  const vector = Float32Array.from({ length: hidden }, (_, i) => Math.sin(i * 1.3) * 0.2);
  const steer = (scope: Scope): Steering => ({ terms: [{ layer: 3, vector, strength: 5 }], scope });
  beforeAll(async () => {
    const folder = join(test.folder, "chat");
    cpSync(join(embeddedModels, "stories15m"), folder, { recursive: true });
    writeFileSync(
      join(folder, "chat_template.jinja"),
      "{{ '<s>One day, Lily said: ' + messages[0]['content'] + '\nTom said:' }}",
    );
    await test.call("load", { model: folder });
  });
  const tokenize = async (input: ModelInput, template: Template) =>
    (await test.call("tokenize", { inputs: [input], template }))[0]!;
  const resid = async (input: ModelInput, template: Template, steering: Steering | null) =>
    (await test.call("activations", { input, template, steering, logits: false })).resid;

  it.each<readonly [ModelInput, Template]>([
    [{ text: "Let us go to the park." }, "none"],
    [{ text: "Let us go to the park." }, "chat"],
    [{ prompt: "Let us go", text: " to the park." }, "none"],
    [{ prompt: "Let us go.", text: " I am happy." }, "chat"],
  ])("%j, template %s: scopes count the prompt as generation does", async (input, template) => {
    const { ids, textStart } = await tokenize(input, template);
    // Without a prompt of its own the whole input is one, as it is for `generate`.
    const promptLength = "prompt" in input ? textStart : ids.length;
    const base = await resid(input, template, null);
    const directions = new Float32Array(7 * hidden);
    directions.set(vector, 4 * hidden);
    const request = { inputs: [input], template, directions, count: 1 };
    const [plain] = await test.call("project", { ...request, steering: null });
    const squared = vector.reduce((sum, value) => sum + value * value, 0);
    for (const scope of scopes) {
      const own = await resid(input, template, steer(scope));
      const [projected] = await test.call("project", { ...request, steering: steer(scope) });
      for (let token = 0; token < ids.length; token++) {
        const added = isSteered(scope, token, promptLength) ? 5 : 0;
        const at = (4 * ids.length + token) * hidden;
        const moved = own.subarray(at, at + hidden).map((value, i) => value - base[at + i]!);
        expect(
          largestDifference(
            moved,
            vector.map((value) => added * value),
          ),
        ).toBeLessThan(1e-5);
        const place = 4 * ids.length + token;
        const along = projected!.projections[place]! - plain!.projections[place]!;
        expect(Math.abs(along - added * squared)).toBeLessThan(1e-3);
      }
    }
  });

  it.each(scopes)("scope %j: a text is as likely as it was when it was generated", async (scope) => {
    const input = { text: "Let us go to the park." };
    const steering = steer(scope);
    const { promptIds, completions } = await test.call("generate", {
      input,
      template: "chat",
      variants: [steering],
      sampling: { ...greedySampling, maxTokens: 12 },
    });
    const { ids, logProbabilities } = completions[0]!;
    const whole = { ids: Int32Array.of(...promptIds, ...ids), textStart: promptIds.length };
    const [read] = await test.call("logLikelihood", {
      inputs: [whole],
      template: "none",
      steering,
      stride: 128,
    });
    const tail = read!.logProbabilities.subarray(promptIds.length - 1);
    expect(largestDifference(tail, logProbabilities)).toBeLessThan(1e-3);
  });

  it("a text without a prompt is as likely as if all of it had been generated after the first token", async () => {
    const { ids } = await tokenize({ text: "Let us go to the park." }, "none");
    for (const scope of scopes) {
      const [read] = await test.call("logLikelihood", {
        inputs: [{ text: "Let us go to the park." }],
        template: "none",
        steering: steer(scope),
        stride: 128,
      });
      const steered = Array.from(ids, (_, token) => isSteered(scope, token, 1));
      const from = steered.indexOf(true);
      const range = { from, to: steered.lastIndexOf(true) };
      const expected = await oneByOne(ids, 0, 1, steer(range));
      expect(largestDifference(read!.logProbabilities, expected)).toBeLessThan(1e-4);
    }
  });

  it.each<readonly [{ text: string; prompt?: string }, string]>([
    [
      { prompt: "I am so happy.", text: " I have a big smile on my" },
      "<s>One day, Lily said: I am so happy.\nTom said: I have a big smile on my",
    ],
    [{ text: "I am so happy." }, "<s>One day, Lily said: I am so happy.\nTom said:"],
  ])("scores choices after %j where the template puts them", async (input, rendered) => {
    const choices = [" face", " car"];
    // The template writes the first token by itself.
    const opening = (await tokenize({ text: rendered.slice("<s>".length) }, "none")).ids;
    const { ids: first } = await tokenize({ text: `${rendered.slice(3)}${choices[0]!}` }, "none");
    const { ids: second } = await tokenize({ text: `${rendered.slice(3)}${choices[1]!}` }, "none");
    expect(first.subarray(0, opening.length)).toEqual(opening);
    for (const [scope, same] of [
      ["prompt", "all"],
      ["generated", { from: 90, to: 90 }],
      ["after-prompt", { from: opening.length - 1, to: opening.length - 1 }],
    ] as const) {
      const [scores] = await test.call("scoreChoices", {
        items: [{ input, choices }],
        template: "chat",
        steering: steer(scope),
      });
      for (const [index, own] of [first, second].entries()) {
        const whole = own.subarray(0, opening.length + 1);
        const [expected] = await oneByOne(whole, 0, opening.length, steer(same));
        expect(Math.abs(scores!.logProbabilities[index]! - expected!)).toBeLessThan(1e-4);
      }
    }
  });

  it("takes means over the text alone, not over the template", async () => {
    const mean: ReadPosition = { kind: "mean" };
    for (const [input, words] of [
      [{ text: "I am so happy." }, "I am so happy."],
      [{ prompt: "Be brief.", text: " I am happy." }, " I am happy."],
    ] as const) {
      const { ids, pieces, textStart, textEnd } = await tokenize(input, "chat");
      expect(pieces.slice(textStart, textEnd).join("").trim()).toBe(words.trim());
      const { activations } = await test.call("capture", {
        inputs: [input],
        template: "chat",
        position: mean,
        withEmbedding: true,
      });
      const all = await resid(input, "chat", null);
      const expected = new Float32Array(7 * hidden);
      for (let point = 0; point < 7; point++) {
        for (let token = textStart; token < textEnd; token++) {
          for (let i = 0; i < hidden; i++) {
            expected[point * hidden + i]! +=
              all[(point * ids.length + token) * hidden + i]! / (textEnd - textStart);
          }
        }
      }
      expect(largestDifference(activations, expected)).toBeLessThan(1e-3);
    }
  });

  it.each(["none", "chat"] as const)("asks each example for a prompt, template %s", async (template) => {
    const request = {
      template,
      position: { kind: "mean-completion" },
      withEmbedding: false,
    } as const;
    await expect(
      test.call("capture", { ...request, inputs: [{ text: "I am happy." }] }),
    ).rejects.toMatchObject({ kind: "ExampleSetInvalid" });
    const inputs = [{ prompt: "Be brief.", text: " I am happy." }];
    const { activations } = await test.call("capture", { ...request, inputs });
    const { activations: own } = await test.call("capture", {
      ...request,
      inputs,
      position: { kind: "mean" },
    });
    expect(activations).toEqual(own);
  });
});
