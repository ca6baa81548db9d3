import { setImmediate as nextTurn } from "node:timers/promises";

/** Longer than this nothing may keep the extension host, which all extensions share. */
const sliceMilliseconds = 10;

/** Runs a computation to its end and lets other work through between its steps. Throws what it throws. */
export async function inSlices<T>(steps: Generator<unknown, T>): Promise<T> {
  let sliceStart = performance.now();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (performance.now() - sliceStart > sliceMilliseconds) {
      await nextTurn();
      sliceStart = performance.now();
    }
  }
}
