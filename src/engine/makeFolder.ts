import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes an absolute folder and those above it; throws what the file system says. Node's own `recursive` never ends where
 * a file system answers ENOENT to everything, as /proc does.
 */
export function makeFolder(folder: string): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" && dirname(folder) !== folder) {
      makeFolder(dirname(folder));
      makeOne(folder);
    } else if (!isFolder(folder)) throw error;
  }
}

/** Another process may have made it meanwhile. */
function makeOne(folder: string): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    if (!isFolder(folder)) throw error;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
