/** The embedded model through the engine, against PyTorch on the fp32 checkpoint (weights here are fp16). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { parseSafetensorsHeader, readFloat32 } from "../../src/formats/safetensors.ts";
import { greedySampling, type ModelDescription } from "../../src/shared/engineContract.ts";
import { fixtures, steerEverywhere, useTestEngine } from "./support/engine.ts";

interface Prompt {
  readonly text: string;
  readonly ids: readonly number[];
  readonly greedy: readonly number[];
  readonly mean_nll: number;
}

const folder = join(fixtures, "stories15m");
const { prompts } = JSON.parse(readFileSync(join(folder, "reference.json"), "utf8")) as { prompts: Prompt[] };
const bytes = readFileSync(join(folder, "reference.safetensors"));
const header = parseSafetensorsHeader(bytes, bytes.length);
const tensor = (name: string): Float32Array => readFloat32(bytes, header.tensors.get(name)!);

/** What rounding the weights to 16 bits leaves of the fp32 checkpoint, relative to the norm. */
const fp16Rounding = 5e-3;

function relativeDifference(a: Float32Array, b: Float32Array): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < a.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    norm += b[i]! ** 2;
  }
  return Math.sqrt(difference / norm);
}

describe("stories15M", () => {
  const test = useTestEngine();
  let description: ModelDescription;
  beforeAll(async () => {
    description = await test.call("load", { model: "stories15m" });
  });

  it("loads with its self-test passed", () => {
    expect(description).toMatchObject({
      layers: 6,
      hidden: 288,
      vocabulary: 32000,
      architecture: "llama",
      precision: "fp16",
    });
    expect(description.selfTest.passed).toBe(true);
  });

  it.each(prompts.map((prompt, index) => ({ ...prompt, index })))(
    "reads prompt $index as PyTorch does",
    async ({ text, ids, index, mean_nll }) => {
      const [tokenized] = await test.call("tokenize", { inputs: [{ text }], template: "none" });
      expect([...tokenized!.ids]).toEqual(ids);
      const { resid, logits } = await test.call("activations", {
        input: { text },
        template: "none",
        steering: null,
        logits: true,
      });
      // The references keep the residual stream of the first prompts only.
      const expected = header.tensors.has(`resid.${index}`) ? tensor(`resid.${index}`) : null;
      for (let k = 0; expected !== null && k <= 6; k++) {
        const layerSize = expected.length / 7;
        const layer = (values: Float32Array): Float32Array =>
          values.subarray(k * layerSize, (k + 1) * layerSize);
        expect(relativeDifference(layer(resid), layer(expected))).toBeLessThan(fp16Rounding);
      }
      expect(relativeDifference(logits!.subarray(-32000), tensor(`logits.${index}`))).toBeLessThan(
        fp16Rounding,
      );
      const [likelihood] = await test.call("logLikelihood", {
        inputs: [{ text }],
        template: "none",
        steering: null,
        stride: 128,
      });
      const mean =
        -likelihood!.logProbabilities.reduce((sum, value) => sum + value, 0) /
        likelihood!.logProbabilities.length;
      expect(Math.abs(mean - mean_nll)).toBeLessThan(0.005 * Math.max(mean_nll, 1));
    },
  );

  it.each(prompts.map((prompt, index) => ({ ...prompt, index })))(
    "steers prompt $index as PyTorch does",
    async ({ text, index }) => {
      const steering = steerEverywhere(3, tensor("v"));
      const { logits } = await test.call("activations", {
        input: { text },
        template: "none",
        steering,
        logits: true,
      });
      expect(relativeDifference(logits!.subarray(-32000), tensor(`steered.${index}`))).toBeLessThan(
        fp16Rounding,
      );
      expect(relativeDifference(tensor(`steered.${index}`), tensor(`logits.${index}`))).toBeGreaterThan(2e-2);
    },
  );

  it("continues greedily as PyTorch does", async () => {
    const [prompt] = prompts;
    const result = await test.call("generate", {
      input: { text: prompt!.text },
      template: "none",
      variants: [null],
      sampling: { ...greedySampling, maxTokens: prompt!.greedy.length },
    });
    expect([...result.completions[0]!.ids]).toEqual(prompt!.greedy);
  });
});
