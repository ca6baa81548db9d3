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
import { requestOf } from "./support/pairRequest.ts";
import { atLeast, atMost, main, type Report, type Target } from "./support/report.ts";
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

interface PromptResult {
  readonly idsEqual: boolean;
  /** Deviations relative to the norm of each row: [layers + 1, tokens] rows of residuals, one row of logits. */
  readonly residual: number;
  readonly logits: number;
  readonly steeredLogits: number;
  /** Tokens equal to the reference's before the first that differs, and their number. */
  readonly greedyTokens: string;
  readonly steeredGreedyTokens: string;
  readonly allTokensEqual: boolean;
}

/** What the targets are about, among other figures. */
interface Measured extends Readonly<Record<string, unknown>> {
  readonly prompts: Readonly<Record<string, PromptResult>>;
  readonly meanDifference: {
    readonly smallestCosine: number;
    readonly largestNormError: number;
    readonly normErrors: readonly number[];
  };
  /** By the reference's layers. */
  readonly repeng: { readonly smallestCosine: number; readonly cosines: readonly number[] };
}

/** Only fp32 is held to these; the figures of the other layouts are for reading. */
function targetsOf(layout: string, { prompts, meanDifference, repeng }: Measured): Target[] {
  const results = Object.values(prompts);
  const equal = results.filter(({ idsEqual, allTokensEqual }) => idsEqual && allTokensEqual);
  return [
    atMost(
      `${layout}: residuals, relative deviation`,
      Math.max(...results.map((each) => each.residual)),
      1e-4,
    ),
    atLeast(`${layout}: prompts with equal greedy and steered tokens`, equal.length, results.length),
    atLeast(`${layout}: mean-difference, smallest cosine`, meanDifference.smallestCosine, 0.99999),
    atMost(`${layout}: mean-difference, deviation of the norm`, meanDifference.largestNormError, 1e-4),
    atLeast(
      `${layout}: repeng-pca-diff, smallest cosine below the last layer`,
      repeng.smallestCosine,
      0.9999,
    ),
  ];
}

async function measure(
  engine: AsyncEngine,
  folder: string,
  reference: Reference,
  tensor: (name: string) => Float32Array,
): Promise<Measured> {
  const description = await engine.load({ model: folder }, context);
  const { layers, hidden } = description;
  const prompts: Record<string, PromptResult> = {};
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
    const greedy = agree(generated.completions[0]!.ids, prompt.greedy);
    const steeredGreedy = agree(longer.completions[0]!.ids, prompt.steered_greedy);
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
      greedyTokens: `${greedy}/${prompt.greedy.length}`,
      steeredGreedyTokens: `${steeredGreedy}/${prompt.steered_greedy.length}`,
      allTokensEqual: greedy === prompt.greedy.length && steeredGreedy === prompt.steered_greedy.length,
    };
  }
  const started = performance.now();
  const mean = await engine.computeVector(requestOf(reference.pairs, "mean-difference"), context);
  const seconds = (performance.now() - started) / 1000;
  const repeng = await engine.computeVector(requestOf(reference.pairs, "repeng-pca-diff"), context);
  const cosines: number[] = [];
  const norms: number[] = [];
  for (let layer = 0; layer < layers; layer++) {
    const own = layerOf(mean.vectors, layer, hidden);
    const theirs = layerOf(means, layer, hidden);
    cosines.push(cosine(own, theirs));
    norms.push(Math.abs(norm(own) / norm(theirs) - 1));
  }
  const directions = tensor("repeng_pca_diff");
  const repengCosines = reference.repeng_layers.map((layer, row) =>
    Math.abs(cosine(layerOf(repeng.vectors, layer, hidden), layerOf(directions, row, hidden))),
  );
  return {
    layout: description.layout,
    precision: description.precision,
    selfTest: description.selfTest.passed,
    warnings: description.warnings,
    extractSeconds: seconds,
    tokens: { total: mean.tokens.total, computed: mean.tokens.computed },
    prompts,
    meanDifference: {
      smallestCosine: Math.min(...cosines),
      largestNormError: Math.max(...norms),
      normErrors: norms,
    },
    // repeng reads hidden_states, of which transformers gives the last one after the final norm: there it has another meaning.
    repeng: { smallestCosine: Math.min(...repengCosines.slice(0, -1)), cosines: repengCosines },
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
  const targets: Target[] = [];
  try {
    for (const layout of layouts) {
      const folder = smollm2(layout);
      say(layout);
      if (typeof folder !== "string") {
        skipped.push(folder);
        continue;
      }
      const measured = await measure(engine, folder, found.reference, tensor);
      results[layout] = measured;
      if (layout === "hf" || layout.endsWith("-fp32")) targets.push(...targetsOf(layout, measured));
    }
  } finally {
    rmSync(cacheFolder, { recursive: true });
  }
  return { results, targets, skipped };
});
