/** Reads all tokens of one input: residual stream, projections, logits. */
import type { Steering } from "../shared/engineContract.ts";
import { SteerscopeError } from "../shared/errors.ts";
import { checkIds, readChunks } from "./prefill.ts";
import { identityPools } from "./pools.ts";
import type { ModelSession } from "./session.ts";

export interface EveryTokenOptions {
  readonly steering: Steering | null;
  /** What the steering's scope calls the prompt. */
  readonly promptLength: number;
  readonly resid: boolean;
  readonly logits: boolean;
  /** [layers + 1, hidden, count] */
  readonly directions: { readonly values: Float32Array; readonly count: number } | null;
  readonly signal: AbortSignal;
}

export interface EveryToken {
  /** [layers + 1, tokens, hidden], after steering; empty unless asked for. */
  readonly resid: Float32Array;
  /** [layers + 1, tokens, count]; empty unless asked for. */
  readonly projections: Float32Array;
  /** [tokens, vocabulary]; empty unless asked for. */
  readonly logits: Float32Array;
}

/** A typed array holds at most this many bytes everywhere. */
const maximumBytes = 4 * 1024 ** 3;

/** Runs one input in chunks. Throws InvalidRequest, ContextTooLong or Cancelled. */
export async function readEveryToken(
  session: ModelSession,
  ids: Int32Array,
  options: EveryTokenOptions,
): Promise<EveryToken> {
  checkIds(session, ids);
  const points = session.layers + 1;
  const count = options.directions?.count ?? 0;
  const width = (options.resid ? points * session.hidden : 0) + points * count;
  if (ids.length * Math.max(width, options.logits ? session.model.config.vocabulary : 0) * 4 > maximumBytes) {
    throw new SteerscopeError("InvalidRequest", "The activations of this text are too large to hold.", {
      remedy: "Use a shorter text.",
    });
  }
  const resid = new Float32Array(options.resid ? points * ids.length * session.hidden : 0);
  const projections = new Float32Array(points * ids.length * count);
  let logits = new Float32Array(0);
  const { steering, promptLength, signal } = options;
  await readChunks(session, {
    ids,
    steering,
    promptLength,
    signal,
    request: (_, tokens) => ({
      ...(options.resid ? { pool: { weights: identityPools(1, tokens), count: tokens } } : {}),
      ...(options.directions ? { directions: options.directions } : {}),
      ...(options.logits ? { logitRows: Int32Array.from({ length: tokens }, (__, row) => row) } : {}),
    }),
    onChunk: (result, start, tokens) => {
      scatter(result.pooled, resid, points, start, tokens, ids.length, session.hidden);
      scatter(result.projections, projections, points, start, tokens, ids.length, count);
      if (options.logits) {
        const vocabulary = result.logits.length / tokens;
        if (start === 0) logits = new Float32Array(ids.length * vocabulary);
        logits.set(result.logits, start * vocabulary);
      }
    },
  });
  return { resid, projections, logits };
}

/** Puts [points, tokens, width] of a chunk at its place in [points, total, width]. */
function scatter(
  from: Float32Array,
  to: Float32Array,
  points: number,
  start: number,
  tokens: number,
  total: number,
  width: number,
): void {
  if (from.length === 0) return;
  for (let point = 0; point < points; point++) {
    const part = from.subarray(point * tokens * width, (point + 1) * tokens * width);
    to.set(part, (point * total + start) * width);
  }
}
