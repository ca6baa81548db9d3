/**
 * The engine as the editor and the command line use it: a process that is started on first use, stopped when idle, and
 * started again after a crash, with the model that was loaded. Callers see one engine that never goes away.
 */
import {
  engineContractVersion,
  type EngineInfo,
  type EngineMethod,
  type EngineProcessOptions,
  type EngineRequest,
  type EngineResult,
} from "../shared/engineContract.ts";
import { engineProxy, type CallOptions, type Engine } from "../shared/engineProxy.ts";
import { SteerscopeError } from "../shared/errors.ts";
import { EngineProcess, type EngineEvent } from "./engineProcess.ts";
import { checkFolderWritable } from "./files.ts";

export interface EngineClientOptions extends EngineProcessOptions {
  /** File of the engine's bundle, dist/engine.js. */
  readonly enginePath: string;
  /** The process ends after this long without a call; default five minutes. */
  readonly idleMilliseconds?: number;
  /** A cancelled job that goes on for longer than this costs the process; default five seconds. */
  readonly cancelGraceMilliseconds?: number;
  /** The engine yields to everything else on the machine; default false. */
  readonly isBackground?: boolean;
  /** Added to the environment of the process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Hears of every process: its start, its log, its end. Must not throw. */
  readonly onEvent?: (event: EngineEvent) => void;
}

/** What may change while the client lives: idle time counts at once, the rest when a process starts next. */
export type EngineClientChanges = Pick<
  EngineClientOptions,
  "idleMilliseconds" | "threads" | "activationCacheLimitBytes"
>;

/** Loading the native library from a cold disk takes seconds; longer than this is a process that does not speak. */
const startLimitMilliseconds = 60_000;

/** Methods that do not need the model that was loaded before a restart. */
const modelFree: ReadonlySet<EngineMethod> = new Set<EngineMethod>([
  "hello",
  "listModels",
  "load",
  "unload",
  "clearCaches",
]);

interface Running {
  readonly process: EngineProcess;
  /** Resolves when the engine has said its version. */
  readonly ready: Promise<void>;
  /** The model of an earlier process was loaded again, or a caller has asked for another one since. */
  modelSettled: boolean;
}

export class EngineClient {
  /** The methods of the contract as functions. */
  readonly engine: Engine = engineProxy((method, request, options) => this.call(method, request, options));
  #options: EngineClientOptions;
  #running: Running | undefined;
  /** The last model that a caller loaded. */
  #model: string | null = null;
  /** Requests leave in the order of their calls, also while the process starts. */
  #turn: Promise<unknown> = Promise.resolve();
  #pending = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  #disposed = false;

  constructor(options: EngineClientOptions) {
    this.#options = options;
  }

  /** Process id of the engine, undefined while there is none. */
  get pid(): number | undefined {
    return this.#running?.process.alive === true ? this.#running.process.pid : undefined;
  }

  /**
   * Sends one call. Rejects with the engine's typed error, EngineCrashed when its process dies (the next call starts
   * another), EngineMismatch when it is of another version, FileUnwritable when its cache folder cannot be used, or
   * Cancelled after `options.signal` or `dispose`.
   */
  async call<M extends EngineMethod>(
    method: M,
    request: EngineRequest<M>,
    options: CallOptions = {},
  ): Promise<EngineResult<M>> {
    const { signal } = options;
    if (this.#disposed) throw stopped();
    if (signal?.aborted) throw cancelled();
    clearTimeout(this.#idleTimer);
    this.#pending++;
    try {
      const sent = this.#turn.then(() => this.#send(method, request, options));
      this.#turn = sent.catch(() => undefined);
      const { answer } = await orAborted(sent, signal);
      const value = await answer;
      if (signal?.aborted) throw cancelled();
      return value as EngineResult<M>;
    } finally {
      this.#pending--;
      this.#waitForIdle();
    }
  }

  configure(changes: EngineClientChanges): void {
    this.#options = { ...this.#options, ...changes };
    this.#waitForIdle();
  }

  /** Ends the process; what waits rejects with Cancelled. Resolves when it is gone. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    clearTimeout(this.#idleTimer);
    this.#running?.process.stop(stopped());
    await this.#running?.process.ended;
  }

  #start(): Running {
    if (this.#running?.process.alive === true) return this.#running;
    const engineProcess = new EngineProcess({
      cancelGraceMilliseconds: 5000,
      isBackground: false,
      env: {},
      ...this.#options,
    });
    this.#running = {
      process: engineProcess,
      ready: greet(engineProcess),
      modelSettled: this.#model === null,
    };
    return this.#running;
  }

  /** A process that is ready, started where there is none. */
  async #living(): Promise<Running> {
    const known = this.#running?.process;
    // An idle process may have died a moment ago without this one knowing; a request sent to it would be lost.
    if (known?.alive === true && known.pending === 0) await greet(known).catch(() => undefined);
    if (this.#running?.process.alive !== true) {
      // The engine would end with it, and could not say more than that it did not start.
      await checkFolderWritable(this.#options.cacheFolder);
      if (this.#disposed) throw stopped();
    }
    const running = this.#start();
    await running.ready;
    return running;
  }

  /** Resolves once the request is on its way, so that the next one can follow; the answer is awaited apart from that. */
  async #send<M extends EngineMethod>(
    method: M,
    request: EngineRequest<M>,
    options: CallOptions,
  ): Promise<{ readonly answer: Promise<unknown> }> {
    if (this.#disposed) throw stopped();
    if (options.signal?.aborted) throw cancelled();
    const running = await this.#living();
    if (!running.modelSettled && !modelFree.has(method)) {
      const { onProgress } = options;
      await running.process.call(
        "load",
        { model: this.#model },
        onProgress === undefined ? {} : { onProgress },
      );
      running.modelSettled = true;
    }
    if (options.signal?.aborted) throw cancelled();
    const answer = this.#rememberModel(
      running,
      method,
      request,
      running.process.call(method, request, options),
    );
    // It may reject before anyone has come to wait for it.
    answer.catch(() => undefined);
    return { answer };
  }

  /** Keeps what a caller loads, for the process that may have to follow this one. */
  async #rememberModel<M extends EngineMethod>(
    running: Running,
    method: M,
    request: EngineRequest<M>,
    answer: Promise<unknown>,
  ): Promise<unknown> {
    if (method !== "load" && method !== "unload") return answer;
    const before = running.modelSettled;
    running.modelSettled = true;
    try {
      const value = await answer;
      this.#model = method === "load" ? (request as EngineRequest<"load">).model : null;
      return value;
    } catch (error) {
      running.modelSettled = before;
      throw error;
    }
  }

  #waitForIdle(): void {
    clearTimeout(this.#idleTimer);
    if (this.#pending > 0 || this.#disposed) return;
    this.#idleTimer = setTimeout(() => {
      this.#running?.process.stop(stopped());
    }, this.#options.idleMilliseconds ?? 300_000);
    this.#idleTimer.unref();
  }
}

/** Asks the version before anything else. Rejects with EngineMismatch, or EngineCrashed when nothing answers. */
async function greet(engineProcess: EngineProcess): Promise<void> {
  const timer = setTimeout(() => {
    engineProcess.kill(
      new SteerscopeError("EngineCrashed", "The engine process did not answer when it was started.", {
        remedy: "Install the program again, or run steerscope doctor.",
      }),
    );
  }, startLimitMilliseconds);
  try {
    const info = (await engineProcess.call("hello", undefined)) as Partial<EngineInfo> | null;
    if (info?.contractVersion !== engineContractVersion) {
      const mismatch = new SteerscopeError(
        "EngineMismatch",
        `The engine speaks version ${info?.contractVersion ?? "unknown"} of the contract, this program version ${engineContractVersion}.`,
        {
          remedy:
            "It was updated while it ran: reload the window, or start the command again. If that does not help, install it again.",
        },
      );
      engineProcess.stop(mismatch);
      throw mismatch;
    }
  } finally {
    clearTimeout(timer);
  }
}

/** `promise`, unless `signal` is aborted first. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(cancelled());
    };
    signal.addEventListener("abort", abort, { once: true });
    void promise.then(resolve, reject).finally(() => {
      signal.removeEventListener("abort", abort);
    });
  });
}

function cancelled(): SteerscopeError {
  return new SteerscopeError("Cancelled", "Stopped.");
}

function stopped(): SteerscopeError {
  return new SteerscopeError("Cancelled", "The engine was stopped.");
}
