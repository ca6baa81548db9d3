import * as vscode from "vscode";
import { bestLayer, type VectorFile } from "../formats/vectorFile.ts";
import { SteerscopeError } from "../shared/errors.ts";
import { modelName } from "../shared/modelName.ts";
import { formatScope, parseScope, type Scope } from "../shared/scope.ts";
import { renamedKeys } from "./renamedKeys.ts";
import { settings } from "./settings.ts";
import {
  fileNameProblem,
  fromWorkspacePath,
  steeringFolderFor,
  vectorsFolder,
  watchSteeringFiles,
  workspacePath,
  writeNewFileSafely,
} from "./steeringFolder.ts";
import { VectorReader, vectorExtension, vectorName } from "./vectorReader.ts";
import {
  changeSwitch,
  defaultSwitch,
  readSwitches,
  type VectorSwitch,
  type VectorSwitches,
} from "./vectorSwitches.ts";

export interface VectorEntry {
  readonly uri: vscode.Uri;
  /** File name without extension. */
  readonly name: string;
  readonly file: VectorFile | null;
  readonly problem: SteerscopeError | null;
}

/** What the view knows of itself. */
export interface VectorsViewState {
  readonly selection: () => readonly VectorEntry[];
  /** What a key that was pressed in it is about. */
  readonly ofKey: () => Promise<readonly VectorEntry[]>;
}

/** A vector that is switched on. */
export interface AppliedVector {
  readonly entry: VectorEntry;
  readonly layers: readonly number[];
  readonly strength: number;
}

const switchesKey = "steering.vectorSwitches";
const scopeKey = "steering.vectorScope";
const currentKey = "steering.currentVector";
/** A checkout or a copy touches many files at once. */
const settleMilliseconds = 50;

/** The vectors of the workspace, and which of them are switched on, at which layers and strength. Files are the truth. */
export class Vectors implements vscode.Disposable {
  readonly #state: vscode.Memento;
  readonly #log: vscode.LogOutputChannel;
  readonly #reader: VectorReader;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;
  readonly #asked = new vscode.EventEmitter<VectorEntry>();
  /** Somebody wants to see a vector in its view. */
  readonly onDidAskToShow = this.#asked.event;
  readonly #subscriptions: vscode.Disposable[];
  /** Resolves when the vectors of the workspace were read once. */
  readonly ready: Promise<void>;
  #entries: readonly VectorEntry[] = [];
  #switches: VectorSwitches;
  #view: VectorsViewState | undefined;
  #reading: Promise<void> = Promise.resolve();
  #isReadQueued = false;
  #writing: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #isDisposed = false;

  constructor(context: vscode.ExtensionContext, log: vscode.LogOutputChannel) {
    this.#state = context.workspaceState;
    this.#log = log;
    this.#reader = new VectorReader(log);
    this.#switches = readSwitches(this.#state.get(switchesKey));
    this.#subscriptions = [
      watchSteeringFiles(vectorsFolder, `*${vectorExtension}`, (uri) => {
        if (uri !== undefined) this.#reader.touch(uri);
        this.#readSoon();
      }),
      vscode.workspace.onDidGrantWorkspaceTrust(() => {
        this.#readSoon();
      }),
      vscode.workspace.onDidRenameFiles(({ files }) => {
        for (const { oldUri, newUri } of files) void this.#moveSwitches(oldUri, newUri);
      }),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (settings.isChanged(event, "defaultScope")) this.#changed.fire();
      }),
    ];
    this.ready = this.refresh();
  }

  /** By name. Empty while the workspace is not trusted. */
  all(): readonly VectorEntry[] {
    return this.#entries;
  }

  get(uri: vscode.Uri): VectorEntry | undefined {
    const key = uri.toString();
    return this.#entries.find((entry) => entry.uri.toString() === key);
  }

  /** The vector that views and commands are about when none is named: last touched, else the first. */
  current(): VectorEntry | undefined {
    const path = this.#state.get<string>(currentKey);
    const uri = path === undefined ? undefined : fromWorkspacePath(path);
    return (uri && this.get(uri)) ?? this.#entries[0];
  }

  setCurrent(uri: vscode.Uri): void {
    const path = workspacePath(uri);
    if (this.#state.get(currentKey) === path) return;
    void this.#state.update(currentKey, path);
    this.#changed.fire();
  }

  setView(view: VectorsViewState): void {
    this.#view = view;
  }

  /** What is selected in the view, for commands that nothing is given to. */
  selected(): readonly VectorEntry[] {
    return this.#newest(this.#view?.selection() ?? []);
  }

  /** What a key that was pressed in the view is about. */
  async ofKey(): Promise<readonly VectorEntry[]> {
    return this.#newest((await this.#view?.ofKey()) ?? []);
  }

  /** Asks the view to reveal and select a vector. */
  show(uri: vscode.Uri): void {
    const entry = this.get(uri);
    if (entry !== undefined) this.#asked.fire(entry);
  }

  /** The vectors that are switched on and can be used. */
  applied(): readonly AppliedVector[] {
    return this.#entries.flatMap((entry) => {
      const { on, strength } = this.switchOf(entry);
      const layers = this.layersOf(entry);
      return on && layers.length > 0 ? [{ entry, layers, strength }] : [];
    });
  }

  isOn(entry: VectorEntry): boolean {
    return this.switchOf(entry).on;
  }

  strengthOf(entry: VectorEntry): number {
    return this.switchOf(entry).strength;
  }

  /** Layers that are steered when the vector is on: as set, else the suggested one; none where the file is bad. */
  layersOf(entry: VectorEntry): readonly number[] {
    const { file } = entry;
    if (file === null) return [];
    // The file may have been written anew with fewer layers.
    const chosen = this.switchOf(entry).layers?.filter((layer) => file.present.includes(layer)) ?? [];
    return chosen.length > 0 ? chosen : [bestLayer(file)];
  }

  /** Layer of `entry` that is shown and steered: as set, else the suggested one. */
  layerOf(entry: VectorEntry): number {
    return this.layersOf(entry)[0] ?? 0;
  }

  /** Which tokens the vectors steer. */
  scope(): Scope {
    const spelling = this.#state.get<string>(scopeKey);
    try {
      if (spelling !== undefined) return parseScope(spelling);
    } catch {
      // Written by another version: as if nothing had been chosen.
    }
    return settings.defaultScope();
  }

  /** null: as the setting says. */
  async setScope(scope: Scope | null): Promise<void> {
    await this.#state.update(scopeKey, scope === null ? undefined : formatScope(scope));
    this.#changed.fire();
  }

  /** Switches a vector on or off, or changes where (null: the suggested layer) and how strongly it steers. */
  async apply(uri: vscode.Uri, change: Partial<VectorSwitch>): Promise<void> {
    this.#switches = changeSwitch(this.#switches, workspacePath(uri), change);
    await this.#saveSwitches();
  }

  /**
   * Writes a new vector under a free name; resolves with its address once the view knows it. Throws InvalidRequest
   * without a folder or for a name that cannot be a file's, FileUnwritable.
   */
  async write(name: string, bytes: Uint8Array, near?: vscode.Uri): Promise<vscode.Uri> {
    requireFileName(name);
    const folder = vscode.Uri.joinPath(steeringFolderFor(near), vectorsFolder);
    return this.#oneAfterAnother(() => this.#writeNew(folder, name, bytes));
  }

  /** Writes a file that was deleted back to its place; under a free name where there is another one by now. */
  async restore(uri: vscode.Uri, bytes: Uint8Array): Promise<vscode.Uri> {
    return this.#oneAfterAnother(() =>
      this.#writeNew(vscode.Uri.joinPath(uri, ".."), vectorName(uri), bytes),
    );
  }

  /** Gives a vector another name; its switch goes with it. Throws InvalidRequest where the name is taken or cannot be. */
  async rename(uri: vscode.Uri, name: string): Promise<vscode.Uri> {
    requireFileName(name);
    return this.#oneAfterAnother(async () => {
      const target = vscode.Uri.joinPath(uri, "..", `${name}${vectorExtension}`);
      if (target.toString() === uri.toString()) return uri;
      const isTaken = this.all().some(
        (other) => other.uri.toString() !== uri.toString() && isSameName(other.uri, target),
      );
      if (isTaken) {
        throw new SteerscopeError("InvalidRequest", vscode.l10n.t('There is a vector "{0}" already.', name));
      }
      try {
        await vscode.workspace.fs.rename(uri, target, { overwrite: false });
      } catch (error) {
        const isTaken = error instanceof vscode.FileSystemError && error.code === "FileExists";
        throw new SteerscopeError(
          isTaken ? "InvalidRequest" : "FileUnwritable",
          isTaken
            ? vscode.l10n.t('There is a vector "{0}" already.', name)
            : vscode.l10n.t("{0} cannot be renamed.", workspacePath(uri)),
          { detail: String(error) },
        );
      }
      const wasCurrent = this.current()?.uri.toString() === uri.toString();
      await this.#moveSwitches(uri, target);
      await this.refresh();
      if (wasCurrent) this.setCurrent(target);
      return target;
    });
  }

  /** Reads what changed on disk since the last time. */
  refresh(): Promise<void> {
    if (!this.#isReadQueued) {
      this.#isReadQueued = true;
      this.#reading = this.#reading.then(() => {
        this.#isReadQueued = false;
        return this.#read();
      });
    }
    return this.#reading;
  }

  dispose(): void {
    this.#isDisposed = true;
    clearTimeout(this.#timer);
    for (const subscription of this.#subscriptions) subscription.dispose();
    this.#changed.dispose();
    this.#asked.dispose();
  }

  #newest(entries: readonly VectorEntry[]): readonly VectorEntry[] {
    return entries.flatMap(({ uri }) => this.get(uri) ?? []);
  }

  async #writeNew(folder: vscode.Uri, name: string, bytes: Uint8Array): Promise<vscode.Uri> {
    const uri = await writeNewFileSafely(folder, name, vectorExtension, bytes);
    this.#reader.touch(uri);
    await this.refresh();
    return uri;
  }

  async #read(): Promise<void> {
    try {
      const entries = vscode.workspace.isTrusted ? await this.#reader.read() : [];
      if (this.#isDisposed) return;
      for (const { problem, uri } of entries.filter((entry) => !this.#entries.includes(entry))) {
        if (problem !== null) this.#log.warn(`${workspacePath(uri)}: ${problem.message}`);
      }
      this.#entries = entries;
      this.#changed.fire();
    } catch (error) {
      this.#log.error(`Vectors cannot be read: ${String(error)}`);
    }
  }

  #readSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.refresh(), settleMilliseconds);
  }

  /** Two writes at once would be given the same free name. */
  #oneAfterAnother<T>(body: () => Promise<T>): Promise<T> {
    const done = this.#writing.then(body);
    this.#writing = done.catch(() => undefined);
    return done;
  }

  /** Whether, where and how strongly it is switched on. */
  switchOf(entry: VectorEntry): VectorSwitch {
    return this.#switches[workspacePath(entry.uri)] ?? defaultSwitch;
  }

  async #moveSwitches(from: vscode.Uri, to: vscode.Uri): Promise<void> {
    this.#switches = renamedKeys(this.#switches, workspacePath(from), workspacePath(to));
    await this.#saveSwitches();
  }

  async #saveSwitches(): Promise<void> {
    this.#changed.fire();
    await this.#state.update(switchesKey, this.#switches);
  }
}

/** Whether a command's argument is the address of a file that can be a vector. */
export function isVectorFile(argument: unknown): argument is vscode.Uri {
  return argument instanceof vscode.Uri && argument.path.endsWith(vectorExtension);
}

/** The model's name for people; undefined where the file does not say. */
export function modelNameOf({ file }: VectorEntry): string | undefined {
  const id = file?.provenance?.model.id;
  return id === undefined ? undefined : modelName(id);
}

function requireFileName(name: string): void {
  const problem = fileNameProblem(name);
  if (problem !== undefined) throw new SteerscopeError("InvalidRequest", problem);
}

/** Case counts on some file systems only; a folder that others get by git must work on all. */
function isSameName(a: vscode.Uri, b: vscode.Uri): boolean {
  return a.toString().toLowerCase() === b.toString().toLowerCase();
}
