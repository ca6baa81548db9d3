/**
 * The text of one example-set file: what an editor holds unsaved goes before what is on disk, so that nobody's unsaved
 * lines are lost; local files are changed under a lock that other windows and the command line respect.
 */
import * as vscode from "vscode";
import { changeSharedFile, decodeText } from "../client/sharedFile.ts";
import { parseExampleSetSteps, type ExampleSet } from "../formats/exampleSet.ts";
import { SteerscopeError } from "../shared/errors.ts";
import { inSlices } from "./inSlices.ts";
import { fileExists, writeFileSafely } from "./steeringFolder.ts";

export const setExtension = ".jsonl";
/** The command line reads larger ones. */
const maxSetBytes = 32 * 1024 * 1024;
const maxAttempts = 20;

/** The name of a set: its file's without the ending. */
export function setNameOf(uri: vscode.Uri): string {
  const file = uri.path.slice(uri.path.lastIndexOf("/") + 1);
  return file.endsWith(setExtension) ? file.slice(0, -setExtension.length) : file;
}

/** Parses without keeping the extension host. Throws ExampleSetInvalid. */
export function parseSet(text: string, uri: vscode.Uri): Promise<ExampleSet> {
  return inSlices(parseExampleSetSteps(text, setNameOf(uri)));
}

/** The text of a file of at most `maxSetBytes`, or of the editor that holds unsaved changes of it. Throws FileUnreadable. */
export async function readText(uri: vscode.Uri): Promise<string> {
  const document = unsavedDocument(uri);
  if (document !== undefined) return document.getText();
  let bytes: Uint8Array;
  try {
    const { size } = await vscode.workspace.fs.stat(uri);
    if (size > maxSetBytes) throw new Error(`${size} bytes are more than ${maxSetBytes}`);
    bytes = await vscode.workspace.fs.readFile(uri);
  } catch (error) {
    throw new SteerscopeError("FileUnreadable", vscode.l10n.t("{0} cannot be read.", uri.path), {
      remedy: vscode.l10n.t("Check that the file is there, that you may read it, and its size."),
      detail: (error as Error).message,
    });
  }
  return decodeText(uri.path, bytes);
}

/**
 * Replaces the text by what `edit` makes of the newest one (null: no such file); `edit` is called again when somebody
 * wrote meanwhile. Where an editor holds unsaved changes it is the editor's text that changes, and stays unsaved. Throws
 * FileUnreadable, FileUnwritable and what `edit` throws.
 */
export async function changeText(
  uri: vscode.Uri,
  edit: (text: string | null) => Promise<string>,
): Promise<void> {
  for (let attempt = 1; attempt <= maxAttempts; attempt++) {
    const document = unsavedDocument(uri);
    if (document !== undefined) {
      if (await changeDocument(document, edit)) return;
    } else if (uri.scheme === "file") {
      if (await changeFile(uri, edit)) return;
    } else if (await changeElsewhere(uri, edit)) {
      return;
    }
  }
  throw new SteerscopeError("FileUnwritable", vscode.l10n.t("{0} cannot be written.", uri.path), {
    remedy: vscode.l10n.t("It is changed again and again by somebody else; try again."),
  });
}

function unsavedDocument(uri: vscode.Uri): vscode.TextDocument | undefined {
  const address = uri.toString();
  return vscode.workspace.textDocuments.find(
    (document) => document.isDirty && !document.isClosed && document.uri.toString() === address,
  );
}

/** What an editor holds of a file that is not on disk; undefined where it holds nothing else. */
export function unsavedText(uri: vscode.Uri): string | undefined {
  return unsavedDocument(uri)?.getText();
}

/** False: somebody has begun to type in the file's editor; what is written below it would be a conflict when it is saved. */
async function changeFile(uri: vscode.Uri, edit: (text: string | null) => Promise<string>): Promise<boolean> {
  const isUntouched = (): boolean => unsavedDocument(uri) === undefined;
  const touched = new Error("The file is being edited.");
  try {
    await changeSharedFile(
      uri.fsPath,
      maxSetBytes,
      async (text) => {
        if (!isUntouched()) throw touched;
        return edit(text);
      },
      isUntouched,
    );
    return true;
  } catch (error) {
    if (error === touched) return false;
    throw error;
  }
}

/** False: the document changed meanwhile, or was saved. Only the characters that differ are replaced: cursors stay where they are. */
async function changeDocument(
  document: vscode.TextDocument,
  edit: (text: string) => Promise<string>,
): Promise<boolean> {
  const { version } = document;
  const before = document.getText();
  const after = await edit(before);
  if (document.version !== version || document.isClosed || !document.isDirty) return false;
  if (after === before) return true;
  const { start, beforeEnd, afterEnd } = difference(before, after);
  const change = new vscode.WorkspaceEdit();
  const range = new vscode.Range(document.positionAt(start), document.positionAt(beforeEnd));
  change.replace(document.uri, range, after.slice(start, afterEnd));
  return vscode.workspace.applyEdit(change);
}

function difference(
  before: string,
  after: string,
): { readonly start: number; readonly beforeEnd: number; readonly afterEnd: number } {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before[start] === after[start]) start++;
  // A position between \r and \n is not one of the editor's.
  while (start > 0 && before[start - 1] === "\r") start--;
  let same = 0;
  while (same < shorter - start && before.at(-1 - same) === after.at(-1 - same)) same++;
  if (same > 0 && before.at(-same) === "\n") same--;
  return { start, beforeEnd: before.length - same, afterEnd: after.length - same };
}

/** On file systems of other extensions there is no lock and no renaming: the time between look and write is made short. */
async function changeElsewhere(
  uri: vscode.Uri,
  edit: (text: string | null) => Promise<string>,
): Promise<boolean> {
  const before = await textIfThere(uri);
  const after = await edit(before);
  if (after === before) return true;
  if ((await textIfThere(uri)) !== before) return false;
  await writeFileSafely(uri, after);
  return true;
}

async function textIfThere(uri: vscode.Uri): Promise<string | null> {
  return (await fileExists(uri)) ? readText(uri) : null;
}
