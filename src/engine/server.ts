/**
 * Answers the calls that arrive on a port with an engine. One job runs at a time, the others wait in order; `hello`
 * and `describe` are answered out of turn, so that a busy engine can still be asked how it is. Every call gets exactly
 * one result or error, whatever it contains.
 */
import { engineMethods, type EngineAnswer, type EngineMethod } from "../shared/engineContract.ts";
import { SteerscopeError, serialiseError } from "../shared/errors.ts";
import type { AsyncEngine, JobContext } from "./asyncEngine.ts";

/** One end of a channel. `send` throws when a value cannot cross it. */
export interface Port {
  send(answer: EngineAnswer): void;
  onMessage(listener: (message: unknown) => void): void;
}

/** Answers to messages whose id cannot be read carry this one, which no caller uses. */
export const unreadableId = -1;

/** A caller that queues more than this is out of control, and its requests hold memory. */
const maxQueuedJobs = 1000;

const outOfTurn: ReadonlySet<EngineMethod> = new Set<EngineMethod>(["hello", "describe"]);

interface Job {
  readonly id: number;
  readonly method: EngineMethod;
  readonly request: unknown;
  readonly controller: AbortController;
}

/** Serves `engine` on `port` until the process ends. */
export function serve(port: Port, engine: AsyncEngine): void {
  const queue: Job[] = [];
  const open = new Map<number, Job>();
  let running = false;

  const answerError = (id: number, error: unknown): void => {
    port.send({ type: "error", id, error: serialiseError(error) });
  };

  const run = async (job: Job): Promise<void> => {
    const context: JobContext = {
      signal: job.controller.signal,
      progress: (progress) => {
        if (open.has(job.id)) port.send({ type: "progress", id: job.id, progress });
      },
    };
    try {
      // The request was typed at the caller's end; the engine checks its values.
      const method = engine[job.method] as (request: unknown, context: JobContext) => Promise<unknown>;
      const value = await method.call(engine, job.request, context);
      open.delete(job.id);
      port.send({ type: "result", id: job.id, value });
    } catch (error) {
      open.delete(job.id);
      answerError(job.id, error);
    }
  };

  const runQueue = async (): Promise<void> => {
    if (running) return;
    running = true;
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) await run(job);
    running = false;
  };

  const accept = (message: Record<string, unknown>, id: number): void => {
    const method = engineMethods.find((name) => name === message["method"]);
    if (method === undefined) {
      throw new SteerscopeError("InvalidRequest", "The engine does not know this method.", {
        detail: String(message["method"]).slice(0, 100),
        remedy: "Program and engine may be of different versions: install them again.",
      });
    }
    if (open.has(id)) {
      throw new SteerscopeError("InvalidRequest", `A call with the id ${id} is already open.`);
    }
    const job = { id, method, request: message["request"], controller: new AbortController() };
    if (outOfTurn.has(method)) {
      open.set(id, job);
      void run(job);
      return;
    }
    if (queue.length >= maxQueuedJobs) {
      throw new SteerscopeError("InvalidRequest", `More than ${maxQueuedJobs} jobs are waiting.`);
    }
    open.set(id, job);
    queue.push(job);
    void runQueue();
  };

  const cancel = (id: number): void => {
    const job = open.get(id);
    // An unknown id is a cancel that crossed its answer.
    if (job === undefined) return;
    const place = queue.indexOf(job);
    if (place < 0) {
      job.controller.abort();
      return;
    }
    queue.splice(place, 1);
    open.delete(id);
    answerError(id, new SteerscopeError("Cancelled", "Stopped before it began."));
  };

  port.onMessage((message) => {
    let id = unreadableId;
    try {
      if (typeof message !== "object" || message === null) {
        throw new SteerscopeError("InvalidRequest", "A message to the engine is not an object.");
      }
      const fields = message as Record<string, unknown>;
      if (!Number.isSafeInteger(fields["id"]) || (fields["id"] as number) < 0) {
        throw new SteerscopeError("InvalidRequest", "A message to the engine has no id.");
      }
      id = fields["id"] as number;
      if (fields["type"] === "call") accept(fields, id);
      else if (fields["type"] === "cancel") cancel(id);
      else throw new SteerscopeError("InvalidRequest", "A message to the engine is neither call nor cancel.");
    } catch (error) {
      answerError(id, error);
    }
  });
}
