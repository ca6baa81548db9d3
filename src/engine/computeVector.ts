/** From captured activations to vectors and their measures; runs in the engine process, where the activations are. */
import { setImmediate } from "node:timers/promises";
import type { CapturedTokens, ComputeVectorRequest, ComputeVectorResult } from "../shared/engineContract.ts";
import { computeVectorSteps } from "../steering/computeVectors.ts";
import { measureVectorSteps } from "../steering/measures.ts";
import type { Steps } from "../steering/steps.ts";
import { throwIfCancelled, type JobContext } from "./asyncEngine.ts";

/**
 * `rows`: [positive + negative, layers, hidden], the positive examples first. Throws ExampleSetInvalid, InvalidRequest or
 * Cancelled.
 */
export async function computeVector(
  request: Pick<ComputeVectorRequest, "positive" | "pairs" | "method" | "unit" | "seed">,
  rows: Float32Array,
  layers: number,
  tokens: CapturedTokens,
  context: JobContext,
): Promise<ComputeVectorResult> {
  const hidden = rows.length / (tokens.readIds.length * layers);
  const border = request.positive.length * layers * hidden;
  const set = {
    positives: rows.subarray(0, border),
    negatives: rows.subarray(border),
    pairs: request.pairs,
    layers,
    hidden,
  };
  const { unit, seed, method } = request;
  const vectors = await run("Computing vectors", computeVectorSteps(set, method, { unit, seed }), context);
  const measures = await run("Measuring", measureVectorSteps(set, vectors, method, seed), context);
  return { vectors, measures, tokens };
}

/** Lets the process hear a cancel between the steps. */
async function run<Result>(
  stage: string,
  steps: Steps<Result>,
  { signal, progress }: JobContext,
): Promise<Result> {
  for (;;) {
    throwIfCancelled(signal);
    const step = steps.next();
    if (step.done === true) return step.value;
    progress({ kind: "step", stage, ...step.value, unit: "layers" });
    await setImmediate();
  }
}
