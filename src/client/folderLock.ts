/** One process at a time in a folder: two windows must not write the same file. */
import { open, readFile, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { SteerscopeError } from "../shared/errors.ts";

const lockName = ".lock";
const refreshMilliseconds = 10_000;
/** A lock that its owner has not touched for this long is left over. */
const staleMilliseconds = 60_000;

/** Resolves with what ends the lock. Throws DownloadFailed while another process holds it. */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, lockName);
  if (!(await create(path))) {
    if (!(await isLeftOver(path))) throw taken(folder);
    await rm(path, { force: true });
    if (!(await create(path))) throw taken(folder);
  }
  const timer = setInterval(() => {
    const now = new Date();
    void utimes(path, now, now).catch(() => undefined);
  }, refreshMilliseconds);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await rm(path, { force: true });
  };
}

async function create(path: string): Promise<boolean> {
  try {
    const handle = await open(path, "wx");
    await handle.writeFile(JSON.stringify({ process: process.pid, host: hostname() }));
    await handle.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function isLeftOver(path: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs > staleMilliseconds) return true;
    const owner = JSON.parse(await readFile(path, "utf8")) as { process?: unknown; host?: unknown };
    return owner.host === hostname() && typeof owner.process === "number" && !isAlive(owner.process);
  } catch {
    // Just removed, or just being written.
    return false;
  }
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function taken(folder: string): SteerscopeError {
  return new SteerscopeError(
    "DownloadFailed",
    "This model is being downloaded by another window or terminal.",
    {
      remedy: "Wait for it to end.",
      detail: folder,
    },
  );
}
