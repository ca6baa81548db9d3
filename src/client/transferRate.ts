/** Speed of a transfer over its last seconds, and the time that is left. */

const windowMilliseconds = 5000;
/** A rate over less time than this is a guess. */
const leastMilliseconds = 500;

export class TransferRate {
  readonly #now: () => number;
  #samples: { readonly time: number; readonly bytes: number }[] = [];

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Bytes per second once `done` bytes are there; null while it cannot be known. */
  update(done: number): number | null {
    const time = this.#now();
    const last = this.#samples.at(-1);
    // A part that was thrown away: what came before says nothing.
    if (last !== undefined && done < last.bytes) this.#samples = [];
    this.#samples.push({ time, bytes: done });
    while (this.#samples.length > 2 && time - this.#samples[1]!.time >= windowMilliseconds)
      this.#samples.shift();
    const first = this.#samples[0]!;
    const elapsed = time - first.time;
    if (elapsed < leastMilliseconds || done === first.bytes) return null;
    return ((done - first.bytes) / elapsed) * 1000;
  }
}
