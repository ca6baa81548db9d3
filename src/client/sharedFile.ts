/**
 * A text file that several processes read, modify and write back: a lock file beside it puts them in a row. A process that
 * does not know the lock (an editor, git) is noticed by comparing the file just before the new one is renamed into place.
 */
import { randomBytes } from "node:crypto";
import { statSync } from "node:fs";
import { open, readFile, realpath, stat, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { SteerscopeError } from "../shared/errors.ts";
import { makeFolder, readFileBounded, writeFileAtomically } from "./files.ts";

/** A holder needs some milliseconds; one that was not seen to move for so long is gone, whatever its machine. */
const staleMilliseconds = 8_000;
const patienceMilliseconds = 20_000;
const maxPauseMilliseconds = 20;
/** Only a file that is rewritten without end by somebody else needs more. */
const maxAttempts = 50;

/**
 * Reads the newest content, applies `edit`, and writes the result if it differs. `edit` gets null for a file that does not
 * exist, and is called again when somebody else wrote meanwhile, or when `isStillWanted`, asked last of all, says no; what it
 * throws leaves the file untouched. Between processes that use this function no change is lost. Throws FileUnreadable (also: not UTF-8, more than `maxBytes`),
 * FileUnwritable.
 */
export async function changeSharedFile(
  path: string,
  maxBytes: number,
  edit: (text: string | null) => string | Promise<string>,
  isStillWanted: () => boolean = () => true,
): Promise<void> {
  const target = await realpath(path).catch(() => resolve(path));
  await makeFolder(dirname(target)).catch((error: unknown) => {
    throw unwritable(path, error);
  });
  for (let attempt = 1; attempt <= maxAttempts; attempt++) {
    if (await changeOnce(target, maxBytes, edit, isStillWanted)) return;
  }
  throw unwritable(path, "Another program writes it again and again.");
}

/** UTF-8 with its byte order mark kept. Throws FileUnreadable where it is something else: writing it back would harm it. */
export function decodeText(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new SteerscopeError("FileUnreadable", `${path} is not UTF-8 text.`, {
      remedy: "Save it with the encoding UTF-8.",
    });
  }
}

/** False: somebody else wrote meanwhile, or took the lock for abandoned, or nobody wants it any more; nothing was written. */
async function changeOnce(
  target: string,
  maxBytes: number,
  edit: (text: string | null) => string | Promise<string>,
  isStillWanted: () => boolean,
): Promise<boolean> {
  const lock = await acquire(target);
  try {
    const before = await readIfThere(target, maxBytes);
    const text = before === null ? null : decodeText(target, before);
    const result = await edit(text);
    if (result === text) return true;
    let seen: string | null = null;
    return await writeFileAtomically(target, result, {
      isWanted: async () => {
        seen = identityOf(target);
        const now = await readIfThere(target, maxBytes);
        const isSame = before === null || now === null ? before === now : Buffer.compare(before, now) === 0;
        return isSame && (await lock.isHeld());
      },
      isStillWanted: () => isStillWanted() && identityOf(target) === seen,
    });
  } finally {
    await lock.release();
  }
}

/** Differs after nearly every write: times count in steps of some milliseconds, in which a file may keep its size. */
function identityOf(path: string): string | null {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? null : [found.ino, found.size, found.mtimeNs, found.ctimeNs].join(" ");
}

async function readIfThere(path: string, maxBytes: number): Promise<Uint8Array | null> {
  const exists = await stat(path).then(
    () => true,
    (error: unknown) => (error as NodeJS.ErrnoException).code !== "ENOENT",
  );
  return exists ? readFileBounded(path, maxBytes) : null;
}

interface Lock {
  readonly isHeld: () => Promise<boolean>;
  readonly release: () => Promise<void>;
}

/** Waits for the lock of `target`. Throws FileUnwritable when it cannot be made or does not come free. */
async function acquire(target: string): Promise<Lock> {
  const path = join(dirname(target), `.${basename(target)}.lock`);
  const mine = JSON.stringify([hostname(), process.pid, randomBytes(8).toString("hex")]);
  const start = performance.now();
  let seen: { readonly content: string | null; readonly since: number } | undefined;
  while (!(await createLock(path, mine))) {
    const now = performance.now();
    if (now - start > patienceMilliseconds) {
      throw unwritable(target, `${path} exists: another process holds the file.`);
    }
    const content = await contentOf(path);
    // Age by our own clock: the clock of a file server may be another.
    if (seen?.content !== content) seen = { content, since: now };
    if (content !== null && (isOfDeadProcess(content) || now - seen.since > staleMilliseconds)) {
      await breakLock(path, content);
    }
    await pause(Math.random() * maxPauseMilliseconds);
  }
  return {
    isHeld: async () => (await contentOf(path)) === mine,
    release: async () => {
      if ((await contentOf(path)) === mine) await unlink(path).catch(() => undefined);
    },
  };
}

async function createLock(path: string, content: string): Promise<boolean> {
  try {
    const handle = await open(path, "wx");
    try {
      await handle.writeFile(content);
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Windows refuses a name whose file is just being deleted.
    if (code === "EEXIST" || (process.platform === "win32" && code === "EPERM")) return false;
    throw unwritable(path, error);
  }
}

/** null: there is no such file. Empty: its owner has not written it yet, or never will. */
async function contentOf(path: string): Promise<string | null> {
  return readFile(path, "utf8").catch(() => null);
}

/** Removes an abandoned lock. A guard makes sure that of several who found it only one does, and nobody a newer one. */
async function breakLock(path: string, abandoned: string): Promise<void> {
  const guard = `${path}.break`;
  const age = await stat(guard).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0,
  );
  if (age > 2 * staleMilliseconds) await unlink(guard).catch(() => undefined);
  if (!(await createLock(guard, ""))) return;
  try {
    if ((await contentOf(path)) === abandoned) await unlink(path).catch(() => undefined);
  } finally {
    await unlink(guard).catch(() => undefined);
  }
}

function isOfDeadProcess(content: string): boolean {
  try {
    const [host, id] = JSON.parse(content) as [unknown, unknown];
    if (host !== hostname() || typeof id !== "number" || !Number.isSafeInteger(id) || id <= 0) return false;
    process.kill(id, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

function unwritable(path: string, error: unknown): SteerscopeError {
  return new SteerscopeError("FileUnwritable", `${path} cannot be written.`, {
    remedy: "Check that you may write there and that no other program holds the file.",
    detail: error instanceof Error ? error.message : String(error),
  });
}
