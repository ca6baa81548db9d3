/** Follows the places that examples were taken from: through edits while a document is open, by content otherwise. */
import * as vscode from "vscode";
import {
  changeExamples,
  examplesOf,
  type Example,
  type ExampleChange,
  type ExampleSet,
  type ExampleSource,
} from "../../formats/exampleSet.ts";
import { serialiseError } from "../../shared/errors.ts";
import type { ExampleSets } from "../exampleSets.ts";
import { findOrigin, isText, originHash, shiftSpan, TextLines, type Span } from "../originRange.ts";
import { fromWorkspacePath } from "../steeringFolder.ts";

/** unknown: not looked at (yet). missing: the file is not there. */
export type OriginState = "same" | "stale" | "missing" | "unknown";

interface Tracked {
  readonly set: vscode.Uri;
  readonly example: Example;
  readonly source: ExampleSource;
  span: Span | null;
  state: OriginState;
}

interface Origin {
  readonly uri: vscode.Uri;
  tracked: Tracked[];
}

const maxOriginBytes = 4 * 1024 * 1024;
const maxTracked = 20_000;
const maxOrigins = 500;
const recheckMilliseconds = 250;
/** Moved ranges are written some time after a save: with automatic saving there is one a second. */
const writeBackMilliseconds = 1000;

export class OriginTracker implements vscode.Disposable {
  readonly #sets: ExampleSets;
  readonly #log: vscode.LogOutputChannel;
  readonly #changed = new vscode.EventEmitter<void>();
  /** States differ from what was said before. */
  readonly onDidChange = this.#changed.event;
  #origins = new Map<string, Origin>();
  #byExample = new Map<string, Tracked>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #subscriptions: vscode.Disposable;

  constructor(sets: ExampleSets, log: vscode.LogOutputChannel) {
    this.#sets = sets;
    this.#log = log;
    const watcher = vscode.workspace.createFileSystemWatcher("**/*");
    const lookAgain = (uri: vscode.Uri): void => {
      const origin = this.#origins.get(uri.toString());
      if (origin !== undefined && openDocument(origin.uri) === undefined) this.#forgetSpans(origin);
    };
    this.#subscriptions = vscode.Disposable.from(
      watcher,
      watcher.onDidChange(lookAgain),
      watcher.onDidCreate(lookAgain),
      watcher.onDidDelete(lookAgain),
      sets.onDidChange(() => {
        this.#rebuild();
      }),
      vscode.workspace.onDidOpenTextDocument((document) => {
        const origin = this.#origins.get(document.uri.toString());
        if (origin === undefined) return;
        // At once: the spans must be right before the first edit.
        resolveIn(new TextLines(document.getText()), origin.tracked);
        this.#changed.fire();
      }),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => {
        const origin = this.#origins.get(uri.toString());
        if (origin !== undefined) this.#forgetSpans(origin);
      }),
      vscode.workspace.onDidChangeTextDocument((event) => {
        this.#follow(event);
      }),
      vscode.workspace.onDidSaveTextDocument(({ uri }) => {
        if (!this.#origins.has(uri.toString())) return;
        this.#later("write", uri, writeBackMilliseconds, () => this.#writeBack(uri));
      }),
    );
    this.#rebuild();
  }

  /** What is known of the place that an example of `set` was taken from. */
  stateOf(set: vscode.Uri, example: Example): OriginState {
    return this.#byExample.get(keyOf(set, example))?.state ?? "unknown";
  }

  /** Opens the document that an example was taken from and finds the place in it. Throws when it cannot be opened. */
  async locate(
    set: vscode.Uri,
    example: Example,
  ): Promise<{ document: vscode.TextDocument; range: vscode.Range | null; isStale: boolean } | undefined> {
    const { source } = example;
    const uri = source && originUri(source);
    if (source === undefined || uri === undefined) return undefined;
    const document = await vscode.workspace.openTextDocument(uri);
    const tracked = this.#byExample.get(keyOf(set, example));
    const lines = new TextLines(document.getText());
    const found = findOrigin(lines, source, example.text);
    const span = tracked?.span ?? found.span;
    const isStale = span === null || !isText(lines, span, source.sha256 ?? originHash(example.text));
    return {
      document,
      range:
        span === null
          ? null
          : new vscode.Range(document.positionAt(span.start), document.positionAt(span.end)),
      isStale,
    };
  }

  dispose(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#subscriptions.dispose();
    this.#changed.dispose();
  }

  /** Takes the examples as they are now; what was followed stays followed. */
  #rebuild(): void {
    const origins = new Map<string, Origin>();
    const byExample = new Map<string, Tracked>();
    let count = 0;
    for (const { uri: set, set: content } of this.#sets.all()) {
      if (content === null) continue;
      for (const { example } of examplesOf(content)) {
        const { source } = example;
        const uri = source && originUri(source);
        if (source === undefined || uri === undefined || count >= maxTracked) continue;
        const address = uri.toString();
        if (!origins.has(address) && origins.size >= maxOrigins) continue;
        const key = keyOf(set, example);
        // The same place added twice is followed once.
        if (byExample.has(key)) continue;
        count++;
        const tracked = this.#byExample.get(key) ?? {
          set,
          example,
          source,
          span: null,
          state: "unknown" as const,
        };
        byExample.set(key, tracked);
        const origin = origins.get(address) ?? { uri, tracked: [] };
        origin.tracked.push(tracked);
        origins.set(address, origin);
      }
    }
    this.#origins = origins;
    this.#byExample = byExample;
    for (const { uri, tracked } of origins.values()) {
      if (!tracked.some(({ state }) => state === "unknown")) continue;
      // A range of an open document is one of its text now: it must be taken before the next edit.
      const document = openDocument(uri);
      if (document !== undefined) resolveIn(new TextLines(document.getText()), tracked);
      this.#later("check", uri, 0, () => this.#check(uri));
    }
  }

  #follow({ document, contentChanges }: vscode.TextDocumentChangeEvent): void {
    const origin = this.#origins.get(document.uri.toString());
    if (origin === undefined || contentChanges.length === 0) return;
    for (const tracked of origin.tracked) {
      // Changes of one event do not overlap and come last place first, or in the order in which they apply.
      for (const change of contentChanges) {
        if (tracked.span !== null) tracked.span = shiftSpan(tracked.span, change);
      }
    }
    this.#later("check", document.uri, recheckMilliseconds, () => this.#check(document.uri));
  }

  #forgetSpans({ uri, tracked }: Origin): void {
    for (const one of tracked) one.span = null;
    this.#later("check", uri, recheckMilliseconds, () => this.#check(uri));
  }

  /** Compares the texts at an origin's spans with what was taken from them. */
  async #check(uri: vscode.Uri): Promise<void> {
    const origin = this.#origins.get(uri.toString());
    if (origin === undefined || !vscode.workspace.isTrusted) return;
    const before = origin.tracked.map(({ state }) => state);
    const read = openDocument(uri)?.getText() ?? (await readOrigin(uri));
    // Opened meanwhile: its text counts, and has been looked at.
    const text = openDocument(uri)?.getText() ?? read;
    if (typeof text === "string") resolveIn(new TextLines(text), origin.tracked);
    else for (const tracked of origin.tracked) tracked.state = text.state;
    if (origin.tracked.some(({ state }, index) => state !== before[index])) this.#changed.fire();
  }

  /** Writes ranges that edits have moved into the set files. */
  async #writeBack(uri: vscode.Uri): Promise<void> {
    const origin = this.#origins.get(uri.toString());
    const document = openDocument(uri);
    // A later save writes what is unsaved now.
    if (origin === undefined || document === undefined || document.isDirty) return;
    const lines = new TextLines(document.getText());
    const moved = new Map<string, { set: vscode.Uri; ranges: Map<string, ExampleSource["range"]> }>();
    for (const { set, example, source, span } of origin.tracked) {
      if (span === null || span.start === span.end) continue;
      const range = lines.rangeOf(span);
      if (String(range) === String(source.range)) continue;
      const address = set.toString();
      const group = moved.get(address) ?? { set, ranges: new Map() };
      group.ranges.set(keyOf(set, example), range);
      moved.set(address, group);
    }
    for (const { set, ranges } of moved.values()) {
      await this.#sets.change(set, (content) => withRanges(content, set, ranges));
    }
  }

  #later(kind: string, uri: vscode.Uri, milliseconds: number, work: () => Promise<void>): void {
    const key = `${kind} ${uri.toString()}`;
    clearTimeout(this.#timers.get(key));
    const timer = setTimeout(() => {
      this.#timers.delete(key);
      work().catch((error: unknown) => {
        this.#log.warn(`Origin of examples: ${serialiseError(error).message}`);
      });
    }, milliseconds);
    this.#timers.set(key, timer);
  }
}

function resolveIn(lines: TextLines, tracked: readonly Tracked[]): void {
  for (const one of tracked) {
    const { source, example } = one;
    if (one.span === null || !isText(lines, one.span, source.sha256 ?? originHash(example.text))) {
      const found = findOrigin(lines, source, example.text);
      // A place that was followed is better than the range of before, unless the text stands elsewhere unchanged.
      if (one.span === null || !found.isStale) one.span = found.span;
      one.state = found.isStale ? "stale" : "same";
    } else {
      one.state = "same";
    }
  }
}

function withRanges(
  content: ExampleSet,
  set: vscode.Uri,
  ranges: ReadonlyMap<string, ExampleSource["range"]>,
): ExampleSet {
  const changes = new Map<number, ExampleChange>();
  for (const { line, example } of examplesOf(content)) {
    const range = ranges.get(keyOf(set, example));
    if (range === undefined) continue;
    // From the line itself: keys of the source that this program does not know survive.
    const { source } = JSON.parse(content.lines[line - 1]!.raw) as { source: ExampleSource };
    changes.set(line, { source: { ...source, range } });
  }
  return changeExamples(content, changes);
}

function keyOf(set: vscode.Uri, { text, source }: Example): string {
  return JSON.stringify([set.toString(), source?.uri, source?.range, source?.sha256, text]);
}

/**
 * Where a source points. A set file may come from anybody: only files of the workspace are looked at unasked, and only
 * local files and the workspace's own file system are opened at all.
 */
function originUri({ uri: path }: ExampleSource): vscode.Uri | undefined {
  try {
    const uri = fromWorkspacePath(path);
    if (uri === undefined) return undefined;
    const isOfWorkspace = vscode.workspace.getWorkspaceFolder(uri) !== undefined;
    return isOfWorkspace || (uri.scheme === "file" && uri.authority === "") ? uri : undefined;
  } catch {
    return undefined;
  }
}

function openDocument(uri: vscode.Uri): vscode.TextDocument | undefined {
  const address = uri.toString();
  return vscode.workspace.textDocuments.find(
    (document) => !document.isClosed && document.uri.toString() === address,
  );
}

/** The text, or why there is none. */
async function readOrigin(uri: vscode.Uri): Promise<string | { readonly state: OriginState }> {
  if (vscode.workspace.getWorkspaceFolder(uri) === undefined) return { state: "unknown" };
  try {
    const { size } = await vscode.workspace.fs.stat(uri);
    if (size > maxOriginBytes) return { state: "unknown" };
    return new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
  } catch {
    return { state: "missing" };
  }
}
