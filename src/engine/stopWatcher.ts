import type { TextStream } from "./generate.ts";

/** Gathers a row's text, ends it at the first stop string, and holds back text that may be the beginning of one. */
export class StopWatcher {
  readonly #stream: TextStream | null;
  readonly #stop: readonly string[];
  #emitted = "";
  #held = "";
  #stopped = false;

  constructor(stream: TextStream | null, stop: readonly string[]) {
    this.#stream = stream;
    this.#stop = stop.filter((text) => text !== "");
  }

  /** Whether a stop string was reached; nothing comes after it. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** All text decided so far. */
  get text(): string {
    return this.#emitted;
  }

  /** The text that one more token decides. */
  push(id: number): string {
    return this.#stream === null ? "" : this.#take(this.#stream.push(id), false);
  }

  /** The text that was still held back. */
  end(): string {
    return this.#stream === null ? "" : this.#take(this.#stream.end(), true);
  }

  #take(text: string, isEnd: boolean): string {
    if (this.#stopped) return "";
    const waiting = this.#held + text;
    const hits = this.#stop.map((stop) => waiting.indexOf(stop)).filter((at) => at >= 0);
    if (hits.length > 0) this.#stopped = true;
    const cut =
      hits.length > 0
        ? Math.min(...hits)
        : isEnd
          ? waiting.length
          : waiting.length - this.#possibleStart(waiting);
    const emit = waiting.slice(0, cut);
    this.#held = this.#stopped ? "" : waiting.slice(cut);
    this.#emitted += emit;
    return emit;
  }

  /** How many characters at the end may begin a stop string. */
  #possibleStart(text: string): number {
    let longest = 0;
    for (const stop of this.#stop) {
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
        if (text.endsWith(stop.slice(0, length))) longest = length;
      }
    }
    return longest;
  }
}
