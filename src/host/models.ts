import { isAbsolute, join, relative, resolve } from "node:path";
import * as vscode from "vscode";
import { hubCacheFolder } from "../client/modelFolders.ts";
import type { CatalogueModel } from "../formats/modelCatalogue.ts";
import type { ModelDescription } from "../shared/engineContract.ts";
import { isSteerscopeError, type SteerscopeError } from "../shared/errors.ts";
import { modelName } from "../shared/modelName.ts";
import { Downloads, type DownloadState } from "./downloads.ts";
import type { EngineHost, Job } from "./engineHost.ts";
import { contextKeys } from "./ids.ts";
import { rememberModel, withMemory } from "./modelMemory.ts";
import { modelFacts } from "./modelText.ts";
import { scanModels, type ModelEntry, type Scan } from "./modelScan.ts";
import { requireTrust } from "./notices.ts";
import { settings } from "./settings.ts";

export type ModelState =
  | { readonly kind: "absent" }
  | { readonly kind: "downloading"; readonly download: DownloadState }
  | { readonly kind: "present" }
  | { readonly kind: "loading" }
  | { readonly kind: "loaded"; readonly description: ModelDescription }
  /** Loading or downloading it has failed; the files may be there. */
  | { readonly kind: "failed"; readonly error: SteerscopeError; readonly isPresent: boolean };

const selectedKey = "steering.model";

/** The models that can be used, and the one that is. Disks are looked at when somebody asks first, not before. */
export class Models implements vscode.Disposable {
  readonly downloads: Downloads;
  readonly #context: vscode.ExtensionContext;
  readonly #engine: EngineHost;
  readonly #log: vscode.LogOutputChannel;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;
  readonly #failures = new Map<string, SteerscopeError>();
  /** What the models have said of themselves when they were loaded last. */
  readonly #descriptions = new Map<string, ModelDescription>();
  readonly #subscriptions: vscode.Disposable;
  #scan: Scan | undefined;
  #scanning: Promise<Scan> | undefined;
  #loading: string | undefined;
  #shownState = "";

  constructor(context: vscode.ExtensionContext, engine: EngineHost, log: vscode.LogOutputChannel) {
    this.#context = context;
    this.#engine = engine;
    this.#log = log;
    this.downloads = new Downloads(context, log);
    const again = (): void => {
      if (this.#scanning !== undefined) void this.refresh();
    };
    this.#subscriptions = vscode.Disposable.from(
      this.downloads,
      this.downloads.onDidChange(() => {
        this.#publish();
      }),
      engine.onDidChangeModel(() => {
        this.#publish();
      }),
      vscode.workspace.onDidGrantWorkspaceTrust(again),
      vscode.workspace.onDidChangeWorkspaceFolders(again),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (settings.isChanged(event, "modelFolders")) again();
        else if (settings.isChanged(event, "defaultModel")) this.#publish();
      }),
    );
    this.#publish();
  }

  /** Where models from the hub go, in folders owner/name. */
  get downloadFolder(): string {
    return join(this.#engine.cacheFolder, "models");
  }

  /** Catalogue id, folder or graph file that commands use where nothing else is said. */
  selected(): string {
    return this.#context.workspaceState.get<string>(selectedKey) ?? settings.defaultModel();
  }

  /** Remembered for this workspace; undefined goes back to the setting. */
  async select(reference: string | undefined): Promise<void> {
    await this.#context.workspaceState.update(selectedKey, reference);
    this.#publish();
  }

  /** All models, also those that can be downloaded; looks at the disk the first time. */
  async all(): Promise<readonly ModelEntry[]> {
    const { entries } = await this.#scanned();
    const known = new Set(entries.map(({ reference }) => reference));
    // What comes from outside of the catalogue is shown as soon as its download begins.
    const coming = this.downloads.all().flatMap(({ entry }) => (known.has(entry.reference) ? [] : [entry]));
    return [...entries, ...coming].map((entry) => withMemory(this.#context.globalState, entry));
  }

  async get(reference: string): Promise<ModelEntry | undefined> {
    return (await this.all()).find((entry) => entry.reference === reference);
  }

  /** Throws FileUnreadable where the catalogue itself is broken. */
  async catalogue(): Promise<readonly CatalogueModel[]> {
    const { catalogue, problem } = await this.#scanned();
    if (problem !== null) throw problem;
    return catalogue;
  }

  /** Looks at the disk again. */
  async refresh(): Promise<void> {
    const before = this.#scanning;
    const scanning = (async () => {
      await before;
      return scanModels(this.#places());
    })();
    this.#scanning = scanning;
    const scan = await scanning;
    if (this.#scanning === scanning) this.#scan = scan;
    this.#publish();
  }

  stateOf({ reference, origin }: ModelEntry): ModelState {
    const download = this.downloads.get(reference);
    if (download !== undefined) return { kind: "downloading", download };
    if (this.#loading === reference) return { kind: "loading" };
    const model = this.#engine.model;
    if (model?.model === reference) return { kind: "loaded", description: model };
    const isPresent = origin !== "catalogue";
    const error =
      this.#failures.get(reference) ?? (isPresent ? undefined : this.downloads.failure(reference));
    if (error !== undefined) return { kind: "failed", error, isPresent };
    return isPresent ? { kind: "present" } : { kind: "absent" };
  }

  /** Short name, as the engine gives it to a model that is loaded: a catalogue id stays as it is. */
  nameOf(reference: string): string {
    if (!isAbsolute(reference)) return reference;
    const entry = this.#scan?.entries.find((each) => each.reference === reference);
    return modelName(reference, entry?.repository);
  }

  /** What the model said of itself when it was loaded last in this session. */
  descriptionOf(reference: string): ModelDescription | undefined {
    return this.#descriptions.get(reference);
  }

  /** References that can be loaded now, the selected one first, with names for people. */
  async available(): Promise<
    readonly { readonly reference: string; readonly name: string; readonly detail: string }[]
  > {
    const selected = this.selected();
    return (await this.all())
      .filter(({ origin, problem }) => origin !== "catalogue" && problem === null)
      .sort((a, b) => Number(b.reference === selected) - Number(a.reference === selected))
      .map((entry) => ({
        reference: entry.reference,
        name: entry.name,
        detail: modelFacts(entry).join(" · "),
      }));
  }

  /**
   * Loads `reference` (default: the selected model) as part of a job. Throws what the engine does, and InvalidRequest for
   * a model of a workspace that is not trusted.
   */
  async load(job: Job, reference = this.selected()): Promise<ModelDescription> {
    if (isOfWorkspace(reference)) requireTrust();
    this.#loading = reference;
    this.#failures.delete(reference);
    this.#publish();
    try {
      const description = await this.#engine.load(job, reference);
      this.#descriptions.set(reference, description);
      this.#remember(reference, { precision: description.precision, selfTest: description.selfTest.passed });
      return description;
    } catch (error) {
      if (isSteerscopeError(error) && error.kind !== "Cancelled") this.#failures.set(reference, error);
      if (isSteerscopeError(error, "SelfTestFailed")) {
        this.#remember(reference, { precision: null, selfTest: false });
      }
      throw error;
    } finally {
      this.#loading = undefined;
      this.#publish();
    }
  }

  dispose(): void {
    this.#subscriptions.dispose();
    this.#changed.dispose();
  }

  /** Later, since nobody waits for it, and the disk may not have been looked at. */
  #remember(reference: string, found: Parameters<typeof rememberModel>[2]): void {
    const remember = async (): Promise<void> => {
      const entry = await this.get(reference);
      if (entry === undefined) return;
      await rememberModel(this.#context.globalState, entry, found);
      this.#publish();
    };
    remember().catch((error: unknown) => {
      this.#log.warn(`What ${reference} is was not remembered: ${String(error)}`);
    });
  }

  async #scanned(): Promise<Scan> {
    if (this.#scanning === undefined) await this.refresh();
    return this.#scan ?? this.#scanning!;
  }

  #places(): Parameters<typeof scanModels>[0] {
    const { isTrusted, workspaceFolders = [] } = vscode.workspace;
    return {
      embedded: this.#engine.embeddedModels,
      downloads: this.downloadFolder,
      folders: settings.modelFolders().filter((folder) => isTrusted || !isOfWorkspace(folder)),
      cache: hubCacheFolder(process.env),
      workspace: isTrusted
        ? workspaceFolders.filter(({ uri }) => uri.scheme === "file").map(({ uri }) => uri.fsPath)
        : [],
    };
  }

  #publish(): void {
    const state = this.#overallState();
    if (state !== this.#shownState) {
      this.#shownState = state;
      void vscode.commands.executeCommand("setContext", contextKeys.modelState, state);
    }
    this.#changed.fire();
  }

  #overallState(): string {
    if (this.#loading !== undefined) return "loading";
    if (this.#engine.model !== null) return "ready";
    if (this.#failures.has(this.selected())) return "failed";
    const isNone =
      this.#scan !== undefined && this.#scan.entries.every(({ origin }) => origin === "catalogue");
    return isNone ? "none" : "unloaded";
  }
}

/** Whether a path lies in a folder of the workspace; catalogue ids do not. */
function isOfWorkspace(reference: string): boolean {
  if (!isAbsolute(reference)) return false;
  return (vscode.workspace.workspaceFolders ?? []).some(({ uri }) => {
    const path = relative(uri.fsPath, resolve(reference));
    return path === "" || (!path.startsWith("..") && !isAbsolute(path));
  });
}
