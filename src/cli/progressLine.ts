import type { Progress } from "../shared/engineContract.ts";
import type { Output } from "./context.ts";
import { printable } from "./text.ts";

type Step = Extract<Progress, { kind: "step" }>;

/** A terminal is not redrawn more often than this. */
const redrawMilliseconds = 100;
/** A rate over less time than this is a guess. */
const rateAfterMilliseconds = 500;

/** One line that is rewritten in place while something runs, on a terminal; silent elsewhere. */
export class ProgressLine {
  readonly #output: Output;
  readonly #now: () => number;
  #stage = "";
  #since = 0;
  #doneBefore = 0;
  #drawn = -Infinity;
  #isShown = false;

  constructor(output: Output, now: () => number = () => performance.now()) {
    this.#output = output;
    this.#now = now;
  }

  update(step: Step): void {
    if (!this.#output.isTerminal) return;
    const now = this.#now();
    if (step.stage !== this.#stage) {
      this.#stage = step.stage;
      this.#since = now;
      this.#doneBefore = step.done;
      this.#drawn = -Infinity;
    }
    if (now - this.#drawn < redrawMilliseconds) return;
    this.#drawn = now;
    this.#isShown = true;
    const line = describeStep(step, this.#doneBefore, now - this.#since);
    this.#output.write(`\r\x1b[K${line.slice(0, Math.max(this.#output.columns - 1, 20))}`);
  }

  clear(): void {
    if (this.#isShown) this.#output.write("\r\x1b[K");
    this.#isShown = false;
    this.#drawn = -Infinity;
  }
}

/** `Capture 40/178 examples, 45/s, 3 s left`; rate and time once they can be known. */
function describeStep(step: Step, doneBefore: number, elapsed: number): string {
  const count = `${printable(step.stage)} ${step.done}/${step.total} ${printable(step.unit)}`;
  const rate = ((step.done - doneBefore) / elapsed) * 1000;
  if (elapsed < rateAfterMilliseconds || !(rate > 0)) return count;
  const seconds = Math.ceil((step.total - step.done) / rate);
  const left = seconds < 100 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
  return `${count}, ${rate < 10 ? rate.toFixed(1) : Math.round(rate)}/s, ${left} left`;
}
