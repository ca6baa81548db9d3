/** The shape of a command and what all commands share: engine options, progress, JSON. */
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import type { ModelDescription } from "../shared/engineContract.ts";
import type { CallOptions, Engine } from "../shared/engineProxy.ts";
import { SteerscopeError } from "../shared/errors.ts";
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

/** A set of one-sided pairs has a warning for each; the first few say it. */
const maxWarningsShown = 3;

/** One run of a command: the engine, and where to say something. */
export class Run {
  readonly context: Context;
  readonly isJson: boolean;
  readonly warnings: string[] = [];
  #cacheFolder: string;
  #temporaryFolder: string | undefined;
  readonly #threads: number | undefined;
  readonly #progress: ProgressLine;
  #handle: ReturnType<Context["startEngine"]> | undefined;

  constructor(context: Context, values: Arguments) {
    this.context = context;
    this.#threads = values.integer("threads", 1, 1024);
    this.isJson = values.flag("json");
    this.#cacheFolder = values.path("cache-folder") ?? defaultCacheFolder(context.environment);
    this.#progress = new ProgressLine(context.stderr);
    const cores = availableParallelism();
    if (this.#threads !== undefined && this.#threads > cores) {
      this.warn(
        `This machine runs ${cores} threads at once; more would wait for each other, so ${cores} are used.`,
      );
    }
  }

  get cacheFolder(): string {
    return this.#cacheFolder;
  }

  /** Until the end of the run, for an engine that has not started yet. */
  async useTemporaryCacheFolder(): Promise<void> {
    this.#temporaryFolder = await mkdtemp(join(tmpdir(), "steerscope-"));
    this.#cacheFolder = this.#temporaryFolder;
  }

  /** Started on first use. */
  get engine(): Engine {
    this.#handle ??= this.context.startEngine({
      cacheFolder: this.#cacheFolder,
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

  /** Loads a model and warns of what it is to be known for. Throws what the engine throws. */
  async load(model: string): Promise<ModelDescription> {
    const description = await this.engine.load({ model }, this.call);
    this.warn(...description.warnings);
    return description;
  }

  /** The same for a command that takes text and nothing else. Throws InvalidRequest for a model without tokenizer. */
  async loadForText(model: string): Promise<ModelDescription> {
    const description = await this.load(model);
    if (description.tokenizerHash === null) {
      throw new SteerscopeError(
        "InvalidRequest",
        `The folder of ${description.name} has no tokenizer.json, so it cannot read text.`,
        { remedy: "Add the tokenizer files of the model to its folder." },
      );
    }
    return description;
  }

  /** Says what does not stop the command, the first few of many; with `--json` all are in the result as well. */
  warn(...messages: readonly string[]): void {
    this.warnings.push(...messages);
    this.#progress.clear();
    const shown = messages.slice(0, maxWarningsShown);
    if (messages.length > shown.length) shown.push(`and ${messages.length - shown.length} more like these.`);
    for (const message of shown) this.context.stderr.write(`steerscope: warning: ${printable(message)}\n`);
  }

  endProgress(): void {
    this.#progress.clear();
  }

  async dispose(): Promise<void> {
    this.#progress.clear();
    await this.#handle?.dispose();
    if (this.#temporaryFolder !== undefined) {
      await rm(this.#temporaryFolder, { recursive: true, force: true }).catch(() => undefined);
    }
  }
}
