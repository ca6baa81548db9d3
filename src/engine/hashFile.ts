/**
 * sha256 of files too large to hash at every start: remembered in the cache folder with the size and time of change
 * that the file had. A file that is rewritten with its old size and time, to the nanosecond, goes unnoticed.
 */
import { createHash, randomBytes } from "node:crypto";
import { createReadStream, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { SteerscopeError } from "../shared/errors.ts";
import { makeFolder } from "./makeFolder.ts";

/** Bounds the memory file; the files hashed longest ago are forgotten first. */
const maximumRemembered = 500;
const memoryName = "file-hashes.json";
const memoryLimitBytes = 1024 ** 2;

interface Remembered {
  readonly path: string;
  readonly stamp: string;
  readonly sha256: string;
}

/** Lower-case hex sha256 of a file. Throws FileUnreadable, or Cancelled when `signal` fires. */
export async function hashFile(path: string, cacheFolder: string, signal?: AbortSignal): Promise<string> {
  const absolute = resolve(path);
  const stamp = stampOf(absolute);
  const memory = join(cacheFolder, memoryName);
  const known = recall(memory).find((entry) => entry.path === absolute && entry.stamp === stamp);
  if (known !== undefined) return known.sha256;
  const hash = createHash("sha256");
  try {
    const stream = createReadStream(absolute, { highWaterMark: 1024 ** 2, ...(signal ? { signal } : {}) });
    for await (const chunk of stream) hash.update(chunk as Buffer);
  } catch (error) {
    if (signal?.aborted) throw new SteerscopeError("Cancelled", "Cancelled.", { cause: error });
    throw unreadable(absolute, error);
  }
  const sha256 = hash.digest("hex");
  // A file that changed meanwhile is hashed again the next time.
  if (stampOf(absolute) === stamp) remember(memory, { path: absolute, stamp, sha256 });
  return sha256;
}

function stampOf(path: string): string {
  try {
    const { size, mtimeNs } = statSync(path, { bigint: true });
    return `${size}-${mtimeNs}`;
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, cause: unknown): SteerscopeError {
  return new SteerscopeError("FileUnreadable", `${path} cannot be read.`, {
    remedy: "Check that the file exists and that you may read it.",
    detail: String(cause),
    cause,
  });
}

function recall(memory: string): Remembered[] {
  try {
    if (statSync(memory).size > memoryLimitBytes) return [];
    const entries: unknown = JSON.parse(readFileSync(memory, "utf8"));
    return Array.isArray(entries) ? entries.filter(isRemembered) : [];
  } catch {
    // Missing or damaged: nothing is remembered.
    return [];
  }
}

function isRemembered(entry: unknown): entry is Remembered {
  if (typeof entry !== "object" || entry === null) return false;
  const { path, stamp, sha256 } = entry as Record<keyof Remembered, unknown>;
  return (
    typeof path === "string" &&
    typeof stamp === "string" &&
    typeof sha256 === "string" &&
    /^[0-9a-f]{64}$/.test(sha256)
  );
}

function remember(memory: string, entry: Remembered): void {
  const others = recall(memory).filter(({ path }) => path !== entry.path);
  const entries = [...others, entry].slice(-maximumRemembered);
  const temporary = `${memory}.${randomBytes(6).toString("hex")}`;
  try {
    makeFolder(resolve(dirname(memory)));
    writeFileSync(temporary, JSON.stringify(entries));
    try {
      renameSync(temporary, memory);
    } finally {
      rmSync(temporary, { force: true });
    }
  } catch {
    // Not remembering costs time, nothing else.
  }
}
