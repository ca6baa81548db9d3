import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, parse } from "node:path";
import { ActivationCache } from "../../src/engine/activationCache.ts";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  checkFolderWritable,
  checkWritable,
  readFileBounded,
  writeFileAtomically,
  writeNewFileAtomically,
} from "../../src/client/files.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "steerscope-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const failure = (kind: string): Error => expect.objectContaining({ kind }) as Error;

test("a file is replaced as a whole, with its mode, and nothing else stays", async () => {
  const path = join(folder, "a.txt");
  writeFileSync(path, "old", { mode: 0o640 });
  await writeFileAtomically(path, "new");
  expect(readFileSync(path, "utf8")).toBe("new");
  expect(statSync(path).mode & 0o777).toBe(0o640);
  expect(readdirSync(folder)).toEqual(["a.txt"]);
});

test("a missing folder is made, but no path of several, and nothing below the root", async () => {
  await writeFileAtomically(join(folder, "a", "c.txt"), "x");
  expect(readFileSync(join(folder, "a", "c.txt"), "utf8")).toBe("x");
  for (const path of [join(folder, "b", "c", "d.txt"), join(parse(folder).root, "no-such-folder", "d.txt")]) {
    for (const attempt of [checkWritable(path), writeFileAtomically(path, "x")]) {
      await expect(attempt).rejects.toMatchObject({
        kind: "FileUnwritable",
        message: `There is no folder ${dirname(path)} to write to.`,
      });
    }
    expect(existsSync(dirname(path))).toBe(false);
  }
  expect(readdirSync(folder)).toEqual(["a"]);
});

test("a link keeps pointing at the file that was written", async () => {
  writeFileSync(join(folder, "real"), "old");
  symlinkSync(join(folder, "real"), join(folder, "link"));
  await writeFileAtomically(join(folder, "link"), Uint8Array.of(1));
  expect([...readFileSync(join(folder, "real"))]).toEqual([1]);
});

test("a failed write leaves no temporary file", async () => {
  await expect(writeFileAtomically(folder, "x")).rejects.toThrow(failure("FileUnwritable"));
  writeFileSync(join(folder, "file"), "");
  await expect(writeFileAtomically(join(folder, "file", "x"), "x")).rejects.toThrow(
    failure("FileUnwritable"),
  );
  expect(readdirSync(folder)).toEqual(["file"]);
});

test("a device is written to, not replaced", async () => {
  if (process.platform === "win32") return;
  await writeFileAtomically("/dev/null", "x");
  expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
});

test("reading is bounded and only of files", async () => {
  const path = join(folder, "a");
  writeFileSync(path, "12345");
  expect((await readFileBounded(path, 5)).length).toBe(5);
  await expect(readFileBounded(path, 4)).rejects.toThrow(failure("FileUnreadable"));
  await expect(readFileBounded(folder, 5)).rejects.toThrow(failure("FileUnreadable"));
  await expect(readFileBounded(join(folder, "none"), 5)).rejects.toThrow(failure("FileUnreadable"));
});

test("places that can be written, and others", async () => {
  await checkWritable(join(folder, "deep", "new"));
  expect(readdirSync(folder)).toEqual(["deep"]);
  await checkFolderWritable(join(folder, "a", "b"));
  expect(readdirSync(join(folder, "a", "b"))).toEqual([]);
  writeFileSync(join(folder, "file"), "");
  await expect(checkWritable(folder)).rejects.toThrow(failure("FileUnwritable"));
  await expect(checkFolderWritable(join(folder, "file", "x"))).rejects.toThrow(failure("FileUnwritable"));
});

test.skipIf(process.platform !== "linux")(
  "a file system that has no place for a folder is told, not asked for ever",
  async () => {
    await expect(checkFolderWritable("/proc/steerscope/cache")).rejects.toEqual(failure("FileUnwritable"));
    await expect(writeFileAtomically("/proc/steerscope/file", "x")).rejects.toEqual(
      failure("FileUnwritable"),
    );
    expect(() => ActivationCache.open("/proc/steerscope/cache", 1e6)).toThrow(failure("FileUnwritable"));
  },
);

test("folders are made at any depth, also by two at once", async () => {
  const deep = join(folder, "a/b/c");
  await Promise.all([
    checkFolderWritable(deep),
    checkFolderWritable(deep),
    checkFolderWritable(join(deep, "d")),
  ]);
  expect(readdirSync(deep)).toEqual(["d"]);
});

test("of several that make the same new file at once one does, and its content is whole", async () => {
  const path = join(folder, "new.txt");
  const contents = Array.from({ length: 8 }, (_, index) => String(index).repeat(10_000));
  const made = await Promise.all(contents.map((content) => writeNewFileAtomically(path, content)));
  expect(made.filter(Boolean)).toHaveLength(1);
  expect(readFileSync(path, "utf8")).toBe(contents[made.indexOf(true)]);
  expect(readdirSync(folder)).toEqual(["new.txt"]);
});
