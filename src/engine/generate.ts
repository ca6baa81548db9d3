/** Decoding of several variants (unsteered, steered, a ladder of strengths) as one batch. */
import type {
  Completion,
  FinishReason,
  GenerateResult,
  Sampling,
  Steering,
} from "../shared/engineContract.ts";
import { isSteered } from "../shared/scope.ts";
import { SteerscopeError } from "../shared/errors.ts";
import { throwIfCancelled } from "./asyncEngine.ts";
import { gatherRows, type KvCache } from "./kvCache.ts";
import { checkIds, prefill } from "./prefill.ts";
import { TokenSampler } from "./sampler.ts";
import type { ModelSession } from "./session.ts";
import { SteeringRows, hasEffect } from "./steeringRows.ts";
import { StopWatcher } from "./stopWatcher.ts";

/** Rows are nearly free up to eight and memory grows with each; more than this is a mistake. */
const maximumVariants = 64;

/** Tokens that a fixed cache makes room for ahead of need: attention goes over all of it, used or not. */
const roomAhead = 128;

export interface GenerateOptions {
  readonly promptIds: Int32Array;
  readonly variants: readonly (Steering | null)[];
  readonly sampling: Sampling;
  readonly endOfSequenceIds: readonly number[];
  /** A fresh incremental detokeniser a row; null where the model has no tokenizer. */
  readonly newTextStream: (() => TextStream) | null;
  readonly signal: AbortSignal;
  readonly onToken: (variant: number, id: number, text: string) => void;
}

/** Turns ids into text that is certain, never half a character. */
export interface TextStream {
  push(id: number): string;
  /** What is still held back. */
  end(): string;
}

interface Row {
  readonly variant: number;
  readonly steering: Steering | null;
  readonly sampler: TokenSampler;
  readonly text: StopWatcher;
  /** Prompt and completion, for the repetition penalty. */
  readonly history: number[];
  readonly ids: number[];
  readonly logProbabilities: number[];
  finish: FinishReason | null;
}

/** Generates one completion a variant. Throws InvalidRequest, ContextTooLong or Cancelled. */
export async function generate(session: ModelSession, options: GenerateOptions): Promise<GenerateResult> {
  const { promptIds, variants, sampling } = options;
  if (variants.length === 0 || variants.length > maximumVariants) {
    throw new SteerscopeError(
      "InvalidRequest",
      `A call takes 1 to ${maximumVariants} variants, not ${variants.length}.`,
    );
  }
  checkIds(session, promptIds);
  const rows = variants.map((steering, variant): Row => {
    return {
      variant,
      steering: hasEffect(steering) ? steering : null,
      sampler: new TokenSampler(sampling, sampling.seed),
      text: new StopWatcher(options.newTextStream?.() ?? null, sampling.stop),
      history: Array.from(promptIds),
      ids: [],
      logProbabilities: [],
      finish: null,
    };
  });
  const started = performance.now();
  const cache = await prefillRows(session, options, rows);
  const prefilled = performance.now();
  const decodeSteps = await decode(session, options, rows, cache);
  return {
    promptIds,
    completions: rows.map(completionOf),
    prefillMilliseconds: prefilled - started,
    decodeMilliseconds: performance.now() - prefilled,
    decodeSteps,
  };
}

/**
 * All prompt tokens but the last, which decodes as the first step of the batch: so an unsteered prompt (scope
 * after-prompt) is computed once for all rows, and only rows that steer inside the prompt have their own.
 */
async function prefillRows(
  session: ModelSession,
  options: GenerateOptions,
  rows: readonly Row[],
): Promise<KvCache> {
  const { promptIds, sampling, signal } = options;
  const capacity = promptIds.length + Math.min(sampling.maxTokens, roomAhead);
  const ids = promptIds.subarray(0, promptIds.length - 1);
  const prompts = new Map<Steering | null, KvCache>();
  for (const row of rows) {
    const key = promptSteering(row.steering, promptIds.length);
    if (prompts.has(key)) continue;
    const steering = key === null ? null : new SteeringRows(session, [key], promptIds.length);
    const cache = await prefill(session, { ids, cache: null, steering, keepCache: true, capacity, signal });
    prompts.set(key, cache ?? session.newCache(1, capacity));
  }
  const caches = rows.map((row) => ({
    cache: prompts.get(promptSteering(row.steering, promptIds.length))!,
    row: 0,
  }));
  return rows.length === 1
    ? caches[0]!.cache
    : gatherRows(session.model.graph.cache, caches, session.hasFixedCache ? capacity : 0);
}

/** The steering that acts on the prompt before its last token, or null. */
function promptSteering(steering: Steering | null, promptLength: number): Steering | null {
  if (steering === null) return null;
  for (let index = 0; index < promptLength - 1; index++) {
    if (isSteered(steering.scope, index, promptLength)) return steering;
  }
  return null;
}

async function decode(
  session: ModelSession,
  options: GenerateOptions,
  rows: readonly Row[],
  prompt: KvCache,
): Promise<number> {
  const { promptIds, sampling, signal } = options;
  let open = [...rows];
  let cache = prompt;
  let steering = steeringOf(session, open, promptIds.length);
  let steps = 0;
  if (sampling.maxTokens === 0) for (const row of open) row.finish = "max-tokens";
  while (open.some((row) => row.finish === null)) {
    throwIfCancelled(signal);
    const position = promptIds.length - 1 + steps;
    if (session.hasFixedCache && cache.length === cache.capacity) {
      cache = gatherRows(session.model.graph.cache, allRows(cache), cache.capacity + roomAhead);
    }
    const count = open.length;
    const result = await session.run({
      batch: count,
      tokens: 1,
      ids: Int32Array.from(open, (row) => row.ids.at(-1) ?? promptIds.at(-1)!),
      cache,
      keepCache: true,
      steering: steering.at(position, 1),
      logitRows: Int32Array.from({ length: count }, (_, row) => row),
    });
    cache = result.cache!;
    steps++;
    const vocabulary = result.logits.length / count;
    open.forEach((row, index) => {
      const logits = result.logits.subarray(index * vocabulary, (index + 1) * vocabulary);
      acceptToken(row, logits, options, position + 1 >= session.model.config.contextLength);
    });
    const still = open.flatMap((row, index) => (row.finish === null ? [{ cache, row: index }] : []));
    if (still.length < count && still.length > 0) {
      cache = gatherRows(session.model.graph.cache, still, session.hasFixedCache ? cache.capacity : 0);
      open = open.filter((row) => row.finish === null);
      steering = steeringOf(session, open, promptIds.length);
    }
  }
  return steps;
}

function allRows(cache: KvCache): { cache: KvCache; row: number }[] {
  return Array.from({ length: cache.batch }, (_, row) => ({ cache, row }));
}

function steeringOf(session: ModelSession, rows: readonly Row[], promptLength: number): SteeringRows {
  return new SteeringRows(
    session,
    rows.map((row) => row.steering),
    promptLength,
  );
}

function acceptToken(row: Row, logits: Float32Array, options: GenerateOptions, contextFull: boolean): void {
  const { id, logProbability } = row.sampler.sample(logits, row.history);
  row.ids.push(id);
  row.history.push(id);
  row.logProbabilities.push(logProbability);
  if (options.endOfSequenceIds.includes(id)) row.finish = "end-of-text";
  const text = row.finish === null ? row.text.push(id) : row.text.end();
  if (row.text.stopped) row.finish ??= "stop";
  else if (row.ids.length >= options.sampling.maxTokens) row.finish ??= "max-tokens";
  else if (contextFull) row.finish ??= "context-full";
  const rest = row.finish === null || row.finish === "end-of-text" ? "" : row.text.end();
  options.onToken(row.variant, id, text + rest);
}

function completionOf(row: Row): Completion {
  return {
    ids: Int32Array.from(row.ids),
    text: row.text.text,
    logProbabilities: Float32Array.from(row.logProbabilities),
    finish: row.finish ?? "max-tokens",
  };
}
