/**
 * Does a vector move what the model writes, and does a random vector of the same norm not? Completions are read back
 * without steering and projected on the unit vector at its layer, so that the measure is the separation that the
 * vector was made for and not the addition itself.
 */
import type { Sampling, Steering } from "../shared/engineContract.ts";
import type { Engine } from "../shared/engineProxy.ts";
import type { Scope } from "../shared/scope.ts";
import type { Template } from "../shared/tokenInput.ts";
import { norm, scale, unit } from "../steering/algebra.ts";
import { SeededRandom } from "../steering/random.ts";
import { bootstrapInterval, mean, type Interval } from "../steering/statistics.ts";

export interface CompletionEffectRequest {
  readonly prompts: readonly string[];
  readonly layer: number;
  readonly layers: number;
  /** [hidden], as it is added at strength 1. */
  readonly vector: Float32Array;
  readonly strengths: readonly number[];
  readonly scope: Scope;
  readonly template: Template;
  readonly sampling: Sampling;
  readonly seed: number;
}

/** Change of the mean projection of completions against the unsteered completion of the same prompt. */
export interface MeasuredEffect {
  readonly strength: number;
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

/** Generates every variant of every prompt and measures it. Throws what the engine throws. */
export async function measureCompletionEffect(
  engine: Pick<Engine, "generate" | "project">,
  request: CompletionEffectRequest,
  options: { readonly signal: AbortSignal; readonly onProgress: (done: number, total: number) => void },
): Promise<CompletionEffect> {
  const { layer, vector, strengths, scope, prompts } = request;
  const control = controlVector(vector, request.seed);
  const variants = [false, true].flatMap((isControl) =>
    strengths.map((strength): Variant => {
      const term = { layer, vector: isControl ? control : vector, strength };
      return { strength, control: isControl, steering: { terms: [term], scope } };
    }),
  );
  const directions = directionAt(unit(vector), layer, request.layers);
  // [variants + 1][prompts], unsteered first.
  const projections: number[][] = [[], ...variants.map((): number[] => [])];
  for (const [index, prompt] of prompts.entries()) {
    options.onProgress(index, prompts.length);
    const { promptIds, completions } = await engine.generate(
      {
        input: { text: prompt },
        template: request.template,
        variants: [null, ...variants.map(({ steering }) => steering)],
        sampling: request.sampling,
      },
      { signal: options.signal },
    );
    const inputs = completions.map(({ ids }) => ({
      ids: Int32Array.of(...promptIds, ...ids),
      textStart: promptIds.length,
    }));
    const read = await engine.project(
      { inputs, template: "none", directions, count: 1, steering: null },
      { signal: options.signal },
    );
    read.forEach((own, variant) => {
      const tokens = own.ids.length;
      const completion = own.projections.subarray(
        (layer + 1) * tokens + promptIds.length,
        (layer + 2) * tokens,
      );
      projections[variant]!.push(mean(completion));
    });
  }
  options.onProgress(prompts.length, prompts.length);
  const base = projections[0]!;
  return {
    layer,
    unsteered: mean(base),
    effects: variants.map(({ strength, control: isControl }, index) => {
      const changes = projections[index + 1]!.map((value, prompt) => value - base[prompt]!);
      return {
        strength,
        control: isControl,
        change: mean(changes),
        interval: bootstrapInterval(changes, mean, { seed: request.seed }),
        prompts: prompts.length,
      };
    }),
  };
}

/** A seeded Gaussian direction with the norm of `vector`. */
export function controlVector(vector: Float32Array, seed: number): Float32Array {
  const random = new SeededRandom(seed, vector.length);
  const direction = Float32Array.from(vector, () => random.gaussian());
  return scale(unit(direction), norm(vector));
}

/** [layers + 1, hidden, 1] with `direction` at the output of block `layer` and zeros elsewhere. */
function directionAt(direction: Float32Array, layer: number, layers: number): Float32Array {
  const directions = new Float32Array((layers + 1) * direction.length);
  directions.set(direction, (layer + 1) * direction.length);
  return directions;
}
