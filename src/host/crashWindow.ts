/** Back-off: a process that has just ended again waits, and one that ends too often starts only when a person says so. */
export interface CrashLimits {
  /** Crashes within the window from which nothing starts by itself. */
  readonly maximum: number;
  readonly windowMilliseconds: number;
  /** From the first, second, ... crash within the window to the next start; the last stands for all that follow. */
  readonly pausesMilliseconds: readonly number[];
}

const defaultLimits: CrashLimits = {
  maximum: 3,
  windowMilliseconds: 120_000,
  // One crash may be chance: whoever tries again does not wait.
  pausesMilliseconds: [0, 2000],
};

export class CrashWindow {
  readonly #limits: CrashLimits;
  #times: readonly number[] = [];
  #isBlocked = false;

  constructor(limits = defaultLimits) {
    this.#limits = limits;
  }

  /** Stays true until `forget`. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** Notes a crash at `now`, in milliseconds of any clock that goes forward. */
  add(now: number): void {
    this.#times = [...this.#recent(now), now];
    this.#isBlocked ||= this.#times.length >= this.#limits.maximum;
  }

  /** Milliseconds from `now` until another process may start; 0: at once. */
  pauseAt(now: number): number {
    const last = this.#times.at(-1);
    const { pausesMilliseconds: pauses } = this.#limits;
    const pause = pauses[Math.min(this.#recent(now).length, pauses.length) - 1];
    return last === undefined || pause === undefined ? 0 : Math.max(0, last + pause - now);
  }

  forget(): void {
    this.#times = [];
    this.#isBlocked = false;
  }

  #recent(now: number): readonly number[] {
    return this.#times.filter((time) => now - time < this.#limits.windowMilliseconds);
  }
}
