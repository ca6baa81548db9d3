/** From the engine's count of tokens to "pair i of n, s left". */

export interface PairProgress {
  /** 1-based; the one that is read now. */
  readonly current: number;
  readonly total: number;
  /** null until the rate can be told. */
  readonly secondsLeft: number | null;
}

/** Shorter than this the rate is that of the first batch alone. */
const settledMilliseconds = 1000;
/** An estimate that rises by less than this is noise, and a count that goes up and down helps nobody. */
const notableRise = 1.2;

/**
 * Estimates by tokens: `update(done, total, now)` for `pairs` pairs (or examples). Times in milliseconds. Tokens that come from a
 * cache are done when the count begins, so the rate is that of tokens since then.
 */
export function pairProgress(pairs: number): (done: number, total: number, now: number) => PairProgress {
  let start: { readonly done: number; readonly now: number } | undefined;
  let shown = 0;
  return (done, total, now) => {
    start ??= { done, now };
    const share = total > 0 ? Math.min(1, done / total) : 0;
    const elapsed = now - start.now;
    const advanced = done - start.done;
    const isSettled = elapsed >= settledMilliseconds && advanced > 0;
    if (isSettled) {
      const secondsLeft = Math.ceil(((total - done) * elapsed) / advanced / 1000);
      if (secondsLeft < shown || secondsLeft > notableRise * shown) shown = secondsLeft;
    }
    return {
      current: Math.min(pairs, Math.floor(share * pairs) + 1),
      total: pairs,
      secondsLeft: isSettled ? shown : null,
    };
  };
}
