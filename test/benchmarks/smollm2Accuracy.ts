/**
 * Accuracy on a real chat model, SmolLM2-135M-Instruct, in the layouts that people have, against PyTorch, steering-vectors
 * and repeng. Needs the model and references, which are too large for the repository: STEERSCOPE_SMOLLM2 (folders hf,
 * hf-bf16, optimum-fp32, optimum-q8, builder-fp32, builder-int4) and STEERSCOPE_SMOLLM2_REFERENCE (reference.json and
 * reference.safetensors). Prints JSON.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLocalEngine } from "../../src/engine/localEngine.ts";
import type { AsyncEngine } from "../../src/engine/asyncEngine.ts";
import { parseSafetensorsHeader, readFloat32 } from "../../src/formats/safetensors.ts";
import { greedySampling, type Steering } from "../../src/shared/engineContract.ts";
import { cosine, layerOf, norm, subtract } from "../../src/steering/algebra.ts";
import {
  embeddedModels,
  smollm2,
  smollm2Reference,
  threads,
  type Reference,
  type Skip,
} from "./support/environment.ts";
import { main, type Report } from "./support/report.ts";
import { say } from "./support/rounds.ts";

const context = { signal: new AbortController().signal, progress: (): void => undefined };

function largestRelative(actual: Float32Array, expected: Float32Array, width: number): number {
  let worst = 0;
  for (let at = 0; at < expected.length; at += width) {
    const row = expected.subarray(at, at + width);
    worst = Math.max(worst, norm(subtract(actual.subarray(at, at + width), row)) / norm(row));
  }
  return worst;
}

function agree(actual: Int32Array, expected: readonly number[]): number {
  let same = 0;
  while (same < expected.length && actual[same] === expected[same]) same++;
  return same;
}

async function measure(
  engine: AsyncEngine,
  folder: string,
  reference: Reference,
  tensor: (name: string) => Float32Array,
): Promise<Record<string, unknown>> {
  const description = await engine.load({ model: folder }, context);
  const { layers, hidden } = description;
  const prompts: Record<string, unknown> = {};
  const means = tensor("steering_vectors_mean");
  const { block, coefficient } = reference.steer;
  const steering: Steering = {
    terms: [{ layer: block, vector: layerOf(means, block, hidden), strength: coefficient }],
    scope: "all",
  };
  for (const [name, prompt] of Object.entries(reference.prompts)) {
    const input = { text: prompt.text };
    const [tokenized] = await engine.tokenize({ inputs: [input], template: "none" }, context);
    const { resid, logits } = await engine.activations(
      { input, template: "none", steering: null, logits: true },
      context,
    );
    const vocabulary = description.vocabulary;
    const steered = await engine.activations({ input, template: "none", steering, logits: true }, context);
    const generated = await engine.generate(
      {
        input,
        template: "none",
        variants: [null, steering],
        sampling: { ...greedySampling, maxTokens: prompt.greedy.length },
      },
      context,
    );
    const longer = await engine.generate(
      {
        input,
        template: "none",
        variants: [steering],
        sampling: { ...greedySampling, maxTokens: prompt.steered_greedy.length },
      },
      context,
    );
    prompts[name] = {
      idsEqual:
        agree(tokenized!.ids, prompt.ids) === prompt.ids.length &&
        tokenized!.ids.length === prompt.ids.length,
      residual: largestRelative(resid, tensor(`resid.${name}`), hidden),
      logits: largestRelative(logits!.subarray(-vocabulary), tensor(`logits.${name}`), vocabulary),
      steeredLogits: largestRelative(
        steered.logits!.subarray(-vocabulary),
        tensor(`steered.${name}`),
        vocabulary,
      ),
      greedyTokens: `${agree(generated.completions[0]!.ids, prompt.greedy)}/${prompt.greedy.length}`,
      steeredGreedyTokens: `${agree(longer.completions[0]!.ids, prompt.steered_greedy)}/${prompt.steered_greedy.length}`,
    };
  }
  const request = {
    positive: reference.pairs.map(({ positive }) => ({ text: positive })),
    negative: reference.pairs.map(({ negative }) => ({ text: negative })),
    pairs: Int32Array.from(reference.pairs.flatMap((_, pair) => [pair, pair])),
    template: "none" as const,
    position: { kind: "last" as const, back: 0 },
    unit: false,
    seed: 0,
  };
  const started = performance.now();
  const mean = await engine.computeVector({ ...request, method: "mean-difference" }, context);
  const seconds = (performance.now() - started) / 1000;
  const repeng = await engine.computeVector({ ...request, method: "repeng-pca-diff" }, context);
  const cosines: number[] = [];
  const norms: number[] = [];
  for (let layer = 0; layer < layers; layer++) {
    const own = layerOf(mean.vectors, layer, hidden);
    const theirs = layerOf(means, layer, hidden);
    cosines.push(cosine(own, theirs));
    norms.push(Math.abs(norm(own) / norm(theirs) - 1));
  }
  const directions = tensor("repeng_pca_diff");
  // repeng numbers hidden_states: its layer k is what leaves block k - 1... unless its own offset says otherwise.
  const repengCosines = reference.repeng_layers.map((layer, row) =>
    Math.abs(cosine(layerOf(repeng.vectors, layer, hidden), layerOf(directions, row, hidden))),
  );
  return {
    layout: description.layout,
    precision: description.precision,
    selfTest: description.selfTest.passed,
    warnings: description.warnings,
    prompts,
    extractSeconds: seconds,
    tokens: { total: mean.tokens.total, computed: mean.tokens.computed },
    meanDifference: { smallestCosine: Math.min(...cosines), largestNormError: Math.max(...norms) },
    repeng: { smallestCosine: Math.min(...repengCosines) },
  };
}

const layouts = ["hf", "hf-bf16", "optimum-fp32", "optimum-q8", "builder-fp32", "builder-int4"];

main(async (): Promise<Report> => {
  const skipped: Skip[] = [];
  const found = smollm2Reference();
  if ("skipped" in found) return { results: {}, targets: [], skipped: [found] };
  const bytes = readFileSync(join(found.folder, "reference.safetensors"));
  const header = parseSafetensorsHeader(bytes, bytes.length);
  const tensor = (name: string): Float32Array => readFloat32(bytes, header.tensors.get(name)!);
  const cacheFolder = mkdtempSync(join(tmpdir(), "steerscope-bench-"));
  const engine = createLocalEngine({ embeddedModels, cacheFolder, threads });
  const results: Record<string, unknown> = {};
  try {
    for (const layout of layouts) {
      const folder = smollm2(layout);
      say(layout);
      if (typeof folder === "string")
        results[layout] = await measure(engine, folder, found.reference, tensor);
      else skipped.push(folder);
    }
  } finally {
    rmSync(cacheFolder, { recursive: true });
  }
  return { results, targets: [], skipped };
});
