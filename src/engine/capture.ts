/**
 * Residual-stream activations of many inputs at their read positions. Inputs form a trie of token ids; what they share
 * is computed once: packed as one sequence where the graph takes an attention bias (capturePacked.ts), else prefix by
 * prefix on the KV cache (captureByPrefix.ts). The output head never runs.
 */
import type { CapturedTokens } from "../shared/engineContract.ts";
import { SteerscopeError } from "../shared/errors.ts";
import type { TokenSpan } from "../shared/readPosition.ts";
import { activationKey, type ActivationCache } from "./activationCache.ts";
import { captureByPrefix } from "./captureByPrefix.ts";
import { capturePacked, packTokens } from "./capturePacked.ts";
import { checkIds } from "./prefill.ts";
import type { ModelSession } from "./session.ts";

export interface CaptureInput {
  readonly ids: Int32Array;
  /** The tokens whose rows are averaged. */
  readonly span: TokenSpan;
}

/** Where captured rows are summed up, and which of them are whole. */
export class CaptureTarget {
  /** [inputs, layers + 1, hidden] */
  readonly rows: Float32Array;
  readonly #points: number;
  readonly #hidden: number;
  /** By input: tokens of its span that have not been added. */
  readonly #missing: Int32Array;
  #whole: number[] = [];

  constructor(inputs: readonly CaptureInput[], points: number, hidden: number) {
    this.rows = new Float32Array(inputs.length * points * hidden);
    this.#points = points;
    this.#hidden = hidden;
    this.#missing = Int32Array.from(inputs, ({ span }) => span.end - span.start);
  }

  /**
   * Adds pool `pool` of batch row `row` of a forward result `pooled` [points, batch, pools, hidden], which is the weighted
   * sum of `tokens` tokens, to the row of input `input`.
   */
  add(
    { input, tokens }: { readonly input: number; readonly tokens: number },
    pooled: Float32Array,
    batch: number,
    row: number,
    pools: number,
    pool: number,
  ): void {
    const hidden = this.#hidden;
    for (let point = 0; point < this.#points; point++) {
      const from = ((point * batch + row) * pools + pool) * hidden;
      const to = (input * this.#points + point) * hidden;
      for (let i = 0; i < hidden; i++) this.rows[to + i]! += pooled[from + i]!;
    }
    this.#missing[input]! -= tokens;
    if (this.#missing[input] === 0) this.#whole.push(input);
  }

  /** Inputs whose rows have become whole since the last call. */
  takeWhole(): number[] {
    const whole = this.#whole;
    this.#whole = [];
    return whole;
  }
}

export interface CaptureOptions {
  readonly signal: AbortSignal;
  /** Tokens computed so far and in all. */
  readonly onProgress: (done: number, total: number) => void;
}

export interface CaptureResult {
  /** [inputs, layers + 1, hidden]; row 0 of the middle axis is the embedding. */
  readonly rows: Float32Array;
  readonly tokens: CapturedTokens;
}

/** Keeps one capture's result below what a typed array and a sane memory can hold. */
const maximumResultBytes = 4 * 1024 ** 3;

/** What a process that is killed may lose. */
const keepMilliseconds = 2000;

/** Captures with a cache of earlier captures; what is finished when it is stopped stays there. Throws InvalidRequest, ContextTooLong or Cancelled. */
export async function capture(
  session: ModelSession,
  inputs: readonly CaptureInput[],
  cache: ActivationCache | null,
  modelHash: string,
  options: CaptureOptions,
): Promise<CaptureResult> {
  const points = session.layers + 1;
  const rowSize = points * session.hidden;
  for (const { ids } of inputs) checkIds(session, ids);
  if (inputs.length * rowSize * 4 > maximumResultBytes) {
    throw new SteerscopeError(
      "InvalidRequest",
      `${inputs.length} examples are too many for one computation on this model.`,
      {
        remedy: "Use fewer examples; more than about 80 pairs add little.",
      },
    );
  }
  const keys = inputs.map((input) =>
    activationKey(modelHash, input.ids, `${input.span.start}-${input.span.end}`),
  );
  const known = cache === null ? keys.map(() => undefined) : cache.getMany(keys, rowSize);
  const missing = inputs.flatMap((input, index) => (known[index] === undefined ? [{ input, index }] : []));
  const target = new CaptureTarget(
    missing.map(({ input }) => input),
    points,
    session.hidden,
  );
  const rowOf = (at: number): Float32Array => target.rows.subarray(at * rowSize, (at + 1) * rowSize);
  const keep = (): void => {
    cache?.putMany(target.takeWhole().map((at) => ({ key: keys[missing[at]!.index]!, row: rowOf(at) })));
  };
  const computed = await captureMissing(session, missing, target, keep, options);
  const rows = new Float32Array(inputs.length * rowSize);
  known.forEach((row, index) => {
    if (row !== undefined) rows.set(row, index * rowSize);
  });
  missing.forEach(({ index }, at) => {
    rows.set(rowOf(at), index * rowSize);
  });
  return {
    rows,
    tokens: {
      total: inputs.reduce((sum, { ids }) => sum + ids.length, 0),
      computed,
      fromCache: inputs.length - missing.length,
      readIds: Int32Array.from(inputs, ({ ids, span }) => ids[span.start]!),
    },
  };
}

/** The number of tokens computed. `keep` is called now and then, and at the end whatever the end is. */
async function captureMissing(
  session: ModelSession,
  missing: readonly { readonly input: CaptureInput }[],
  target: CaptureTarget,
  keep: () => void,
  { signal, onProgress }: CaptureOptions,
): Promise<number> {
  if (missing.length === 0) return 0;
  // Tokens after the last one that is read need not be computed.
  const needed = missing.map(({ input: { ids, span } }) => ({ ids: ids.subarray(0, span.end), span }));
  const longest = Math.max(...needed.map(({ ids }) => ids.length));
  const run = session.canPack(longest + packTokens) ? capturePacked : captureByPrefix;
  let kept = performance.now();
  try {
    return await run(session, needed, target, {
      signal,
      onProgress: (done, total) => {
        onProgress(done, total);
        if (performance.now() - kept < keepMilliseconds) return;
        keep();
        kept = performance.now();
      },
    });
  } finally {
    keep();
  }
}
