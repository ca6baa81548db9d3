/** The shape of a command and what all commands share: engine options, progress, JSON. */
import type { CallOptions, Engine } from "../shared/engineProxy.ts";
import type { Arguments, OptionSpecs } from "./arguments.ts";
import { defaultCacheFolder } from "./cacheFolder.ts";
import type { Context } from "./context.ts";
import { ProgressLine } from "./progressLine.ts";
import { printable } from "./text.ts";

export interface Command {
  readonly name: string;
  /** What follows the name in the usage line. */
  readonly usage: string;
  readonly summary: string;
  readonly options: OptionSpecs;
  /** Examples and remarks under the options in the help. */
  readonly notes: readonly string[];
  /** Reads the arguments; what it throws is a usage error. What it returns does the work. */
  prepare(values: Arguments): (run: Run) => Promise<CommandResult>;
}

export interface CommandResult {
  /** Printed with `--json`; the schema of each command is in docs/file-formats.md. */
  readonly json: unknown;
  /** Printed without. null: the command has printed already. */
  readonly text: string | null;
  /** Exit code 1 although nothing was thrown. */
  readonly failed?: boolean;
}

export const commonOptions: OptionSpecs = {
  json: { type: "boolean", help: "Print one JSON object on standard output, also for an error." },
  "cache-folder": {
    type: "string",
    value: "folder",
    help: "Models that were downloaded, activations. Default: $STEERSCOPE_CACHE or the platform's cache folder.",
  },
  threads: { type: "string", value: "n", help: "Threads of one operator. Default: the runtime's choice." },
  verbose: { type: "boolean", help: "Print the technical detail of an error." },
  help: { type: "boolean", help: "Print this help." },
};

export const modelOption: OptionSpecs = {
  model: {
    type: "string",
    value: "id|folder",
    help: "Catalogue id (see steerscope models) or a folder. Default: stories15m.",
  },
};

export const defaultModel = "stories15m";

/** One run of a command: the engine, and where to say something. */
export class Run {
  readonly context: Context;
  readonly isJson: boolean;
  readonly warnings: string[] = [];
  readonly cacheFolder: string;
  readonly #threads: number | undefined;
  readonly #progress: ProgressLine;
  #handle: ReturnType<Context["startEngine"]> | undefined;

  constructor(context: Context, values: Arguments) {
    this.context = context;
    this.#threads = values.integer("threads", 1, 1024);
    this.isJson = values.flag("json");
    this.cacheFolder = values.text("cache-folder") ?? defaultCacheFolder(context.environment);
    this.#progress = new ProgressLine(context.stderr);
  }

  /** Started on first use. */
  get engine(): Engine {
    this.#handle ??= this.context.startEngine({
      cacheFolder: this.cacheFolder,
      ...(this.#threads === undefined ? {} : { threads: this.#threads }),
    });
    return this.#handle.engine;
  }

  /** Options of an engine call that can be stopped and shows its progress. */
  get call(): CallOptions {
    return {
      signal: this.context.signal,
      onProgress: (progress) => {
        if (progress.kind === "step") this.#progress.update(progress);
      },
    };
  }

  /** Says something that does not stop the command; with `--json` it is in the result as well. */
  warn(message: string): void {
    this.warnings.push(message);
    this.#progress.clear();
    this.context.stderr.write(`steerscope: warning: ${printable(message)}\n`);
  }

  endProgress(): void {
    this.#progress.clear();
  }

  async dispose(): Promise<void> {
    this.#progress.clear();
    await this.#handle?.dispose();
  }
}
