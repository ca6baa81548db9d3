/** An engine behind the contract: what a process serves and what every implementation provides. */
import type { EngineMethod, EngineRequest, EngineResult, Progress } from "../shared/engineContract.ts";
import { SteerscopeError } from "../shared/errors.ts";

/** What a running job knows of its caller. */
export interface JobContext {
  /** Aborted when the caller has given up; long loops look at it between tokens, chunks and batches. */
  readonly signal: AbortSignal;
  readonly progress: (progress: Progress) => void;
}

export type AsyncEngine = {
  readonly [M in EngineMethod]: (request: EngineRequest<M>, context: JobContext) => Promise<EngineResult<M>>;
};

/** Throws Cancelled once the caller has given up. */
export function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw new SteerscopeError("Cancelled", "Stopped.");
}
