/**
 * Text that is written into a document piece by piece, as one step of undo. Edits of the person before or behind it move
 * it; one inside ends it. Pieces wait while no editor shows the document and are written at the end at the latest. Where
 * VS Code saves by itself all of them wait, and are shown as a preview: each save closes a step of undo, and formats what
 * is half written. A save that the person asks for in the middle does so, too.
 */
import * as vscode from "vscode";
import { SteerscopeError } from "../../shared/errors.ts";
import { GenerationPreview } from "./generationPreview.ts";
import { readOnly } from "./writableText.ts";

/** VS Code refuses an edit made for an older version of the text: the person was typing. */
const maximumRetries = 20;
const retryMilliseconds = 25;

export class StreamedInsertion implements vscode.Disposable {
  readonly #editor: vscode.TextEditor;
  readonly #document: vscode.TextDocument;
  /** null: pieces are written as they come. */
  readonly #preview: GenerationPreview | null;
  /** Editors that take an edit and do nothing. */
  readonly #readOnly = new Set<vscode.TextEditor>();
  readonly #onInterrupted: () => void;
  readonly #subscriptions: vscode.Disposable;
  /** Offsets of the document: what was inserted is [from, to). */
  #from: number;
  #to: number;
  /** With the document's line ends. */
  #waiting = "";
  #isWriting = false;
  #hasWritten = false;
  #isInterrupted = false;
  /** The edit that is on its way. */
  #expected: string | null = null;
  #writing: Promise<void> = Promise.resolve();
  #failure: SteerscopeError | null = null;

  /**
   * `editor` comes before others that show the same document. `onInterrupted`: the person edits inside the text, the
   * document is closed or cannot be written.
   */
  constructor(editor: vscode.TextEditor, at: vscode.Position, onInterrupted: () => void) {
    const { document } = editor;
    this.#editor = editor;
    this.#document = document;
    this.#preview = savesByItself(document) ? new GenerationPreview(document) : null;
    this.#from = document.offsetAt(at);
    this.#to = this.#from;
    this.#onInterrupted = onInterrupted;
    this.#subscriptions = vscode.Disposable.from(
      vscode.workspace.onDidChangeTextDocument((event) => {
        if (event.document === document) this.#onChange(event.contentChanges);
      }),
      vscode.workspace.onDidCloseTextDocument((closed) => {
        if (closed === document) this.#interrupt();
      }),
    );
  }

  /** Where the text stands now. */
  get range(): vscode.Range {
    return new vscode.Range(this.#document.positionAt(this.#from), this.#document.positionAt(this.#to));
  }

  /** Writes `text` soon, together with what follows in the meantime. */
  push(text: string): void {
    if (this.#isInterrupted || text === "") return;
    // The last piece must be known as such: it closes the step of undo. So one is always held back.
    const held = this.#waiting;
    this.#waiting += this.#withLineEnds(text);
    if (this.#preview !== null) {
      this.#preview.update(() => ({ text: this.#waiting, at: this.range.end }));
      return;
    }
    if (held === "" || this.#isWriting) return;
    this.#isWriting = true;
    this.#writing = this.#write(held, false).finally(() => {
      this.#isWriting = false;
    });
  }

  /** Writes what is left. Throws FileUnwritable where the document could not be written. */
  async finish(): Promise<void> {
    await this.#writing;
    this.#preview?.dispose();
    if (!this.#isInterrupted && this.#waiting !== "") await this.#write(this.#waiting, true);
    if (this.#failure !== null) throw this.#failure;
  }

  dispose(): void {
    this.#preview?.dispose();
    this.#subscriptions.dispose();
  }

  /** Takes `text` from the beginning of what waits and inserts it. */
  async #write(text: string, isLast: boolean): Promise<void> {
    for (let retry = 0; retry < maximumRetries && !this.#isInterrupted; retry++) {
      const editors = this.#editors();
      const editor = editors.find((each) => !this.#readOnly.has(each));
      if (editors.length === 0 && !isLast) return;
      if (editors.length > 0 && editor === undefined) {
        this.#fail(readOnly());
        return;
      }
      this.#expected = text;
      const at = this.#document.positionAt(this.#to);
      const isDone = await (editor === undefined
        ? this.#insertUnseen(at, text)
        : this.#insert(editor, at, text, isLast));
      // The change is told before the edit is said to be done, which says nothing about the edits of an editor.
      const hasChanged = this.#hasArrived();
      this.#expected = null;
      if (hasChanged || (isDone && editor === undefined)) {
        this.#waiting = this.#waiting.slice(text.length);
        this.#hasWritten = true;
        return;
      }
      if (isDone && editor !== undefined) this.#readOnly.add(editor);
      else await new Promise((resolve) => setTimeout(resolve, retryMilliseconds));
    }
    if (this.#isInterrupted) return;
    this.#fail(new SteerscopeError("FileUnwritable", vscode.l10n.t("This document cannot be edited.")));
  }

  /** The edit that was on its way is in the text. */
  #hasArrived(): boolean {
    return this.#expected === null;
  }

  /** Those that show the document, the best one to write to first. */
  #editors(): readonly vscode.TextEditor[] {
    const all = vscode.window.visibleTextEditors.filter(({ document }) => document === this.#document);
    return all.includes(this.#editor) ? [this.#editor, ...all.filter((each) => each !== this.#editor)] : all;
  }

  #fail(error: SteerscopeError): void {
    this.#failure = error;
    this.#interrupt();
  }

  async #insert(
    editor: vscode.TextEditor,
    at: vscode.Position,
    text: string,
    isLast: boolean,
  ): Promise<boolean> {
    try {
      return await editor.edit(
        (edit) => {
          edit.insert(at, text);
        },
        { undoStopBefore: !this.#hasWritten, undoStopAfter: isLast },
      );
    } catch {
      // The editor has gone since it was looked up.
      return false;
    }
  }

  async #insertUnseen(at: vscode.Position, text: string): Promise<boolean> {
    const edit = new vscode.WorkspaceEdit();
    edit.insert(this.#document.uri, at, text);
    return vscode.workspace.applyEdit(edit);
  }

  #onChange(changes: readonly vscode.TextDocumentContentChangeEvent[]): void {
    const [first] = changes;
    const isOwn =
      this.#expected !== null &&
      changes.length === 1 &&
      first!.rangeOffset === this.#to &&
      first!.rangeLength === 0 &&
      first!.text === this.#expected;
    if (isOwn) {
      this.#to += first!.text.length;
      this.#expected = null;
      return;
    }
    // From the end of the document to its start: offsets before a change still hold.
    for (const { rangeOffset, rangeLength, text } of [...changes].sort(
      (a, b) => b.rangeOffset - a.rangeOffset,
    )) {
      if (rangeOffset > this.#to) continue;
      if (rangeOffset + rangeLength >= this.#from) {
        this.#interrupt();
        return;
      }
      this.#from += text.length - rangeLength;
      this.#to += text.length - rangeLength;
    }
  }

  #interrupt(): void {
    if (this.#isInterrupted) return;
    this.#isInterrupted = true;
    this.#onInterrupted();
  }

  #withLineEnds(text: string): string {
    // A lone carriage return would come back as a line end of the document.
    const plain = text.replaceAll(/\r\n?/g, "\n");
    return this.#document.eol === vscode.EndOfLine.CRLF ? plain.replaceAll("\n", "\r\n") : plain;
  }
}

/** VS Code does not save by itself what has no file yet. */
function savesByItself(document: vscode.TextDocument): boolean {
  const mode = vscode.workspace.getConfiguration("files", document).get<string>("autoSave", "off");
  return mode !== "off" && !document.isUntitled;
}
