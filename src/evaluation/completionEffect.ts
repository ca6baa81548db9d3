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

/**
 * The side of the 95 % interval: the strength's own, the other, or across 0. Strength 0 is unclear: it has no side.
 */
export type Movement = "intended" | "reversed" | "unclear";

/** Change of the mean projection of completions against the unsteered completion of the same prompt. */
export interface StrengthEffect {
  readonly strength: number;
  /** Mean over prompts, in units of the residual stream. */
  readonly change: number;
  /** 95 % bootstrap interval over prompts. */
  readonly interval: Interval;
  readonly movement: Movement;
}

/** What steering with one direction does at each strength. */
export interface DirectionEffect {
  /** In the order of the request. */
  readonly strengths: readonly StrengthEffect[];
  /** The movement is the intended one at every strength but 0, of which there is one at least. */
  readonly movesAsIntended: boolean;
  /** Sum over strengths of change times the strength's sign: how far apart the signs come. */
  readonly response: number;
}

export interface CompletionEffect {
  readonly layer: number;
  readonly prompts: number;
  /** Mean projection of the unsteered completions. */
  readonly unsteered: number;
  readonly vector: DirectionEffect;
  /** Each random direction by itself: their average would hide how far single ones go. */
  readonly controls: readonly DirectionEffect[];
  /** 1: no random direction has a response of the vector's size or more, to whichever side: sides are chance too. */
  readonly rank: number;
}

type ScoringEngine = Pick<Engine, "generate" | "project" | "tokenize">;

/** Generates every variant of every prompt and measures it. Throws what the engine throws. */
export async function measureCompletionEffect(
  engine: ScoringEngine,
  request: CompletionEffectRequest,
  options: { readonly signal: AbortSignal; readonly onProgress: (done: number, total: number) => void },
): Promise<CompletionEffect> {
  const { layer, vector, prompts, strengths, scope } = request;
  const steered = directionsOf(request);
  const variants = steered.flatMap((direction) =>
    strengths.map((strength): Steering => ({ terms: [{ layer, vector: direction, strength }], scope })),
  );
  const directions = directionAt(unit(vector), layer, request.layers);
  // [variants + 1][prompts], unsteered first.
  const scores: number[][] = [[], ...variants.map((): number[] => [])];
  for (const [index, prompt] of prompts.entries()) {
    options.onProgress(index, prompts.length);
    const own = await scoreVariants(engine, request, prompt, [null, ...variants], directions, options.signal);
    own.forEach((score, variant) => {
      scores[variant]!.push(score);
    });
  }
  options.onProgress(prompts.length, prompts.length);
  const [unsteered, ...rows] = scores as [number[], ...number[][]];
  const [own, ...controls] = steered.map((_, index) => {
    const first = index * strengths.length;
    return directionEffect(strengths, unsteered, rows.slice(first, first + strengths.length), request.seed);
  }) as [DirectionEffect, ...DirectionEffect[]];
  return {
    layer,
    prompts: prompts.length,
    unsteered: mean(unsteered),
    vector: own,
    controls,
    rank: 1 + controls.filter(({ response }) => Math.abs(response) >= Math.abs(own.response)).length,
  };
}

/** `rows`: scores by strength and prompt. */
function directionEffect(
  strengths: readonly number[],
  unsteered: readonly number[],
  rows: readonly (readonly number[])[],
  seed: number,
): DirectionEffect {
  const effects = strengths.map((strength, index): StrengthEffect => {
    const changes = unsteered.map((base, prompt) => rows[index]![prompt]! - base);
    const interval = bootstrapInterval(changes, mean, { seed });
    return { strength, change: mean(changes), interval, movement: movementOf(strength, interval) };
  });
  const tried = effects.filter(({ strength }) => strength !== 0);
  return {
    strengths: effects,
    movesAsIntended: tried.length > 0 && tried.every(({ movement }) => movement === "intended"),
    response: effects.reduce((sum, { strength, change }) => sum + Math.sign(strength) * change, 0),
  };
}

function movementOf(strength: number, { low, high }: Interval): Movement {
  const side = low > 0 ? 1 : high < 0 ? -1 : 0;
  if (side === 0 || strength === 0) return "unclear";
  return side === Math.sign(strength) ? "intended" : "reversed";
}

/** The vector, and random directions of its norm. */
function directionsOf({ vector, controls, seed }: CompletionEffectRequest): Float32Array[] {
  return [
    vector,
    ...Array.from({ length: controls }, (_, index) =>
      Float32Array.from(randomDirection(vector.length, norm(vector), seed, index)),
    ),
  ];
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
