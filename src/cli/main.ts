/** Entry of the command line: connects `runCommandLine` with the process it runs in. */
import { fileURLToPath } from "node:url";
import { version } from "../../package.json";
import { EngineClient } from "../client/engineClient.ts";
import { runCommandLine } from "./commandLine.ts";
import type { Output } from "./context.ts";

/** A person who pressed Ctrl-C waits no longer than this for the engine to stop by itself. */
const cancelGraceMilliseconds = 1500;
const interrupted = 130;

function output(stream: NodeJS.WriteStream): Output {
  return {
    write: (text) => {
      stream.write(text);
    },
    isTerminal: stream.isTTY,
    get columns() {
      return stream.columns;
    },
  };
}

const stop = new AbortController();
process.on("SIGINT", () => {
  // The second time, the person means it.
  if (stop.signal.aborted) process.exit(interrupted);
  stop.abort();
});
for (const signal of ["SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    stop.abort();
  });
}
// The reader of a pipe has seen enough, as `head` does.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

const embeddedModels = fileURLToPath(new URL("../models", import.meta.url));

// Until a command has come to its end it has not succeeded, whatever ends the process.
process.exitCode = 1;
void runCommandLine(process.argv.slice(2), {
  stdout: output(process.stdout),
  stderr: output(process.stderr),
  environment: process.env,
  signal: stop.signal,
  program: `steerscope ${version}`,
  embeddedModels,
  startEngine: (options) =>
    new EngineClient({
      ...options,
      enginePath: fileURLToPath(new URL("./engine.js", import.meta.url)),
      embeddedModels,
      cancelGraceMilliseconds,
    }),
}).then((code) => {
  process.exitCode = code;
});
