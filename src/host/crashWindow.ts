/** Back-off: after three crashes within two minutes nothing starts again until a person says so. */
const maximumCrashes = 3;
const windowMilliseconds = 120_000;

export class CrashWindow {
  #times: readonly number[] = [];
  #isBlocked = false;

  /** Stays true until `forget`. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** Notes a crash at `now`, in milliseconds of any clock that goes forward. */
  add(now: number): void {
    this.#times = [...this.#times.filter((time) => now - time < windowMilliseconds), now];
    this.#isBlocked ||= this.#times.length >= maximumCrashes;
  }

  forget(): void {
    this.#times = [];
    this.#isBlocked = false;
  }
}
