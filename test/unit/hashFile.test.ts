import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hashFile } from "../../src/engine/hashFile.ts";

let folder = "";
let file = "";
const memory = (): string => join(folder, "cache", "file-hashes.json");
const sha256 = (content: string): string => createHash("sha256").update(content).digest("hex");
const hash = (signal?: AbortSignal): Promise<string> => hashFile(file, join(folder, "cache"), signal);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "steerscope-hash-"));
  file = join(folder, "model.bin");
  writeFileSync(file, "weights");
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Writes other content of the same length and puts the old time back: only the memory can tell the old hash now. */
function rewriteUnseen(content: string): void {
  const { atime, mtime } = statSync(file);
  writeFileSync(file, content);
  utimesSync(file, atime, mtime);
}

describe("hashFile", () => {
  it("is the file's sha256, computed once", async () => {
    const old = new Date(1_700_000_000_000);
    utimesSync(file, old, old);
    expect(await hash()).toBe(sha256("weights"));
    rewriteUnseen("WEIGHTS");
    expect(await hash()).toBe(sha256("weights"));
    expect(readdirSync(join(folder, "cache"))).toEqual(["file-hashes.json"]);
  });

  it("notices another size and another time", async () => {
    await hash();
    writeFileSync(file, "more weights");
    expect(await hash()).toBe(sha256("more weights"));
    writeFileSync(file, "less weights");
    utimesSync(file, new Date(1000), new Date(1000));
    expect(await hash()).toBe(sha256("less weights"));
  });

  it.each(["", "not json", "{}", '[{"path":1}]', "[null]"])(
    "starts over from a damaged memory: %s",
    async (text) => {
      await hash();
      writeFileSync(memory(), text);
      expect(await hash()).toBe(sha256("weights"));
      expect(readFileSync(memory(), "utf8")).toContain(sha256("weights"));
    },
  );

  it("works where it cannot remember", async () => {
    writeFileSync(join(folder, "cache"), "a file, not a folder");
    expect(await hash()).toBe(sha256("weights"));
  });

  it("names a file that is not there, and stops when told to", async () => {
    await expect(hash(AbortSignal.abort())).rejects.toMatchObject({ kind: "Cancelled" });
    rmSync(file);
    await expect(hash()).rejects.toMatchObject({ kind: "FileUnreadable" });
  });
});
