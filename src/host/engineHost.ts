/**
 * The engine process as the editor uses it: made on first use, its state for everyone to see, jobs that show progress
 * and can be stopped. Nothing here loads model code.
 */
import { join } from "node:path";
import * as vscode from "vscode";
import { EngineClient } from "../client/engineClient.ts";
import type { ModelDescription, Progress } from "../shared/engineContract.ts";
import type { CallOptions, Engine } from "../shared/engineProxy.ts";
import { SteerscopeError, isSteerscopeError } from "../shared/errors.ts";
import { commandIds, contextKeys } from "./ids.ts";
import { settings } from "./settings.ts";

export type EngineState =
  | { readonly kind: "stopped" }
  | { readonly kind: "busy"; readonly title: string; readonly progress: string }
  | { readonly kind: "ready" }
  | { readonly kind: "crashed"; readonly error: SteerscopeError };

export interface Job {
  readonly engine: Engine;
  /** Give these to every call of the job: they carry its cancel and its progress. */
  readonly call: CallOptions;
  readonly signal: AbortSignal;
  /** Text beside the title, e.g. "pair 3 of 12, 4 s left". */
  report(message: string, fraction?: number): void;
}

export interface JobOptions {
  readonly title: string;
  /** Where progress is shown: the notification area when a person waits for it, else the side bar. */
  readonly location?: vscode.ProgressLocation | { readonly viewId: string };
  /** In place of the plain "stage: done of total unit". */
  readonly describe?: (progress: Progress) => string | undefined;
}

/** After this many crashes within `crashWindowMilliseconds` the engine starts again only when asked to. */
const maximumCrashes = 3;
const crashWindowMilliseconds = 120_000;

export class EngineHost implements vscode.Disposable {
  readonly #context: vscode.ExtensionContext;
  readonly #log: vscode.LogOutputChannel;
  readonly #changed = new vscode.EventEmitter<EngineState>();
  readonly onDidChangeState = this.#changed.event;
  /** Fires with the model when one was loaded, and with null when it is gone. */
  readonly #modelChanged = new vscode.EventEmitter<ModelDescription | null>();
  readonly onDidChangeModel = this.#modelChanged.event;
  readonly #jobs = new Set<AbortController>();
  #client: EngineClient | undefined;
  #state: EngineState = { kind: "stopped" };
  #model: ModelDescription | null = null;
  #crashes: number[] = [];

  constructor(context: vscode.ExtensionContext, log: vscode.LogOutputChannel) {
    this.#context = context;
    this.#log = log;
  }

  get state(): EngineState {
    return this.#state;
  }

  /** The model that is loaded, as far as calls made through `run` have shown. */
  get model(): ModelDescription | null {
    return this.#model;
  }

  /** Process id of the engine; undefined while there is none. */
  get pid(): number | undefined {
    return this.#client?.pid;
  }

  get cacheFolder(): string {
    return this.#context.globalStorageUri.fsPath;
  }

  get embeddedModels(): string {
    return this.#context.asAbsolutePath("models");
  }

  /**
   * Runs a job: progress with a cancel button, "Stop", state for the status bar. Rejects with a SteerscopeError;
   * Cancelled at once when the person stops it.
   */
  async run<T>(options: JobOptions, body: (job: Job) => Promise<T>): Promise<T> {
    this.#refuseAfterCrashes();
    const controller = new AbortController();
    this.#jobs.add(controller);
    this.#setState({ kind: "busy", title: options.title, progress: "" });
    const progressOptions = {
      location: options.location ?? vscode.ProgressLocation.Notification,
      title: options.title,
      cancellable: true,
    };
    try {
      const result = await vscode.window.withProgress(progressOptions, async (progress, token) => {
        token.onCancellationRequested(() => {
          controller.abort();
        });
        let shown = 0;
        const report = (message: string, fraction?: number): void => {
          const increment = fraction === undefined ? 0 : Math.max(0, fraction * 100 - shown);
          shown += increment;
          progress.report({ message, increment });
          this.#setState({ kind: "busy", title: options.title, progress: message });
        };
        const onProgress = (event: Progress): void => {
          const text = options.describe?.(event) ?? describeStep(event);
          if (text !== undefined) report(text, fractionOf(event));
        };
        const { signal } = controller;
        return body({ engine: this.#start().engine, call: { signal, onProgress }, signal, report });
      });
      this.#crashes = [];
      return result;
    } catch (error) {
      if (isSteerscopeError(error, "EngineCrashed")) this.#noteCrash(error);
      throw error;
    } finally {
      this.#jobs.delete(controller);
      if (this.#jobs.size === 0 && this.#state.kind === "busy") {
        this.#setState({ kind: this.pid === undefined ? "stopped" : "ready" });
      }
    }
  }

  /** Loads a model as part of a job, and remembers it. */
  async load(job: Job, reference: string): Promise<ModelDescription> {
    try {
      const description = await job.engine.load({ model: reference }, job.call);
      this.#setModel(description);
      return description;
    } catch (error) {
      this.#setModel(null);
      throw error;
    }
  }

  /** Gives the memory of the model back. */
  async unload(): Promise<void> {
    if (this.#client !== undefined && this.pid !== undefined) await this.#client.engine.unload();
    this.#setModel(null);
  }

  /** Stops every running job. */
  stopJobs(): void {
    for (const job of this.#jobs) job.abort();
  }

  /** Ends the process; the next job starts another. */
  async restart(): Promise<void> {
    this.stopJobs();
    const client = this.#client;
    this.#client = undefined;
    this.#crashes = [];
    this.#setModel(null);
    await client?.dispose();
    this.#setState({ kind: "stopped" });
  }

  async dispose(): Promise<void> {
    this.stopJobs();
    await this.#client?.dispose();
    this.#changed.dispose();
    this.#modelChanged.dispose();
  }

  #start(): EngineClient {
    if (this.#client === undefined) {
      this.#log.info("The engine is made ready; its process starts with the first call.");
      const threads = settings.threads();
      this.#client = new EngineClient({
        enginePath: join(this.#context.extensionPath, "dist", "engine.js"),
        embeddedModels: this.embeddedModels,
        cacheFolder: this.cacheFolder,
        idleMilliseconds: settings.idleMinutes() * 60_000,
        ...(threads === 0 ? {} : { threads }),
      });
    }
    return this.#client;
  }

  #refuseAfterCrashes(): void {
    const since = Date.now() - crashWindowMilliseconds;
    this.#crashes = this.#crashes.filter((time) => time > since);
    if (this.#crashes.length < maximumCrashes) return;
    throw new SteerscopeError(
      "EngineCrashed",
      vscode.l10n.t("The engine ended unexpectedly several times."),
      {
        remedy: vscode.l10n.t(
          "Choose another model or restart the engine with {0}.",
          "Steering: Restart Engine",
        ),
        detail: commandIds.restartEngine,
      },
    );
  }

  #noteCrash(error: SteerscopeError): void {
    this.#crashes.push(Date.now());
    this.#log.error(`${error.message}\n${error.detail ?? ""}`);
    this.#setState({ kind: "crashed", error });
  }

  #setModel(model: ModelDescription | null): void {
    if (this.#model === model) return;
    this.#model = model;
    this.#modelChanged.fire(model);
  }

  #setState(state: EngineState): void {
    if (state.kind !== this.#state.kind) {
      void vscode.commands.executeCommand("setContext", contextKeys.busy, state.kind === "busy");
    }
    this.#state = state;
    this.#changed.fire(state);
  }
}

function describeStep(event: Progress): string | undefined {
  if (event.kind !== "step") return undefined;
  return vscode.l10n.t("{0}: {1} of {2} {3}", event.stage, event.done, event.total, event.unit);
}

function fractionOf(event: Progress): number | undefined {
  return event.kind === "step" && event.total > 0 ? event.done / event.total : undefined;
}
