/**
 * The engine process as the editor uses it: made on first use, its state for everyone to see, jobs that show progress
 * and can be stopped. Nothing here loads model code.
 */
import { join } from "node:path";
import * as vscode from "vscode";
import { EngineClient, type EngineClientChanges } from "../client/engineClient.ts";
import type { EngineEvent } from "../client/engineProcess.ts";
import type { EngineDescription, ModelDescription, Progress } from "../shared/engineContract.ts";
import type { CallOptions, Engine } from "../shared/engineProxy.ts";
import { SteerscopeError } from "../shared/errors.ts";
import { CrashWindow } from "./crashWindow.ts";
import { contextKeys } from "./ids.ts";
import { describeStep, fractionOf } from "./jobProgress.ts";
import { settings } from "./settings.ts";
import { orAborted, pause, stopped } from "./stoppable.ts";

export type EngineState =
  /** No process; the next job starts one. */
  | { readonly kind: "stopped" }
  /** `waiting`: jobs behind the one that is shown. `isStopping`: it was stopped, and the engine ends its step. */
  | {
      readonly kind: "busy";
      readonly title: string;
      readonly progress: string;
      readonly waiting: number;
      readonly isStopping: boolean;
    }
  | { readonly kind: "ready" }
  /** `blocked`: it ended so often that it starts again only when asked to. */
  | { readonly kind: "crashed"; readonly error: SteerscopeError; readonly blocked: boolean };

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

interface RunningJob {
  readonly title: string;
  readonly controller: AbortController;
  progress: string;
}

/** A busy engine may not look up from its work for a while; nobody waits longer than this to hear how it is. */
const describeMilliseconds = 2000;

export class EngineHost implements vscode.Disposable {
  readonly #context: vscode.ExtensionContext;
  readonly #log: vscode.LogOutputChannel;
  readonly #changed = new vscode.EventEmitter<EngineState>();
  readonly onDidChangeState = this.#changed.event;
  /** Fires with the model when one was loaded, and with null when it is gone. */
  readonly #modelChanged = new vscode.EventEmitter<ModelDescription | null>();
  readonly onDidChangeModel = this.#modelChanged.event;
  /** In the order of their start; the engine works on the first, the others wait for it. */
  readonly #jobs = new Set<RunningJob>();
  readonly #crashes: CrashWindow;
  readonly #settingsListener: vscode.Disposable;
  #client: EngineClient | undefined;
  #model: ModelDescription | null = null;
  /** Why the process ended, until another one is started. */
  #crash: SteerscopeError | undefined;
  #lastCrash: SteerscopeError | undefined;
  #isBusyShown = false;
  /** Resolves when the job that was started last has ended. */
  #turn: Promise<unknown> = Promise.resolve();
  #disposed: Promise<void> | undefined;

  constructor(
    context: vscode.ExtensionContext,
    log: vscode.LogOutputChannel,
    crashes: CrashWindow = new CrashWindow(),
  ) {
    this.#context = context;
    this.#log = log;
    this.#crashes = crashes;
    this.#settingsListener = vscode.workspace.onDidChangeConfiguration((event) => {
      const isOurs = ["idleMinutes", "threads", "activationCacheLimit"].some((key) =>
        settings.isChanged(event, key),
      );
      if (isOurs) this.#client?.configure(processSettings());
    });
  }

  get state(): EngineState {
    const [first, ...others] = this.#jobs;
    if (first !== undefined) {
      const { title, progress, controller } = first;
      const waiting = others.filter((job) => !job.controller.signal.aborted).length;
      return { kind: "busy", title, progress, waiting, isStopping: controller.signal.aborted };
    }
    const { isBlocked: blocked } = this.#crashes;
    if (this.#crash !== undefined) return { kind: "crashed", error: this.#crash, blocked };
    return { kind: this.pid === undefined ? "stopped" : "ready" };
  }

  /** The model that is loaded, as far as calls made through `run` have shown. */
  get model(): ModelDescription | null {
    return this.#model;
  }

  /** Process id of the engine; undefined while there is none. */
  get pid(): number | undefined {
    return this.#client?.pid;
  }

  /** The last time in this session that the process ended by itself. */
  get lastCrash(): SteerscopeError | undefined {
    return this.#lastCrash;
  }

  /** It ends with the window: what is stopped now was not stopped by the person. */
  get isDisposed(): boolean {
    return this.#disposed !== undefined;
  }

  get cacheFolder(): string {
    return this.#context.globalStorageUri.fsPath;
  }

  get embeddedModels(): string {
    return this.#context.asAbsolutePath("models");
  }

  /**
   * Runs a job: progress with a cancel button, "Stop", state for the status bar. Rejects with a SteerscopeError;
   * Cancelled at once when the person stops it, also while the engine still ends its step.
   */
  async run<T>(options: JobOptions, body: (job: Job) => Promise<T>): Promise<T> {
    this.#refuseAfterCrashes();
    const controller = new AbortController();
    const { signal } = controller;
    const running: RunningJob = { title: options.title, controller, progress: "" };
    const [ahead] = this.#jobs;
    this.#jobs.add(running);
    const publish = (): void => {
      this.#publish();
    };
    signal.addEventListener("abort", publish, { once: true });
    this.#publish();
    const progressOptions = {
      location: options.location ?? vscode.ProgressLocation.Notification,
      title: options.title,
      cancellable: true,
    };
    return vscode.window.withProgress(progressOptions, (progress, token) => {
      token.onCancellationRequested(() => {
        controller.abort();
      });
      if (ahead !== undefined) {
        progress.report({ message: vscode.l10n.t("waiting for: {0}", ahead.title) });
      }
      let shown = 0;
      const report = (message: string, fraction?: number): void => {
        const increment = fraction === undefined ? 0 : Math.max(0, fraction * 100 - shown);
        shown += increment;
        progress.report({ message, increment });
        running.progress = message;
        this.#publish();
      };
      const onProgress = (event: Progress): void => {
        if (signal.aborted) return;
        const text = options.describe?.(event) ?? describeStep(event);
        if (text !== undefined) report(text, fractionOf(event));
      };
      const work = this.#work(running, async () => {
        if (signal.aborted) throw stopped();
        await this.#pauseAfterCrashes(signal, report);
        return body({ engine: this.#start().engine, call: { signal, onProgress }, signal, report });
      });
      return orAborted(work, signal);
    });
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

  /** Gives the memory of the model back, after the jobs that use it. */
  unload(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#client !== undefined && this.pid !== undefined) await this.#client.engine.unload();
      this.#setModel(null);
    });
  }

  /** Model and memory as the engine sees them; null while it does not run, or is too busy to answer soon. */
  async describe(): Promise<EngineDescription | null> {
    if (this.#client === undefined || this.pid === undefined) return null;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(resolve, describeMilliseconds, null);
    });
    const answer = this.#client.engine.describe().catch(() => null);
    return Promise.race([answer, late]).finally(() => {
      clearTimeout(timer);
    });
  }

  /** Stops every running job. Returns their number. */
  stopJobs(): number {
    for (const { controller } of this.#jobs) controller.abort();
    return this.#jobs.size;
  }

  /** Ends the process; the next job starts another, also after too many crashes. */
  async restart(): Promise<void> {
    this.stopJobs();
    const client = this.#client;
    this.#client = undefined;
    this.#crashes.forget();
    this.#crash = undefined;
    this.#setModel(null);
    await client?.dispose();
    this.#publish();
  }

  /** Resolves when the process is gone, however often it is called. */
  dispose(): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  async #dispose(): Promise<void> {
    this.stopJobs();
    this.#settingsListener.dispose();
    await this.#client?.dispose();
    this.#changed.dispose();
    this.#modelChanged.dispose();
  }

  #start(): EngineClient {
    if (this.#disposed !== undefined)
      throw new SteerscopeError("Cancelled", vscode.l10n.t("The engine was stopped."));
    if (this.#client === undefined) {
      const client: EngineClient = new EngineClient({
        enginePath: join(this.#context.extensionPath, "dist", "engine.js"),
        embeddedModels: this.embeddedModels,
        cacheFolder: this.cacheFolder,
        isBackground: true,
        ...processSettings(),
        onEvent: (event) => {
          this.#onEngineEvent(client, event);
        },
      });
      this.#client = client;
    }
    return this.#client;
  }

  /** The job counts as running until its body has ended, which may be later than its caller was told of a stop. */
  async #work<T>(running: RunningJob, body: () => Promise<T>): Promise<T> {
    try {
      return await this.#inTurn(body);
    } finally {
      this.#jobs.delete(running);
      this.#publish();
    }
  }

  /**
   * Whole jobs follow each other, not only their calls: between the load of one and its next call, another job could
   * load another model.
   */
  #inTurn<T>(body: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(body);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  #onEngineEvent(client: EngineClient, event: EngineEvent): void {
    if (event.kind === "log") {
      this.#log[event.level](`[engine] ${event.text}`);
      return;
    }
    const process = `Engine process ${event.processId ?? "(none)"}`;
    if (event.kind === "started") {
      this.#log.info(`${process} started.`);
    } else if (event.crash === null) {
      this.#log.info(`${process} ended, as asked.`);
    } else {
      this.#log.error(`${process}: ${event.crash.message}${withLine(event.crash.detail)}`);
    }
    // After a restart, the end of the process before says nothing of the one that follows.
    if (this.#client !== client) return;
    if (event.kind === "started") {
      this.#crash = undefined;
    } else {
      if (event.crash !== null) {
        this.#crashes.add(Date.now());
        this.#crash = event.crash;
        this.#lastCrash = event.crash;
      }
      this.#setModel(null);
    }
    this.#publish();
  }

  /** A process that keeps ending is not started again at once. */
  async #pauseAfterCrashes(signal: AbortSignal, report: (message: string) => void): Promise<void> {
    // Of the jobs that waited their turn, one before may have met the last crash.
    this.#refuseAfterCrashes();
    for (;;) {
      const milliseconds = this.pid === undefined ? this.#crashes.pauseAt(Date.now()) : 0;
      if (milliseconds === 0) return;
      const seconds = Math.ceil(milliseconds / 1000);
      report(vscode.l10n.t("the engine ended a moment ago; starting again in {0} s", seconds));
      // In steps, so that the seconds count down.
      await pause(Math.min(milliseconds, milliseconds % 1000 || 1000), signal);
    }
  }

  #refuseAfterCrashes(): void {
    if (!this.#crashes.isBlocked) return;
    throw new SteerscopeError(
      "EngineCrashed",
      vscode.l10n.t("The engine ended unexpectedly several times in a short while and is not started again."),
      {
        remedy: vscode.l10n.t("Choose a smaller model, or restart the engine."),
        ...(this.#crash === undefined ? {} : { detail: this.#crash.message }),
      },
    );
  }

  #setModel(model: ModelDescription | null): void {
    if (this.#model === model) return;
    this.#model = model;
    if (this.#disposed === undefined) this.#modelChanged.fire(model);
  }

  #publish(): void {
    if (this.#disposed !== undefined) return;
    const { state } = this;
    const isBusy = state.kind === "busy";
    if (isBusy !== this.#isBusyShown) {
      this.#isBusyShown = isBusy;
      void vscode.commands.executeCommand("setContext", contextKeys.busy, isBusy);
    }
    this.#changed.fire(state);
  }
}

function processSettings(): Required<EngineClientChanges> {
  return {
    idleMilliseconds: settings.idleMinutes() * 60_000,
    threads: settings.threads(),
    activationCacheLimitBytes: settings.activationCacheLimitMegabytes() * 1_000_000,
  };
}

function withLine(text: string | undefined): string {
  return text === undefined ? "" : `\n${text}`;
}
