/** Reads the vector files of the workspace, each once while it stays as it is. */
import { posix } from "node:path";
import * as vscode from "vscode";
import { readFileBounded } from "../client/files.ts";
import { parseVectorFile } from "../formats/vectorFile.ts";
import { SteerscopeError, deserialiseError, serialiseError } from "../shared/errors.ts";
import { steeringFolders, vectorsFolder } from "./steeringFolder.ts";
import type { VectorEntry } from "./vectors.ts";

export const vectorExtension = ".safetensors";

/** The vectors of the largest open models take a third of this (126 layers of 16,384). */
const maxVectorBytes = 32 * 1024 * 1024;
const maxTotalBytes = 512 * 1024 * 1024;
const maxFiles = 2000;

/** The bytes of a vector file. Throws FileUnreadable, also for files beyond the bound. */
export async function readVectorBytes(uri: vscode.Uri): Promise<Uint8Array> {
  if (uri.scheme === "file") return readFileBounded(uri.fsPath, maxVectorBytes);
  try {
    const { size } = await vscode.workspace.fs.stat(uri);
    if (size > maxVectorBytes) throw new Error(`it has ${size} bytes, more than ${maxVectorBytes}`);
    return await vscode.workspace.fs.readFile(uri);
  } catch (error) {
    throw new SteerscopeError("FileUnreadable", vscode.l10n.t("{0} cannot be read.", uri.path), {
      detail: String(error),
    });
  }
}

/** Name of a vector: its file name without extension. */
export function vectorName(uri: vscode.Uri): string {
  return posix.basename(uri.path, vectorExtension);
}

export async function readVectorEntry(uri: vscode.Uri): Promise<VectorEntry> {
  const name = vectorName(uri);
  try {
    return { uri, name, file: parseVectorFile(await readVectorBytes(uri)), problem: null };
  } catch (error) {
    return { uri, name, file: null, problem: deserialiseError(serialiseError(error)) };
  }
}

interface Held {
  readonly entry: VectorEntry;
  /** Time and size of the file when it was read. */
  readonly stamp: string;
}

export class VectorReader {
  #held = new Map<string, Held>();
  readonly #touched = new Set<string>();
  readonly #log: vscode.LogOutputChannel;

  constructor(log: vscode.LogOutputChannel) {
    this.#log = log;
  }

  /** The file is read again although it may look as before. */
  touch(uri: vscode.Uri): void {
    this.#touched.add(uri.toString());
  }

  /** All vectors, by name; entries of files that did not change are the same objects as before. */
  async read(): Promise<readonly VectorEntry[]> {
    const held = new Map<string, Held>();
    const touched = new Set(this.#touched);
    this.#touched.clear();
    let total = 0;
    for (const uri of await this.#list()) {
      const key = uri.toString();
      const stat = await vscode.workspace.fs.stat(uri).then(
        (found) => found,
        () => null,
      );
      if (stat === null) continue;
      const stamp = `${stat.mtime} ${stat.size}`;
      const before = this.#held.get(key);
      total += stat.size;
      if (total > maxTotalBytes) held.set(key, { entry: beyondBounds(uri), stamp: "" });
      else if (before?.stamp === stamp && !touched.has(key)) held.set(key, before);
      else held.set(key, { entry: await readVectorEntry(uri), stamp });
    }
    this.#held = held;
    return [...held.values()]
      .map(({ entry }) => entry)
      .sort((a, b) => a.name.localeCompare(b.name) || a.uri.path.localeCompare(b.uri.path));
  }

  async #list(): Promise<readonly vscode.Uri[]> {
    const found: vscode.Uri[] = [];
    for (const folder of steeringFolders()) {
      const vectors = vscode.Uri.joinPath(folder, vectorsFolder);
      const children = await vscode.workspace.fs.readDirectory(vectors).then(
        (list) => list,
        () => [],
      );
      for (const [name, type] of children) {
        // Temporary names of files being written begin with a dot.
        if (name.startsWith(".") || !name.endsWith(vectorExtension)) continue;
        if ((type & vscode.FileType.File) !== 0) found.push(vscode.Uri.joinPath(vectors, name));
      }
    }
    if (found.length > maxFiles) {
      this.#log.warn(`There are ${found.length} vector files; the first ${maxFiles} are shown.`);
    }
    return found.slice(0, maxFiles);
  }
}

function beyondBounds(uri: vscode.Uri): VectorEntry {
  const problem = new SteerscopeError(
    "FileUnreadable",
    vscode.l10n.t("The vectors of this folder are too large to be held together."),
    { remedy: vscode.l10n.t("Move vectors that you do not use to another folder.") },
  );
  return { uri, name: vectorName(uri), file: null, problem };
}
