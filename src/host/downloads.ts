/** Downloads of models, one after another, with progress where a person sees it and in the Models view. */
import * as vscode from "vscode";
import { describeRepository, type HubModel, type HubReference } from "../client/hubApi.ts";
import { downloadModel, type DownloadPlan } from "../client/hubDownload.ts";
import { hubEndpoint, type HubOptions } from "../client/hubHttp.ts";
import { TransferRate } from "../client/transferRate.ts";
import { SteerscopeError, isSteerscopeError } from "../shared/errors.ts";
import { size } from "../shared/units.ts";
import type { ModelEntry } from "./modelScan.ts";
import { settings } from "./settings.ts";

export interface DownloadState {
  /** As the Models view shows it until the files are there. */
  readonly entry: ModelEntry;
  readonly isWaiting: boolean;
  readonly done: number;
  readonly total: number;
}

const tokenKey = "steering.hubToken";
/** Redrawing more often than this is of no use to anybody. */
const showMilliseconds = 250;

interface Running {
  state: DownloadState;
  readonly controller: AbortController;
}

export class Downloads implements vscode.Disposable {
  readonly #context: vscode.ExtensionContext;
  readonly #log: vscode.LogOutputChannel;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;
  readonly #running = new Map<string, Running>();
  readonly #failures = new Map<string, SteerscopeError>();
  /** Ends when the download before has. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(context: vscode.ExtensionContext, log: vscode.LogOutputChannel) {
    this.#context = context;
    this.#log = log;
  }

  all(): readonly DownloadState[] {
    return [...this.#running.values()].map(({ state }) => state);
  }

  get(reference: string): DownloadState | undefined {
    return this.#running.get(reference)?.state;
  }

  /** Why the last download of this model failed. */
  failure(reference: string): SteerscopeError | undefined {
    return this.#failures.get(reference);
  }

  forgetFailure(reference: string): void {
    this.#failures.delete(reference);
  }

  async hasToken(): Promise<boolean> {
    return (await this.#context.secrets.get(tokenKey)) !== undefined;
  }

  /** Keeps the token where VS Code keeps secrets; undefined forgets it. */
  async setToken(token: string | undefined): Promise<void> {
    if (token === undefined) await this.#context.secrets.delete(tokenKey);
    else await this.#context.secrets.store(tokenKey, token);
  }

  /** What the hub says of a repository. Throws DownloadFailed, InvalidRequest or Cancelled. */
  async describe(reference: HubReference, signal: AbortSignal): Promise<HubModel> {
    return describeRepository(reference, await this.#hub(), signal);
  }

  /** Resolves when the model is in `entry.folder`. Throws DownloadFailed, FileUnwritable or Cancelled. */
  async start(entry: ModelEntry, plan: DownloadPlan): Promise<void> {
    const { reference } = entry;
    if (this.#running.has(reference)) {
      throw new SteerscopeError(
        "InvalidRequest",
        vscode.l10n.t("{0} is being downloaded already.", entry.name),
      );
    }
    const running: Running = {
      controller: new AbortController(),
      state: { entry, isWaiting: true, done: 0, total: plan.bytes },
    };
    this.#running.set(reference, running);
    this.#failures.delete(reference);
    this.#changed.fire();
    const turn = this.#turn.then(() => this.#show(running, plan));
    this.#turn = turn.catch(() => undefined);
    try {
      await turn;
      this.#log.info(`${plan.model.repository} at ${plan.model.commit} is in ${entry.folder}.`);
    } catch (error) {
      if (isSteerscopeError(error) && error.kind !== "Cancelled") this.#failures.set(reference, error);
      throw error;
    } finally {
      if (this.#running.get(reference) === running) this.#running.delete(reference);
      this.#changed.fire();
    }
  }

  /** Stops a download, or all; what was fetched is kept for another attempt. */
  cancel(reference?: string): void {
    for (const [key, { controller, state }] of this.#running) {
      if (reference !== undefined && key !== reference) continue;
      controller.abort();
      // One that waits has nothing to clean up; its turn ends by itself.
      if (state.isWaiting) this.#running.delete(key);
    }
    this.#changed.fire();
  }

  dispose(): void {
    this.cancel();
    this.#changed.dispose();
  }

  async #hub(): Promise<HubOptions> {
    return {
      endpoint: hubEndpoint(settings.hubEndpoint(), process.env),
      token: await this.#context.secrets.get(tokenKey),
    };
  }

  async #show(running: Running, plan: DownloadPlan): Promise<void> {
    const { controller } = running;
    if (controller.signal.aborted) throw new SteerscopeError("Cancelled", "Stopped.");
    const { entry } = running.state;
    const title = vscode.l10n.t("Downloading {0}", entry.name);
    const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
    await vscode.window.withProgress(options, async (progress, token) => {
      const stopping = token.onCancellationRequested(() => {
        controller.abort();
      });
      const rate = new TransferRate();
      let shownAt = -Infinity;
      let shown = 0;
      try {
        await downloadModel({
          plan,
          folder: entry.folder,
          hub: await this.#hub(),
          signal: controller.signal,
          onProgress: ({ done, total }) => {
            if (performance.now() - shownAt < showMilliseconds && done < total) return;
            shownAt = performance.now();
            running.state = { entry, isWaiting: false, done, total };
            const increment = Math.max(0, (100 * done) / Math.max(total, 1) - shown);
            shown += increment;
            progress.report({ message: describeTransfer(done, total, rate.update(done)), increment });
            this.#changed.fire();
          },
        });
      } finally {
        stopping.dispose();
      }
    });
  }
}

function describeTransfer(done: number, total: number, bytesPerSecond: number | null): string {
  if (bytesPerSecond === null) return vscode.l10n.t("{0} of {1}", size(done), size(total));
  const seconds = Math.ceil((total - done) / bytesPerSecond);
  const left =
    seconds < 100 ? vscode.l10n.t("{0} s", seconds) : vscode.l10n.t("{0} min", Math.ceil(seconds / 60));
  return vscode.l10n.t("{0} of {1}, {2}/s, {3} left", size(done), size(total), size(bytesPerSecond), left);
}
