import { SteerscopeError } from "../shared/errors.ts";

/** How far a long computation is, in units of its own (layers, mostly). */
export interface StepProgress {
  readonly done: number;
  readonly total: number;
}

/**
 * A long computation that hands over control between its steps. A process that must hear a cancel message meanwhile
 * awaits the event loop between two `next()` and drops the generator to stop; others use `runSteps`.
 */
export type Steps<Result> = Generator<StepProgress, Result, undefined>;

export interface LoopControl {
  /** Asked between steps; true ends the computation with Cancelled. */
  readonly shouldStop?: () => boolean;
  readonly onProgress?: (progress: StepProgress) => void;
}

/** Runs a computation to its end on this thread. Throws Cancelled when `shouldStop` says so. */
export function runSteps<Result>(steps: Steps<Result>, control: LoopControl = {}): Result {
  for (;;) {
    if (control.shouldStop?.() === true) throw new SteerscopeError("Cancelled", "Stopped.");
    const step = steps.next();
    if (step.done === true) return step.value;
    control.onProgress?.(step.value);
  }
}
