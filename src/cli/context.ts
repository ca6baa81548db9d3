/** What a command gets from outside, so that it can run in a test as it does in a terminal. */
import type { EngineProcessOptions } from "../shared/engineContract.ts";
import type { Engine } from "../shared/engineProxy.ts";

export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Width of the terminal in characters. */
  readonly columns: number;
}

export interface EngineHandle {
  readonly engine: Engine;
  dispose(): Promise<void>;
}

export interface Context {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** "steerscope" and its version. */
  readonly program: string;
  /** Folder of catalogue.json and of the models that ship with the program. */
  readonly embeddedModels: string;
  startEngine(options: Pick<EngineProcessOptions, "cacheFolder" | "threads">): EngineHandle;
}

/** Whether colours may be used on an output (https://no-color.org). */
export function usesColours(output: Output, { environment }: Context): boolean {
  const refused = environment["NO_COLOR"];
  return output.isTerminal && (refused === undefined || refused === "") && environment["TERM"] !== "dumb";
}
