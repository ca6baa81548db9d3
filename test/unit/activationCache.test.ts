import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as zlib from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ActivationCache, activationKey, type CachedRow } from "../../src/engine/activationCache.ts";
import { crc32, crc32Portable } from "../../src/engine/crc32.ts";
import { isSteerscopeError } from "../../src/shared/errors.ts";

const megabyte = 1024 ** 2;
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "steerscope-cache-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function record(number: number, size = 100): CachedRow {
  const row = Float32Array.from({ length: size }, (_, i) => Math.fround(Math.sin(number * 1000 + i)));
  return { key: activationKey("model", Int32Array.of(number), "last"), row };
}

function records(count: number, size = 100): CachedRow[] {
  return Array.from({ length: count }, (_, i) => record(i, size));
}

function segments(): string[] {
  return readdirSync(folder)
    .sort()
    .map((name) => join(folder, name));
}

/** How many of the records are found; every one that is found must be whole. */
function found(cache: ActivationCache, wanted: readonly CachedRow[]): number {
  const size = wanted[0]!.row.length;
  const rows = cache.getMany(
    wanted.map(({ key }) => key),
    size,
  );
  let count = 0;
  rows.forEach((row, index) => {
    if (row === undefined) return;
    expect(row).toEqual(wanted[index]!.row);
    count++;
  });
  return count;
}

describe("activationKey", () => {
  it("depends on the model, the ids and what is read, and on nothing else", () => {
    const key = (model: string, ids: number[], reading: string): string =>
      activationKey(model, Int32Array.from(ids), reading);
    const keys = [
      key("a", [1, 2], "last"),
      key("b", [1, 2], "last"),
      key("a", [1, 3], "last"),
      key("a", [1], "last"),
      key("a", [1, 2], "mean"),
      key("a", [], "last"),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys.every((text) => /^[0-9a-f]{64}$/.test(text))).toBe(true);
    expect(activationKey("a", Int32Array.of(0, 1, 2).subarray(1), "last")).toBe(keys[0]);
  });
});

describe("ActivationCache", () => {
  it("gives back what was put, in the order asked for, also in another process", () => {
    const cache = ActivationCache.open(folder, 10 * megabyte);
    const all = records(50);
    cache.putMany(all);
    const keys = [all[7]!.key, "0".repeat(64), all[3]!.key, all[7]!.key];
    const expected = [all[7]!.row, undefined, all[3]!.row, all[7]!.row];
    expect(cache.getMany(keys, 100)).toEqual(expected);
    cache.close();
    expect(ActivationCache.open(folder, 10 * megabyte).getMany(keys, 100)).toEqual(expected);
  });

  it("does not take a row of another size for an answer", () => {
    const cache = ActivationCache.open(folder, megabyte);
    cache.putMany([record(1)]);
    expect(cache.getMany([record(1).key], 99)).toEqual([undefined]);
  });

  it("stores a key once", () => {
    const cache = ActivationCache.open(folder, megabyte);
    cache.putMany([record(1), record(1)]);
    const bytes = cache.bytes();
    cache.putMany([record(1)]);
    expect(cache.bytes()).toBe(bytes);
    expect(bytes).toBeLessThan(2 * 400);
  });

  it("shows each process what the other has put, before and after", () => {
    const first = ActivationCache.open(folder, 10 * megabyte);
    const second = ActivationCache.open(folder, 10 * megabyte);
    const all = records(30);
    first.putMany(all.slice(0, 10));
    second.putMany(all.slice(10, 20));
    expect(found(first, all)).toBe(20);
    expect(found(second, all)).toBe(20);
    first.putMany(all.slice(20));
    expect(found(second, all)).toBe(30);
    expect(segments()).toHaveLength(2);
  });

  it("keeps its bound by dropping what is oldest", () => {
    const limit = 64 * 1024;
    const cache = ActivationCache.open(folder, limit);
    const all = records(400);
    for (let i = 0; i < all.length; i += 10) {
      cache.putMany(all.slice(i, i + 10));
      expect(cache.bytes()).toBeLessThanOrEqual(limit);
    }
    expect(found(cache, all.slice(-50))).toBe(50);
    expect(found(cache, all.slice(0, 100))).toBe(0);
    expect(found(cache, all)).toBeGreaterThan(100);
    const other = ActivationCache.open(folder, limit / 2);
    other.putMany([record(1000)]);
    expect(other.bytes()).toBeLessThanOrEqual(limit / 2);
    expect(found(other, [record(1000)])).toBe(1);
  });

  it("keeps its bound when one call puts more than the whole cache holds", () => {
    const cache = ActivationCache.open(folder, 64 * 1024);
    cache.putMany(records(1000));
    expect(cache.bytes()).toBeLessThanOrEqual(64 * 1024);
    expect(found(cache, [record(999)])).toBe(1);
  });

  it("does not keep a row that is larger than its bound allows", () => {
    const cache = ActivationCache.open(folder, 4096);
    cache.putMany(records(1, 2000));
    expect(cache.bytes()).toBe(0);
    expect(found(cache, records(1, 2000))).toBe(0);
  });

  it("forgets everything when cleared, and goes on", () => {
    const cache = ActivationCache.open(folder, megabyte);
    cache.putMany(records(5));
    cache.clear();
    expect(cache.bytes()).toBe(0);
    expect(found(cache, records(5))).toBe(0);
    cache.putMany(records(5));
    cache.flush();
    expect(found(cache, records(5))).toBe(5);
  });

  it("recovers when another process cleared the folder under it", () => {
    const cache = ActivationCache.open(folder, megabyte);
    cache.putMany(records(5));
    ActivationCache.open(folder, megabyte).clear();
    expect(found(cache, records(5))).toBe(0);
    cache.putMany(records(5));
    expect(found(ActivationCache.open(folder, megabyte), records(5))).toBe(5);
    rmSync(folder, { recursive: true });
    expect(found(cache, records(5))).toBe(0);
    cache.putMany(records(5));
    expect(found(cache, records(5))).toBe(5);
  });

  it("finds no damaged row after any truncation, and keeps those before it", () => {
    const all = records(6, 25);
    ActivationCache.open(folder, megabyte).putMany(all);
    const [path] = segments();
    const whole = readFileSync(path!);
    const recordSize = (whole.length - 8) / all.length;
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(path!, whole.subarray(0, length));
      const cache = ActivationCache.open(folder, megabyte);
      expect(found(cache, all)).toBe(Math.max(0, Math.floor((length - 8) / recordSize)));
    }
  });

  it("finds no damaged row after any flipped bit, and stores it anew", () => {
    const all = records(6, 25);
    ActivationCache.open(folder, megabyte).putMany(all);
    const [path] = segments();
    const whole = readFileSync(path!);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(7), (at, bit) => {
        for (const segment of segments().slice(1)) rmSync(segment);
        const damaged = Buffer.from(whole);
        damaged[at]! ^= 1 << bit;
        writeFileSync(path!, damaged);
        const cache = ActivationCache.open(folder, megabyte);
        const before = found(cache, all);
        // The last word of a header is not used.
        if (before === 6) expect((at - 8) % 148).toBeGreaterThanOrEqual(44);
        cache.putMany(all);
        expect(found(cache, all)).toBe(6);
        expect(found(ActivationCache.open(folder, megabyte), all)).toBe(6);
      }),
      { numRuns: 300 },
    );
  });

  it("notices a row that is damaged after its place was found", () => {
    const cache = ActivationCache.open(folder, megabyte);
    cache.putMany(records(3));
    const [path] = segments();
    const bytes = readFileSync(path!);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(path!, bytes);
    expect(found(cache, records(3))).toBe(2);
  });

  it("ignores foreign files, and counts those that carry a segment's name", () => {
    writeFileSync(join(folder, "notes.txt"), "mine");
    const foreign = join(folder, `activations-${"0".repeat(15)}-${"a".repeat(16)}.segment`);
    writeFileSync(foreign, Buffer.alloc(5000, "x"));
    const cache = ActivationCache.open(folder, 16 * 1024);
    expect(cache.bytes()).toBe(5000);
    cache.putMany(records(20));
    expect(found(cache, records(20))).toBe(20);
    cache.putMany(records(40));
    expect(segments()).not.toContain(foreign);
    cache.clear();
    expect(segments()).toEqual([join(folder, "notes.txt")]);
  });

  it("reads what another process is still writing, once it is all there", () => {
    const all = records(2, 25);
    const writer = ActivationCache.open(folder, megabyte);
    writer.putMany(all);
    const [path] = segments();
    const whole = readFileSync(path!);
    const copy = join(folder, `activations-${"9".repeat(15)}-${"b".repeat(16)}.segment`);
    copyFileSync(path!, copy);
    rmSync(path!);
    writeFileSync(copy, whole.subarray(0, 170));
    const reader = ActivationCache.open(folder, megabyte);
    expect(found(reader, all)).toBe(1);
    appendFileSync(copy, whole.subarray(170, 200));
    expect(found(reader, all)).toBe(1);
    appendFileSync(copy, whole.subarray(200));
    expect(found(reader, all)).toBe(2);
  });

  it("never changes what another process wrote", () => {
    ActivationCache.open(folder, megabyte).putMany(records(3));
    const [path] = segments();
    const before = readFileSync(path!);
    const other = ActivationCache.open(folder, megabyte);
    other.putMany(records(9));
    other.close();
    expect(readFileSync(path!)).toEqual(before);
    expect(statSync(path!).size).toBe(before.length);
  });

  it("says so when its folder cannot be made", () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    try {
      ActivationCache.open(join(file, "below"), megabyte);
      expect.unreachable();
    } catch (error) {
      expect(isSteerscopeError(error, "FileUnwritable")).toBe(true);
    }
  });

  it("loses at most the row being written when the process is killed", () => {
    const script = join(folder, "writer.mjs");
    const module = new URL("../../src/engine/activationCache.ts", import.meta.url).pathname;
    writeFileSync(
      script,
      `import { build } from ${JSON.stringify(import.meta.resolve("esbuild"))};
       await build({ entryPoints: [${JSON.stringify(module)}], outfile: ${JSON.stringify(join(folder, "cache.mjs"))},
         bundle: true, platform: "node", format: "esm" });
       const { ActivationCache, activationKey } = await import(${JSON.stringify(join(folder, "cache.mjs"))});
       const cache = ActivationCache.open(${JSON.stringify(join(folder, "cache"))}, 1e9);
       for (let n = 0; n < 1000; n++) {
         const row = Float32Array.from({ length: 100 }, (_, i) => Math.fround(Math.sin(n * 1000 + i)));
         cache.putMany([{ key: activationKey("model", Int32Array.of(n), "last"), row }]);
         if (n === 499) process.kill(process.pid, "SIGKILL");
       }`,
    );
    expect(spawnSync(process.execPath, [script]).signal).toBe("SIGKILL");
    expect(found(ActivationCache.open(join(folder, "cache"), 1e9), records(1000))).toBe(500);
  });
});

describe("crc32", () => {
  it("equals the published check value and zlib's own", () => {
    expect(crc32(Buffer.from("123456789"))).toBe(0xcbf43926);
    expect(crc32Portable(Buffer.from("123456789"))).toBe(0xcbf43926);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(crc32Portable(bytes)).toBe("crc32" in zlib ? zlib.crc32(bytes) : crc32(bytes));
      }),
    );
  });
});
