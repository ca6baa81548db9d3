import * as vscode from "vscode";
import { formatExampleSet, type ExampleSet } from "../formats/exampleSet.ts";
import { SteerscopeError, isSteerscopeError, serialiseError } from "../shared/errors.ts";
import { changeText, parseSet, readText, setExtension, setNameOf } from "./exampleSetFile.ts";
import { requireTrust } from "./notices.ts";
import {
  fileNameProblem,
  setsFolder,
  steeringFolderFor,
  steeringFolders,
  watchSteeringFiles,
} from "./steeringFolder.ts";

export interface ExampleSetFile {
  readonly uri: vscode.Uri;
  readonly name: string;
  /** null: the file cannot be read; `problem` says why. */
  readonly set: ExampleSet | null;
  readonly problem: SteerscopeError | null;
}

interface KnownSet extends ExampleSetFile {
  /** null where `set` is. */
  readonly text: string | null;
}

const activeKey = "steering.activeSet";
const maxSetsAFolder = 1000;
/** A checkout touches many files at once; typing, one many times. */
const debounceMilliseconds = 150;

/**
 * The example sets of the workspace; files are the truth. What an editor holds unsaved counts as the file's content. In a
 * workspace that is not trusted there are none.
 */
export class ExampleSets implements vscode.Disposable {
  readonly #context: vscode.ExtensionContext;
  readonly #log: vscode.LogOutputChannel;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;
  readonly #asked = new vscode.EventEmitter<vscode.Uri>();
  /** Somebody wants to see a set in its view. */
  readonly onDidAskToShow = this.#asked.event;
  readonly #known = new Map<string, KnownSet>();
  /** The last work on each file: reading and changing one file is done one after the other. */
  readonly #queues = new Map<string, Promise<unknown>>();
  readonly #outdated = new Set<string>();
  readonly #disposables: vscode.Disposable[] = [];
  #timer: NodeJS.Timeout | undefined;
  #mustScan = false;
  #active: string | undefined;
  #isDisposed = false;
  /** Resolves when the sets of the workspace were read once. */
  readonly ready: Promise<void>;

  constructor(context: vscode.ExtensionContext, log: vscode.LogOutputChannel) {
    this.#context = context;
    this.#log = log;
    this.#active = context.workspaceState.get<string>(activeKey);
    const documentChanged = ({ uri }: vscode.TextDocument): void => {
      if (this.#known.has(uri.toString())) this.#notice(uri);
    };
    this.#disposables.push(
      watchSteeringFiles(setsFolder, `*${setExtension}`, (uri) => {
        this.#notice(uri);
      }),
      vscode.workspace.onDidGrantWorkspaceTrust(() => {
        this.#notice();
      }),
      vscode.workspace.onDidChangeTextDocument(({ document }) => {
        documentChanged(document);
      }),
      vscode.workspace.onDidSaveTextDocument(documentChanged),
      vscode.workspace.onDidCloseTextDocument(documentChanged),
    );
    this.ready = this.refresh();
  }

  /** Sorted by name. */
  all(): readonly ExampleSetFile[] {
    return [...this.#known.values()].sort(
      (a, b) =>
        a.name.localeCompare(b.name, undefined, { numeric: true }) || (a.uri.path < b.uri.path ? -1 : 1),
    );
  }

  get(uri: vscode.Uri): ExampleSetFile | undefined {
    return this.#known.get(uri.toString());
  }

  /** The set that new examples go to: the chosen one, else the first by name. */
  active(): ExampleSetFile | undefined {
    return (this.#active === undefined ? undefined : this.#known.get(this.#active)) ?? this.all()[0];
  }

  async setActive(uri: vscode.Uri): Promise<void> {
    const address = uri.toString();
    if (address === this.#active) return;
    this.#active = address;
    this.#changed.fire();
    await this.#context.workspaceState.update(activeKey, address);
  }

  /** Makes a set the active one, and asks the view to reveal and select it. */
  async present(uri: vscode.Uri): Promise<void> {
    await this.setActive(uri);
    if (this.get(uri) !== undefined) this.#asked.fire(uri);
  }

  /**
   * Reads the newest content, applies `edit`, writes it; serialised a file, retried (`edit` is called again) where another
   * window wrote between. Throws InvalidRequest where the workspace is not trusted or the file is gone, FileUnreadable,
   * FileUnwritable, ExampleSetInvalid, and what `edit` throws.
   */
  async change(uri: vscode.Uri, edit: (set: ExampleSet) => ExampleSet): Promise<ExampleSet> {
    return this.#changeOrCreate(uri, (set) => {
      if (set !== null) return edit(set);
      throw new SteerscopeError(
        "InvalidRequest",
        vscode.l10n.t("The example set {0} is no longer there.", setNameOf(uri)),
        { remedy: vscode.l10n.t("Choose another example set.") },
      );
    });
  }

  /** Makes an empty set in the workspace folder of `near`. Throws InvalidRequest for a name that is taken or impossible. */
  async create(name: string, near?: vscode.Uri): Promise<vscode.Uri> {
    const uri = setUri(name, near);
    await this.#changeOrCreate(uri, async (set) => {
      if (set === null) return parseSet("", uri);
      throw new SteerscopeError(
        "InvalidRequest",
        vscode.l10n.t("There is an example set {0} already.", name),
        { remedy: vscode.l10n.t("Choose another name.") },
      );
    });
    return uri;
  }

  /** The set of this name, made where it is missing. */
  async ensure(name: string, near?: vscode.Uri): Promise<vscode.Uri> {
    const uri = setUri(name, near);
    await this.#changeOrCreate(uri, (set) => set ?? parseSet("", uri));
    return uri;
  }

  /** Looks at all files again. */
  async refresh(): Promise<void> {
    if (!vscode.workspace.isTrusted) return;
    const found = (await Promise.all(steeringFolders().map((folder) => this.#list(folder)))).flat();
    const addresses = new Set(found.map(String));
    let isChanged = false;
    for (const address of [...this.#known.keys()]) {
      if (!addresses.has(address)) isChanged = this.#known.delete(address) || isChanged;
    }
    const reread = await Promise.all(found.map((uri) => this.#reread(uri)));
    await this.#pinActive();
    if (isChanged || reread.includes(true)) this.#fire();
  }

  /** What is active because it comes first must not cease to be when a file arrives that comes before it. */
  async #pinActive(): Promise<void> {
    const [first] = this.all();
    if (this.#active !== undefined || first === undefined) return;
    this.#active = first.uri.toString();
    await this.#context.workspaceState.update(activeKey, this.#active);
  }

  dispose(): void {
    this.#isDisposed = true;
    clearTimeout(this.#timer);
    vscode.Disposable.from(...this.#disposables).dispose();
    this.#changed.dispose();
    this.#asked.dispose();
  }

  #fire(): void {
    if (!this.#isDisposed) this.#changed.fire();
  }

  async #changeOrCreate(
    uri: vscode.Uri,
    edit: (set: ExampleSet | null) => ExampleSet | Promise<ExampleSet>,
  ): Promise<ExampleSet> {
    requireTrust();
    const address = uri.toString();
    return this.#queue(address, async () => {
      let result: ExampleSet | undefined;
      let text = "";
      await changeText(uri, async (before) => {
        const known = this.#known.get(address);
        const knownSet = known?.text === before ? known.set : null;
        result = await edit(before === null ? null : (knownSet ?? (await parseSet(before, uri))));
        text = formatExampleSet(result);
        return text;
      });
      const set = result!;
      if (this.#known.get(address)?.text !== text) {
        this.#known.set(address, { uri, name: setNameOf(uri), set, problem: null, text });
        this.#fire();
      }
      return set;
    });
  }

  /** Something happened to a file, or to any. */
  #notice(uri?: vscode.Uri): void {
    // A file that is new or gone changes the list, and which it is only the folder tells.
    this.#mustScan ||= uri === undefined || !this.#known.has(uri.toString());
    if (uri !== undefined) this.#outdated.add(uri.toString());
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const addresses = [...this.#outdated];
      const mustScan = this.#mustScan;
      this.#outdated.clear();
      this.#mustScan = false;
      void (mustScan ? this.refresh() : this.#rereadAll(addresses)).catch((error: unknown) => {
        this.#log.error(`Example sets: ${serialiseError(error).message}`);
      });
    }, debounceMilliseconds);
  }

  async #rereadAll(addresses: readonly string[]): Promise<void> {
    const uris = addresses.flatMap((address) => this.#known.get(address)?.uri ?? []);
    const reread = await Promise.all(uris.map((uri) => this.#reread(uri)));
    if (reread.includes(true)) this.#fire();
  }

  /** Whether the content differs from what was known. */
  async #reread(uri: vscode.Uri): Promise<boolean> {
    const address = uri.toString();
    return this.#queue(address, async () => {
      const known = this.#known.get(address);
      const name = setNameOf(uri);
      try {
        const text = await readText(uri);
        if (text === known?.text) return false;
        this.#known.set(address, { uri, name, set: await parseSet(text, uri), problem: null, text });
        return true;
      } catch (error) {
        if (await isGone(uri)) return this.#known.delete(address);
        const problem = isSteerscopeError(error)
          ? error
          : new SteerscopeError("FileUnreadable", vscode.l10n.t("{0} cannot be read.", uri.path), {
              cause: error,
            });
        this.#known.set(address, { uri, name, set: null, problem, text: null });
        return known?.problem?.message !== problem.message;
      }
    });
  }

  async #list(folder: vscode.Uri): Promise<readonly vscode.Uri[]> {
    const sets = vscode.Uri.joinPath(folder, setsFolder);
    const entries = await vscode.workspace.fs.readDirectory(sets).then(
      (all) => all,
      () => [],
    );
    const files = entries.filter(
      // A link's kind has the bit of what it points to.
      ([name, kind]) =>
        (kind & vscode.FileType.File) !== 0 && name.endsWith(setExtension) && !name.startsWith("."),
    );
    if (files.length > maxSetsAFolder) {
      this.#log.warn(`${sets.path} has ${files.length} example sets; the first ${maxSetsAFolder} are shown.`);
    }
    return files.slice(0, maxSetsAFolder).map(([name]) => vscode.Uri.joinPath(sets, name));
  }

  #queue<T>(address: string, work: () => Promise<T>): Promise<T> {
    const done = (this.#queues.get(address) ?? Promise.resolve()).then(work, work);
    this.#queues.set(address, done);
    const forget = (): void => {
      if (this.#queues.get(address) === done) this.#queues.delete(address);
    };
    done.then(forget, forget);
    return done;
  }
}

function setUri(name: string, near?: vscode.Uri): vscode.Uri {
  const problem = fileNameProblem(name);
  if (problem !== undefined) {
    throw new SteerscopeError("InvalidRequest", problem, {
      remedy: vscode.l10n.t("Choose another name."),
    });
  }
  return vscode.Uri.joinPath(steeringFolderFor(near), setsFolder, `${name}${setExtension}`);
}

async function isGone(uri: vscode.Uri): Promise<boolean> {
  return vscode.workspace.fs.stat(uri).then(
    () => false,
    (error: unknown) => error instanceof vscode.FileSystemError && error.code === "FileNotFound",
  );
}
