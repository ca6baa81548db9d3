/**
 * Does a vector move what the model writes, and do random vectors of the same norm not? Completions are read back
 * without steering and projected on the unit vector at its layer, so that the measure is the separation that the
 * vector was made for and not the addition itself. Read are the ends of sentences, where examples are read by default.
 */
import type { Sampling, Steering } from "../shared/engineContract.ts";
import type { Engine } from "../shared/engineProxy.ts";
import type { Scope } from "../shared/scope.ts";
import type { Template } from "../shared/tokenInput.ts";
import { norm, unit } from "../steering/algebra.ts";
import { randomDirection } from "../steering/computeVectors.ts";
import { bootstrapInterval, mean, type Interval } from "../steering/statistics.ts";

export interface CompletionEffectRequest {
  readonly prompts: readonly string[];
  readonly layer: number;
  /** Of the model. */
  readonly layers: number;
  /** [hidden], as it is added at strength 1. */
  readonly vector: Float32Array;
  readonly strengths: readonly number[];
  /** Random directions with the norm of the vector, each at every strength. */
  readonly controls: number;
  readonly scope: Scope;
  readonly template: Template;
  readonly sampling: Sampling;
  readonly seed: number;
}

/** Change of the mean projection of completions against the unsteered completion of the same prompt. */
export interface MeasuredEffect {
  readonly strength: number;
  /** Of the random directions instead of the vector. */
  readonly control: boolean;
  /** Mean change over prompts, in units of the residual stream. */
  readonly change: number;
  /** 95 % bootstrap interval over prompts. */
  readonly interval: Interval;
  readonly prompts: number;
}

export interface CompletionEffect {
  readonly layer: number;
  /** Mean projection of the unsteered completions. */
  readonly unsteered: number;
  readonly effects: readonly MeasuredEffect[];
}

interface Variant {
  readonly strength: number;
  readonly control: boolean;
  readonly steering: Steering;
}

type ScoringEngine = Pick<Engine, "generate" | "project" | "tokenize">;

/** Generates every variant of every prompt and measures it. Throws what the engine throws. */
export async function measureCompletionEffect(
  engine: ScoringEngine,
  request: CompletionEffectRequest,
  options: { readonly signal: AbortSignal; readonly onProgress: (done: number, total: number) => void },
): Promise<CompletionEffect> {
  const { layer, vector, prompts } = request;
  const variants = variantsOf(request);
  const directions = directionAt(unit(vector), layer, request.layers);
  // [variants + 1][prompts], unsteered first.
  const scores: number[][] = [[], ...variants.map((): number[] => [])];
  for (const [index, prompt] of prompts.entries()) {
    options.onProgress(index, prompts.length);
    const steerings = [null, ...variants.map(({ steering }) => steering)];
    const own = await scoreVariants(engine, request, prompt, steerings, directions, options.signal);
    own.forEach((score, variant) => {
      scores[variant]!.push(score);
    });
  }
  options.onProgress(prompts.length, prompts.length);
  const effects = [false, true].flatMap((control) =>
    request.strengths.map((strength) => {
      const rows = variants.flatMap((variant, row) =>
        variant.strength === strength && variant.control === control ? [scores[row + 1]!] : [],
      );
      return measured(strength, control, scores[0]!, rows, request.seed);
    }),
  );
  return { layer, unsteered: mean(scores[0]!), effects: effects.filter(({ prompts: count }) => count > 0) };
}

function measured(
  strength: number,
  control: boolean,
  unsteered: readonly number[],
  rows: readonly (readonly number[])[],
  seed: number,
): MeasuredEffect {
  // The directions of one prompt belong together: one value a prompt.
  const changes =
    rows.length === 0 ? [] : unsteered.map((base, prompt) => mean(rows.map((row) => row[prompt]! - base)));
  if (changes.length === 0)
    return { strength, control, change: 0, interval: { low: 0, high: 0 }, prompts: 0 };
  const interval = bootstrapInterval(changes, mean, { seed });
  return { strength, control, change: mean(changes), interval, prompts: changes.length };
}

function variantsOf({ vector, layer, strengths, scope, controls, seed }: CompletionEffectRequest): Variant[] {
  const directions = [
    vector,
    ...Array.from({ length: controls }, (_, index) =>
      Float32Array.from(randomDirection(vector.length, norm(vector), seed, index)),
    ),
  ];
  return directions.flatMap((direction, index) =>
    strengths.map((strength): Variant => {
      const terms = [{ layer, vector: direction, strength }];
      return { strength, control: index > 0, steering: { terms, scope } };
    }),
  );
}

/** Mean projection of each variant's completion of one prompt at the ends of its sentences. */
async function scoreVariants(
  engine: ScoringEngine,
  { layer, template, sampling }: CompletionEffectRequest,
  prompt: string,
  variants: readonly (Steering | null)[],
  directions: Float32Array,
  signal: AbortSignal,
): Promise<number[]> {
  const input = { text: prompt };
  const { promptIds, completions } = await engine.generate(
    { input, template, variants, sampling },
    { signal },
  );
  const inputs = completions.map(({ ids }) => ({
    ids: Int32Array.of(...promptIds, ...ids),
    textStart: promptIds.length,
  }));
  const request = { inputs, template: "none" as const };
  const texts = await engine.tokenize(request, { signal });
  const read = await engine.project({ ...request, directions, count: 1, steering: null }, { signal });
  return read.map(({ ids, projections }, variant) => {
    const row = projections.subarray((layer + 1) * ids.length, (layer + 2) * ids.length);
    return mean(sentenceEnds(texts[variant]!.pieces, promptIds.length).map((token) => row[token]!));
  });
}

const sentenceEnd = /[.!?。！？]["'”’)]*\s*$/u;

/** Tokens from `start` on that end a sentence; the last token where none does. */
export function sentenceEnds(pieces: readonly string[], start: number): number[] {
  const ends = pieces.flatMap((piece, token) => (token >= start && sentenceEnd.test(piece) ? [token] : []));
  return ends.length > 0 ? ends : [pieces.length - 1];
}

/** [layers + 1, hidden, 1] with `direction` at the output of block `layer` and zeros elsewhere. */
function directionAt(direction: Float32Array, layer: number, layers: number): Float32Array {
  const directions = new Float32Array((layers + 1) * direction.length);
  directions.set(direction, (layer + 1) * direction.length);
  return directions;
}
