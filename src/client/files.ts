/** Files of the user: read with bounds, written so that a crash or a full disk leaves the old file or the new one. */
import { randomBytes } from "node:crypto";
import { renameSync } from "node:fs";
import {
  access,
  constants,
  link,
  mkdir,
  open,
  realpath,
  rename,
  stat,
  unlink,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { isSteerscopeError, SteerscopeError } from "../shared/errors.ts";

/** The bytes of a file of at most `maxBytes`. Throws FileUnreadable. */
export async function readFileBounded(path: string, maxBytes: number): Promise<Uint8Array> {
  try {
    const handle = await open(path, "r");
    try {
      const information = await handle.stat();
      if (!information.isFile()) throw new Error("it is not a file");
      if (information.size > maxBytes) {
        throw new Error(`it has ${information.size} bytes, more than ${maxBytes}`);
      }
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new SteerscopeError("FileUnreadable", `${path} cannot be read.`, {
      remedy: "Check the name and that you may read the file.",
      detail: (error as Error).message,
    });
  }
}

/** What may stop a write when all is prepared. */
export interface WriteGuard {
  readonly isWanted: () => Promise<boolean>;
  /** Asked last of all; what takes long belongs into the other. */
  readonly isStillWanted: () => boolean;
}

/**
 * Writes `data` under a temporary name beside `path`, flushes it and renames it into place; its folder is made as
 * `checkWritable` makes it. Devices and pipes are written to as they are. `guard` is asked before the renaming;
 * false leaves everything as it was. Returns whether the file was written. Throws FileUnwritable; the old file is then
 * untouched.
 */
export async function writeFileAtomically(
  path: string,
  data: Uint8Array | string,
  guard?: WriteGuard,
): Promise<boolean> {
  // Renaming onto a symbolic link would replace the link.
  const target = await realpath(path).catch(() => resolve(path));
  const temporary = temporaryName(target);
  try {
    await makeLastFolder(dirname(target));
    const existing = await stat(target).catch(() => null);
    if (existing !== null && !existing.isFile() && !existing.isDirectory()) {
      await writeFile(target, data);
      return true;
    }
    await writeFlushed(temporary, data, existing?.mode ?? 0o666);
    if (guard === undefined) await rename(temporary, target);
    else {
      if (!(await guard.isWanted()) || !guard.isStillWanted()) {
        await unlink(temporary);
        return false;
      }
      // At once: what others write between the last look and the renaming would be lost.
      renameSync(temporary, target);
    }
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw unwritable(path, error);
  }
  await flushFolder(dirname(target));
  return true;
}

/**
 * As `writeFileAtomically` for a file that must not exist yet: of several processes that write it at once, one does. False:
 * there is one of that name. Its folder must exist. Throws FileUnwritable.
 */
export async function writeNewFileAtomically(path: string, data: Uint8Array | string): Promise<boolean> {
  const target = resolve(path);
  const temporary = temporaryName(target);
  try {
    await writeFlushed(temporary, data, 0o666);
    try {
      // A second name of the same file, which unlike renaming fails where the name is taken.
      await link(temporary, target);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST" || (await isPresent(target))) return false;
      // Some file systems know no second names.
      await rename(temporary, target);
    }
  } catch (error) {
    throw unwritable(path, error);
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
  await flushFolder(dirname(target));
  return true;
}

function temporaryName(target: string): string {
  return join(dirname(target), `.${basename(target)}.${randomBytes(6).toString("hex")}.tmp`);
}

async function writeFlushed(path: string, data: Uint8Array | string, mode: number): Promise<void> {
  const handle = await open(path, "wx", mode);
  try {
    await handle.writeFile(data);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Makes an absolute folder where only it is missing. Where the one above is missing too, or is the root of a file
 * system, the path is a slip of the pen and not a wish. Throws FileUnwritable.
 */
async function makeLastFolder(folder: string): Promise<void> {
  if (await isFolder(folder)) return;
  const above = dirname(folder);
  if (dirname(above) === above || !(await isPresent(above))) {
    throw new SteerscopeError("FileUnwritable", `There is no folder ${folder} to write to.`, {
      remedy: "Check the name, or make the folder first.",
    });
  }
  await mkdir(folder).catch(orFolder(folder));
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isDirectory() === true;
}

async function isPresent(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null;
}

/**
 * Makes an absolute folder and those above it. Node's own `recursive` never ends where a file system answers ENOENT to
 * everything, as /proc does.
 */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" && dirname(folder) !== folder) {
      await makeFolder(dirname(folder));
      await mkdir(folder).catch(orFolder(folder));
    } else await orFolder(folder)(error);
  }
}

/** Swallows that a folder is there already, as another process may have made it. */
function orFolder(folder: string): (error: unknown) => Promise<void> {
  return async (error) => {
    if (!(await isFolder(folder))) throw error;
  };
}

/**
 * Finds out before a long job that its result could not be written. Makes its folder where only that one is missing, and
 * not directly below the root of a file system. Throws FileUnwritable.
 */
export async function checkWritable(path: string): Promise<void> {
  try {
    const existing = await stat(path).catch(() => null);
    if (existing?.isDirectory()) throw new Error("it is a folder");
    await makeLastFolder(dirname(resolve(path)));
    await access(existing === null || existing.isFile() ? dirname(resolve(path)) : path, constants.W_OK);
  } catch (error) {
    throw unwritable(path, error);
  }
}

/** Makes the folder, and those above it, where it is missing, and writes and removes a file in it. Throws FileUnwritable. */
export async function checkFolderWritable(folder: string): Promise<void> {
  const probe = join(folder, `.probe-${randomBytes(6).toString("hex")}`);
  try {
    await makeFolder(resolve(folder));
    await writeFile(probe, "");
    await unlink(probe);
  } catch (error) {
    throw new SteerscopeError("FileUnwritable", `The folder ${folder} cannot be written to.`, {
      remedy: "Choose another cache folder, or see that you may write there and that the disk is not full.",
      detail: (error as Error).message,
    });
  }
}

/** Makes the new name itself survive a power cut; not all systems can flush a folder. */
async function flushFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // The content is flushed in any case.
  }
}

function unwritable(path: string, error: unknown): SteerscopeError {
  if (isSteerscopeError(error)) return error;
  return new SteerscopeError("FileUnwritable", `${path} cannot be written.`, {
    remedy: "Check the name, that you may write there, and that the disk is not full.",
    detail: (error as Error).message,
  });
}
