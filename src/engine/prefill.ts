/** Long inputs run in chunks, so that cancelling and progress find a foothold between them. */
import type { Steering } from "../shared/engineContract.ts";
import { SteerscopeError } from "../shared/errors.ts";
import type { KvCache } from "./kvCache.ts";
import type { ForwardResult, ForwardStep, ModelSession } from "./session.ts";
import { SteeringRows } from "./steeringRows.ts";
import { throwIfCancelled } from "./asyncEngine.ts";

/** Tokens a run: long enough for full matrix speed, short enough that a cancel is felt within a second. */
export const chunkTokens = 256;

/** What a chunk should read, by its place in the input. */
export type ChunkRequest = (
  start: number,
  tokens: number,
) => Pick<ForwardStep, "pool" | "directions" | "logitRows">;

export interface PrefillOptions {
  readonly ids: Int32Array;
  /** Tokens before `ids`, if any. */
  readonly cache: KvCache | null;
  /** One row; null: unsteered. */
  readonly steering: SteeringRows | null;
  /** Whether the cache after the last chunk is wanted. */
  readonly keepCache: boolean;
  /** Tokens that a cache made here must be able to hold in all. */
  readonly capacity: number;
  readonly request?: ChunkRequest;
  readonly onChunk?: (result: ForwardResult, start: number, tokens: number) => void;
  readonly signal: AbortSignal;
}

/** Runs one row of tokens in chunks; the cache after it, or null where it was not wanted. Throws Cancelled. */
export async function prefill(session: ModelSession, options: PrefillOptions): Promise<KvCache | null> {
  const { ids } = options;
  const single = ids.length <= chunkTokens;
  let cache = options.cache ?? (single && !options.keepCache ? null : session.newCache(1, options.capacity));
  const offset = cache?.length ?? 0;
  for (let start = 0; start < ids.length; start += chunkTokens) {
    throwIfCancelled(options.signal);
    const chunk = ids.subarray(start, start + chunkTokens);
    const isLast = start + chunkTokens >= ids.length;
    const result = await session.run({
      batch: 1,
      tokens: chunk.length,
      ids: chunk,
      cache,
      keepCache: options.keepCache || !isLast,
      steering: options.steering?.at(offset + start, chunk.length) ?? null,
      ...options.request?.(start, chunk.length),
    });
    options.onChunk?.(result, start, chunk.length);
    cache = result.cache;
  }
  return cache;
}

export interface ReadOptions extends Pick<PrefillOptions, "ids" | "request" | "onChunk" | "signal"> {
  readonly steering: Steering | null;
  /** What the steering's scope calls the prompt. */
  readonly promptLength: number;
}

/** Runs one whole row of tokens for what its chunks read; no cache stays. Throws Cancelled. */
export async function readChunks(session: ModelSession, options: ReadOptions): Promise<void> {
  const { steering, promptLength, ...rest } = options;
  await prefill(session, {
    ...rest,
    cache: null,
    steering: steering && new SteeringRows(session, [steering], promptLength),
    keepCache: false,
    capacity: options.ids.length,
  });
}

/** Throws ContextTooLong where `tokens` do not fit the model. */
function checkContext(session: ModelSession, tokens: number): void {
  const { contextLength } = session.model.config;
  if (tokens > contextLength) {
    throw new SteerscopeError(
      "ContextTooLong",
      `The input has ${tokens} tokens; this model reads at most ${contextLength}.`,
      {
        remedy: "Shorten the text, or choose a model with a longer context.",
      },
    );
  }
}

/** Throws InvalidRequest for empty inputs and ids outside the vocabulary. */
export function checkIds(session: ModelSession, ids: Int32Array): void {
  if (ids.length === 0) {
    throw new SteerscopeError("InvalidRequest", "The input has no tokens.", { remedy: "Give some text." });
  }
  const { vocabulary } = session.model.config;
  const bad = ids.find((id) => id < 0 || (vocabulary > 0 && id >= vocabulary));
  if (bad !== undefined) {
    throw new SteerscopeError(
      "InvalidRequest",
      `Token id ${bad} is outside this model's vocabulary of ${vocabulary}.`,
      {
        remedy: "Use ids that this model's own tokenizer made.",
      },
    );
  }
  checkContext(session, ids.length);
}
