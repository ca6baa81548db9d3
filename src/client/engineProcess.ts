/**
 * One engine process and the calls that wait on it. The process is started by the constructor and lives once: after
 * its end, or `stop`, every call rejects.
 */
import { fork, type ChildProcess } from "node:child_process";
import { constants, setPriority } from "node:os";
import {
  engineOptionsVariable,
  type EngineAnswer,
  type EngineCall,
  type EngineMethod,
  type EngineProcessOptions,
} from "../shared/engineContract.ts";
import type { CallOptions } from "../shared/engineProxy.ts";
import { SteerscopeError, deserialiseError } from "../shared/errors.ts";
import { EngineLogReader, type EngineLogLine } from "./engineLog.ts";

/** What happens to an engine process besides the calls. */
export type EngineEvent =
  | { readonly kind: "started"; readonly processId: number | undefined }
  | ({ readonly kind: "log" } & EngineLogLine)
  /** `crash`: why, where the process ended by itself; null where this side ended it. */
  | {
      readonly kind: "ended";
      readonly processId: number | undefined;
      readonly crash: SteerscopeError | null;
    };

export interface EngineProcessSettings extends EngineProcessOptions {
  /** File of the engine's bundle. */
  readonly enginePath: string;
  /** How long a job may go on after it was cancelled before the process is killed. */
  readonly cancelGraceMilliseconds: number;
  /** Lets everything else on the machine go first: an editor's windows and typing, while the engine uses all cores. */
  readonly isBackground: boolean;
  /** Added to the environment of the process. */
  readonly env: Readonly<Record<string, string>>;
  readonly onEvent?: (event: EngineEvent) => void;
}

/** How long a process that was asked to end may take before it is killed: a model run does not look at messages. */
const stopGraceMilliseconds = 1000;
const lastWordsMilliseconds = 200;
/** Native libraries explain themselves on standard error just before they abort. */
const keptErrorCharacters = 4000;

interface Waiting {
  readonly onProgress: CallOptions["onProgress"];
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: SteerscopeError) => void;
  /** Takes the listeners and timers of the call away. */
  readonly release: () => void;
}

export class EngineProcess {
  /** Resolves when the process has ended, for whatever reason. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #cancelGraceMilliseconds: number;
  #nextId = 0;
  #errorOutput = "";
  /** Why calls are refused; set once. */
  #over: SteerscopeError | undefined;
  /** `stop` or `kill` was called before the process ended. */
  #isEndedHere = false;

  constructor(settings: EngineProcessSettings) {
    this.#cancelGraceMilliseconds = settings.cancelGraceMilliseconds;
    const { embeddedModels, cacheFolder, threads, activationCacheLimitBytes, onEvent } = settings;
    const options: EngineProcessOptions = {
      embeddedModels,
      cacheFolder,
      ...(threads === undefined ? {} : { threads }),
      ...(activationCacheLimitBytes === undefined ? {} : { activationCacheLimitBytes }),
    };
    const environment: NodeJS.ProcessEnv = {
      ...process.env,
      ...settings.env,
      // In the extension host process.execPath is Electron, which this turns into Node; Node ignores it.
      ELECTRON_RUN_AS_NODE: "1",
      [engineOptionsVariable]: JSON.stringify(options),
    };
    // A debugger or loader of the parent has no business in the engine.
    delete environment["NODE_OPTIONS"];
    this.#child = fork(settings.enginePath, [], {
      execArgv: [],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      env: environment,
    });
    const { pid } = this.#child;
    if (settings.isBackground && pid !== undefined) lowerPriority(pid);
    onEvent?.({ kind: "started", processId: pid });
    let isReported = false;
    const report = (): void => {
      if (isReported) return;
      isReported = true;
      onEvent?.({ kind: "ended", processId: pid, crash: this.#isEndedHere ? null : this.#over! });
    };
    this.ended = new Promise((resolve) => {
      this.#child.once("exit", (code, signal) => {
        // "close" comes after the last message and the last words on standard error, but not when this end disconnected.
        const finish = (): void => {
          clearTimeout(timer);
          this.#finish(crash(code, signal, this.#errorOutput));
          report();
        };
        const timer = setTimeout(finish, this.alive ? lastWordsMilliseconds : 0);
        this.#child.once("close", finish);
        resolve();
      });
      this.#child.once("error", (error) => {
        this.#finish(
          new SteerscopeError("EngineCrashed", "The engine process could not be started or reached.", {
            remedy: "Check that the program is completely installed and that memory is free.",
            detail: error.message,
          }),
        );
        // Without a process id there was no process, and no exit will follow.
        if (this.#child.pid !== undefined) return;
        resolve();
        report();
      });
    });
    this.#child.on("message", (message) => {
      this.#receive(message as EngineAnswer);
    });
    const logReader = new EngineLogReader((line) => onEvent?.({ kind: "log", ...line }));
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errorOutput = (this.#errorOutput + text).slice(-keptErrorCharacters);
      logReader.read(text);
    });
    this.#child.stderr?.once("end", () => {
      logReader.end();
    });
    this.#hold();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** False once the process has ended or was asked to. */
  get alive(): boolean {
    return this.#over === undefined;
  }

  /** Calls that wait for an answer. */
  get pending(): number {
    return this.#waiting.size;
  }

  /** Rejects with what the engine answers, Cancelled after `signal`, or EngineCrashed. */
  call(method: EngineMethod, request: unknown, options: CallOptions = {}): Promise<unknown> {
    const { signal, onProgress } = options;
    if (this.#over !== undefined) return Promise.reject(this.#over);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      let graceTimer: NodeJS.Timeout | undefined;
      const cancel = (): void => {
        this.#send({ type: "cancel", id });
        graceTimer = setTimeout(() => {
          // The engine works in order: the oldest call is the job that does not listen, a younger one only waits for it.
          const [oldest] = this.#waiting.keys();
          this.#settle(id, (waiting) => {
            waiting.reject(new SteerscopeError("Cancelled", "Stopped."));
          });
          if (id !== oldest) return;
          this.kill(
            new SteerscopeError("EngineCrashed", "The engine was restarted to stop a job that did not end.", {
              remedy: "Run this again.",
            }),
          );
        }, this.#cancelGraceMilliseconds);
      };
      this.#waiting.set(id, {
        onProgress,
        resolve,
        reject,
        release: () => {
          clearTimeout(graceTimer);
          signal?.removeEventListener("abort", cancel);
        },
      });
      this.#hold();
      signal?.addEventListener("abort", cancel, { once: true });
      this.#send({ type: "call", id, method, request });
      if (signal?.aborted) cancel();
    });
  }

  /** Asks the process to end, and kills it when it does not; what waits rejects with `reason`. */
  stop(reason: SteerscopeError): void {
    if (this.#over !== undefined) return;
    this.#isEndedHere = true;
    this.#finish(reason);
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), stopGraceMilliseconds);
    void this.ended.then(() => {
      clearTimeout(timer);
    });
  }

  /** Ends the process at once; what waits rejects with `reason`. */
  kill(reason: SteerscopeError): void {
    this.#isEndedHere ||= this.#over === undefined;
    this.#finish(reason);
    this.#child.kill("SIGKILL");
  }

  #send(call: EngineCall): void {
    if (!this.#child.connected) return;
    try {
      this.#child.send(call, (error) => {
        // A process that cannot be reached is dying or of no use; its exit rejects what waits.
        if (error !== null) this.#child.kill("SIGKILL");
      });
    } catch (error) {
      // The value cannot be serialised; nothing was sent.
      this.#settle(call.id, (waiting) => {
        waiting.reject(
          new SteerscopeError("Internal", "A request could not be sent to the engine.", {
            detail: error instanceof Error ? error.message : String(error),
          }),
        );
      });
    }
  }

  #receive(answer: EngineAnswer): void {
    switch (answer.type) {
      case "progress":
        this.#waiting.get(answer.id)?.onProgress?.(answer.progress);
        break;
      case "result":
        this.#settle(answer.id, (waiting) => {
          waiting.resolve(answer.value);
        });
        break;
      case "error":
        this.#settle(answer.id, (waiting) => {
          waiting.reject(deserialiseError(answer.error));
        });
        break;
    }
  }

  #settle(id: number, how: (waiting: Waiting) => void): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    waiting.release();
    how(waiting);
    this.#hold();
  }

  #finish(reason: SteerscopeError): void {
    this.#over ??= reason;
    this.#hold();
    for (const id of [...this.#waiting.keys()]) {
      this.#settle(id, (waiting) => {
        waiting.reject(reason);
      });
    }
  }

  /** Keeps this process alive while calls wait, and while a child that was told to end has not: `ended` is awaited. */
  #hold(): void {
    const how = this.#waiting.size > 0 ? "ref" : "unref";
    this.#child[this.alive ? how : "ref"]();
    this.#child.channel?.[how]();
    // A child's pipe is a socket, which the type of `stderr` hides.
    (this.#child.stderr as { ref?: () => void; unref?: () => void } | null)?.[how]?.();
  }
}

function crash(code: number | null, signal: string | null, errorOutput: string): SteerscopeError {
  const how = signal === null ? `exit code ${code ?? "unknown"}` : `signal ${signal}`;
  return new SteerscopeError("EngineCrashed", `The engine process ended unexpectedly (${how}).`, {
    remedy:
      signal === "SIGKILL" || signal === "SIGABRT" || signal === "SIGSEGV"
        ? "Run this again. If it happens every time, the machine is most likely out of memory: close other programs or choose a smaller model."
        : "Run this again. If it happens every time, run steerscope doctor.",
    ...(errorOutput === "" ? {} : { detail: errorOutput }),
  });
}

/** Threads take the priority of the thread that starts them, so this comes before the process has started any. */
function lowerPriority(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // The process has ended already, which its own events tell, or the system does not let anybody choose.
  }
}
