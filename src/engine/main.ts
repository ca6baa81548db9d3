/**
 * Entry of the engine process (child_process.fork, serialization "advanced"). Speaks the engine contract over its IPC
 * channel, never writes to standard output, and ends when its parent does.
 */
import {
  engineContractVersion,
  engineMethods,
  engineOptionsVariable,
  type EngineProcessOptions,
} from "../shared/engineContract.ts";
import { SteerscopeError } from "../shared/errors.ts";
import type { AsyncEngine } from "./asyncEngine.ts";
import { serve } from "./server.ts";

function readOptions(): EngineProcessOptions {
  const text = process.env[engineOptionsVariable];
  if (text === undefined) throw new SteerscopeError("Internal", `${engineOptionsVariable} is not set.`);
  // Written by the parent, from the same type.
  return JSON.parse(text) as EngineProcessOptions;
}

/** An engine that answers every call but `hello` with `error`: the program can then say why there is no engine. */
function brokenEngine(error: SteerscopeError): AsyncEngine {
  const hello: AsyncEngine["hello"] = () =>
    Promise.resolve({ contractVersion: engineContractVersion, engine: "local", processId: process.pid });
  const refuse = (): Promise<never> => Promise.reject(error);
  const methods = engineMethods.map((method) => [method, method === "hello" ? hello : refuse]);
  return Object.fromEntries(methods) as AsyncEngine;
}

async function createEngine(): Promise<AsyncEngine> {
  // Asked for once more in words: nothing of onnxruntime's is to be reported to anybody.
  process.env["ORT_DISABLE_TELEMETRY"] = "1";
  try {
    // Imported here because loading the native library is what fails on an unsupported machine.
    const { createLocalEngine } = await import("./localEngine.ts");
    return createLocalEngine(readOptions());
  } catch (error) {
    return brokenEngine(
      new SteerscopeError("EngineCrashed", "The model runtime (onnxruntime) could not be started.", {
        remedy:
          "Install the program again for this system and processor; on Linux it needs glibc 2.28 or newer.",
        detail: error instanceof Error ? (error.stack ?? error.message) : String(error),
      }),
    );
  }
}

process.on("disconnect", () => process.exit(0));
// Ctrl-C, a closed terminal and the end of a container reach every process; the parent decides what stops, so that it
// can answer for it, and this one ends with the parent.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);

/** Messages that arrive while the native library loads wait here. */
const early: unknown[] = [];
let listener = (message: unknown): void => {
  early.push(message);
};
process.on("message", (message: unknown) => {
  listener(message);
});

void createEngine().then((engine) => {
  serve(
    {
      send: (answer) => {
        // A parent that is gone cannot be answered; the disconnect event ends this process.
        if (process.connected) process.send?.(answer);
      },
      onMessage: (next) => {
        listener = next;
      },
    },
    engine,
  );
  for (const message of early) listener(message);
});
