/** Captured activations on disk, as far as the host needs to know: their size, and how to be rid of them without an engine. */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** Bytes of the files in `folder`, 0 where there is none. */
export async function folderBytes(folder: string): Promise<number> {
  const sizes = await Promise.all(
    (await fileNames(folder)).map(async (name) => {
      // Another window may be clearing too.
      const file = await stat(join(folder, name)).catch(() => null);
      return file?.size ?? 0;
    }),
  );
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}

/** Deletes the files in `folder`. The folder stays: an engine of another window may be about to write to it. */
export async function emptyFolder(folder: string): Promise<void> {
  await Promise.all((await fileNames(folder)).map((name) => rm(join(folder, name), { force: true })));
}

async function fileNames(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}
