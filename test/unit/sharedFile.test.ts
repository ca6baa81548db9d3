import { fork } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterEach, beforeEach, expect, test } from "vitest";
import { changeSharedFile } from "../../src/client/sharedFile.ts";

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "steerscope-"));
  path = join(folder, "set.jsonl");
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const maxBytes = 1_000_000;
const failure = (kind: string): Error => expect.objectContaining({ kind }) as Error;

/** Appends lines: node writer.mjs FILE NAME COUNT. Bundled, because Node 20 does not run TypeScript. */
async function buildWriter(): Promise<string> {
  const outfile = join(folder, "writer.mjs");
  const contents = `
    import { changeSharedFile } from "./src/client/sharedFile.ts";
    const [path, name, count] = process.argv.slice(2);
    for (let index = 0; index < Number(count); index++) {
      await changeSharedFile(path, ${maxBytes}, (text) => (text ?? "") + name + "-" + index + "\\n");
    }`;
  const root = join(import.meta.dirname, "../..");
  await build({
    stdin: { contents, resolveDir: root, loader: "ts" },
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
  });
  return outfile;
}

function run(script: string, ...args: string[]): Promise<number | null> {
  return new Promise((resolve) => {
    fork(script, args, { execArgv: [] }).once("exit", resolve);
  });
}

test("two processes that append two hundred lines each lose none, each in its own order", async () => {
  const writer = await buildWriter();
  const codes = await Promise.all([run(writer, path, "a", "200"), run(writer, path, "b", "200")]);
  expect(codes).toEqual([0, 0]);
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  for (const name of ["a", "b"]) {
    const expected = Array.from({ length: 200 }, (_, index) => `${name}-${index}`);
    expect(lines.filter((line) => line.startsWith(name))).toEqual(expected);
  }
  expect(lines).toHaveLength(400);
  expect(readdirSync(folder).sort()).toEqual(["set.jsonl", "writer.mjs"]);
}, 60_000);

test("writers of one process lose nothing either", async () => {
  await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      changeSharedFile(path, maxBytes, (text) => `${text ?? ""}${index}\n`),
    ),
  );
  const lines = readFileSync(path, "utf8").trimEnd().split("\n").map(Number);
  expect(lines.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => index));
});

test("a write of somebody who knows no lock is seen, and the edit is made again on it", async () => {
  writeFileSync(path, "old\n");
  let calls = 0;
  await changeSharedFile(path, maxBytes, (text) => {
    if (++calls === 1) writeFileSync(path, "theirs\n");
    return `${text}mine\n`;
  });
  expect(readFileSync(path, "utf8")).toBe("theirs\nmine\n");
  expect(calls).toBe(2);
});

test("a file that somebody makes meanwhile is not replaced", async () => {
  let calls = 0;
  await changeSharedFile(path, maxBytes, (text) => {
    if (++calls === 1) writeFileSync(path, "theirs\n");
    return `${text ?? ""}mine\n`;
  });
  expect(readFileSync(path, "utf8")).toBe("theirs\nmine\n");
});

test("the lock of a process that has ended does not hold", async () => {
  const writer = join(folder, "ends.mjs");
  writeFileSync(writer, "");
  const child = fork(writer, { execArgv: [] });
  await new Promise((resolve) => child.once("exit", resolve));
  writeFileSync(join(folder, ".set.jsonl.lock"), JSON.stringify([hostname(), child.pid, "x"]));
  await changeSharedFile(path, maxBytes, () => "written");
  expect(readFileSync(path, "utf8")).toBe("written");
  expect(readdirSync(folder).sort()).toEqual(["ends.mjs", "set.jsonl"]);
});

test("a lock that nobody ever names or gives back does not hold forever", async () => {
  writeFileSync(join(folder, ".set.jsonl.lock"), "");
  await changeSharedFile(path, maxBytes, () => "written");
  expect(readFileSync(path, "utf8")).toBe("written");
  expect(readdirSync(folder)).toEqual(["set.jsonl"]);
}, 30_000);

test("an edit that throws leaves the file and no lock", async () => {
  writeFileSync(path, "old");
  await expect(
    changeSharedFile(path, maxBytes, () => {
      throw new Error("no");
    }),
  ).rejects.toThrow("no");
  expect(readFileSync(path, "utf8")).toBe("old");
  expect(readdirSync(folder)).toEqual(["set.jsonl"]);
});

test("what is not UTF-8, or too large, is refused and stays", async () => {
  writeFileSync(path, Buffer.from([0xff, 0xfe, 0x41]));
  await expect(changeSharedFile(path, maxBytes, () => "x")).rejects.toEqual(failure("FileUnreadable"));
  expect(readFileSync(path)).toEqual(Buffer.from([0xff, 0xfe, 0x41]));
  await expect(changeSharedFile(path, 2, () => "x")).rejects.toEqual(failure("FileUnreadable"));
});

test("what is no longer wanted at the last moment is not written, and the edit is made again", async () => {
  writeFileSync(path, "old\n");
  let calls = 0;
  await changeSharedFile(
    path,
    maxBytes,
    (text) => `${text}${++calls}\n`,
    () => calls === 2,
  );
  expect(readFileSync(path, "utf8")).toBe("old\n2\n");
});

test("nothing is lost to somebody who writes in the very last moment", async () => {
  writeFileSync(path, "old\n");
  let calls = 0;
  await changeSharedFile(
    path,
    maxBytes,
    (text) => `${text}mine\n`,
    () => {
      // The file has been compared by now; this is the last step before the renaming.
      if (++calls === 1) writeFileSync(path, "old\ntheirs\n");
      return true;
    },
  );
  expect(readFileSync(path, "utf8")).toBe("old\ntheirs\nmine\n");
});
