/** The engine as callers see it: one typed function for each method of the contract. */
import {
  engineMethods,
  type EngineMethod,
  type EngineRequest,
  type EngineResult,
  type Progress,
} from "./engineContract.ts";

export interface CallOptions {
  /** Aborting stops the call, which then rejects with Cancelled. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

/** Every call rejects with a SteerscopeError, and with nothing else. */
export type Engine = {
  readonly [M in EngineMethod]: undefined extends EngineRequest<M>
    ? (request?: undefined, options?: CallOptions) => Promise<EngineResult<M>>
    : (request: EngineRequest<M>, options?: CallOptions) => Promise<EngineResult<M>>;
};

/** Sends one call; what `engineProxy` turns into functions. */
export type CallEngine = <M extends EngineMethod>(
  method: M,
  request: EngineRequest<M>,
  options?: CallOptions,
) => Promise<EngineResult<M>>;

/** An `Engine` whose functions all go through `call`. */
export function engineProxy(call: CallEngine): Engine {
  const functions = engineMethods.map((method) => [
    method,
    (request: EngineRequest<typeof method>, options?: CallOptions) => call(method, request, options),
  ]);
  // The type above says per method what the list of all methods cannot.
  return Object.fromEntries(functions) as Engine;
}
