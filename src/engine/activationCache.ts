/**
 * Activations kept on disk, so that another method, subset or layer costs no model run. Rows lie in append-only segment
 * files; a process writes only to segments of its own and reads everybody's, so several processes may share a folder
 * and any of them may be killed at any byte. Nothing here is precious: what is damaged, missing or refused by the disk
 * counts as not cached.
 *
 * Segment: 8 bytes of magic, then records. Record: header of 48 bytes, then the row as little-endian float32.
 * Header: key (32 bytes, sha256), bytes of the row (uint32), CRC-32 of the row, CRC-32 of the header before it, zero.
 */
import { createHash, randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, readSync, readdirSync, rmSync, statSync, writeSync } from "node:fs";
import { join, resolve } from "node:path";
import { SteerscopeError } from "../shared/errors.ts";
import { crc32 } from "./crc32.ts";
import { makeFolder } from "./makeFolder.ts";

/** Changes with the layout of segments and with what a row means; segments of other versions are ignored. */
const magic = Buffer.from("SSACT01\n", "latin1");
const headerBytes = 48;
const keyBytes = 32;
const segmentName = /^activations-\d{15}-[0-9a-f]{16}\.segment$/;

/** The bound is kept by dropping whole segments, so a segment is a small part of it. */
const segmentsInLimit = 16;
/** Records are written together up to this size. */
const batchBytes = 8 * 1024 ** 2;
/** Neighbouring records are read together up to this size: large enough for full speed, small enough to hold. */
const readBytes = 16 * 1024 ** 2;
/** Records that nobody asked for are read along when they are not longer than this. */
const gapBytes = 256 * 1024;
/** Scans of small records read this much at a time. */
const scanBytes = 64 * 1024;

interface Segment {
  readonly name: string;
  /** Where the scan for records goes on. */
  scanned: number;
  /** False after damage: what follows cannot be trusted. */
  intact: boolean;
}

interface OwnSegment {
  readonly segment: Segment;
  /** Open for writing. */
  readonly file: number;
}

interface Place {
  readonly segment: Segment;
  readonly offset: number;
  readonly bytes: number;
  readonly checksum: number;
}

export interface CachedRow {
  readonly key: string;
  readonly row: Float32Array;
}

/**
 * Key of what is read from an input: the model (its hash changes with weights, graph and configuration), the token ids
 * up to the last one read, and the spelling of what is read from them.
 */
export function activationKey(modelHash: string, ids: Int32Array, reading: string): string {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([modelHash, reading, ids.length]));
  hash.update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength));
  return hash.digest("hex");
}

export class ActivationCache {
  readonly #folder: string;
  readonly #limit: number;
  readonly #segments = new Map<string, Segment>();
  readonly #places = new Map<string, Place>();
  #own: OwnSegment | null = null;

  private constructor(folder: string, limit: number) {
    this.#folder = folder;
    this.#limit = limit;
  }

  /** Opens a folder (made where missing) whose segments may take `limitBytes` in all. Throws FileUnwritable. */
  static open(folder: string, limitBytes: number): ActivationCache {
    try {
      makeFolder(resolve(folder));
    } catch (error) {
      throw new SteerscopeError("FileUnwritable", `The cache folder ${folder} cannot be made.`, {
        remedy: "Choose another cache folder, or make this one writable.",
        detail: String(error),
        cause: error,
      });
    }
    // What lies in the folder is looked at when rows are first asked for: that takes a second in a full cache of small rows.
    return new ActivationCache(folder, limitBytes);
  }

  /** Rows of `rowSize` floats by key, undefined where there is none that is whole. The rows are views: do not change them. */
  getMany(keys: readonly string[], rowSize: number): (Float32Array | undefined)[] {
    if (keys.some((key) => !this.#places.has(key))) this.#refresh();
    const rows = new Array<Float32Array | undefined>(keys.length).fill(undefined);
    const wanted = new Map<Segment, { index: number; key: string; place: Place }[]>();
    keys.forEach((key, index) => {
      const place = this.#places.get(key);
      if (place?.bytes !== rowSize * 4) return;
      const list = wanted.get(place.segment);
      if (list === undefined) wanted.set(place.segment, [{ index, key, place }]);
      else list.push({ index, key, place });
    });
    for (const [segment, list] of wanted) {
      list.sort((a, b) => a.place.offset - b.place.offset);
      const file = this.#openForReading(segment);
      if (file === null) continue;
      try {
        for (const run of neighbours(list)) {
          const start = run[0]!.place.offset;
          const last = run.at(-1)!.place;
          const bytes = readUpTo(file, start, last.offset + last.bytes - start);
          for (const { index, key, place } of run) {
            const from = place.offset - start;
            const content = bytes.subarray(from, from + place.bytes);
            if (content.length === place.bytes && crc32(content) === place.checksum) {
              rows[index] = new Float32Array(content.buffer, content.byteOffset, rowSize);
            } else {
              this.#places.delete(key);
            }
          }
        }
      } finally {
        closeSync(file);
      }
    }
    return rows;
  }

  /** Keeps rows, dropping the oldest segments where room is needed. A row larger than a segment may be is not kept. */
  putMany(rows: readonly CachedRow[]): void {
    const room = Math.min(this.#segmentLimit - magic.length, batchBytes);
    const fresh = new Map(rows.map((record) => [record.key, record]));
    let batch: CachedRow[] = [];
    let size = 0;
    for (const record of fresh.values()) {
      const bytes = recordBytes(record);
      if (this.#places.has(record.key) || magic.length + bytes > this.#segmentLimit) continue;
      if (size + bytes > room && batch.length > 0) {
        this.#append(batch, size);
        batch = [];
        size = 0;
      }
      batch.push(record);
      size += bytes;
    }
    if (batch.length > 0) this.#append(batch, size);
  }

  /** Bytes on disk, of all processes' segments. */
  bytes(): number {
    return this.#list().reduce((total, { size }) => total + size, 0);
  }

  /** Removes every segment. */
  clear(): void {
    this.close();
    for (const { name } of this.#list()) this.#drop(name);
  }

  /** Makes what was put survive a power failure; when only the process dies, nothing that was put is lost anyway. */
  flush(): void {
    if (this.#own !== null) fsyncSync(this.#own.file);
  }

  /** Ends this process's segment; the cache stays usable and begins another when it needs one. */
  close(): void {
    if (this.#own === null) return;
    const { file } = this.#own;
    this.#own = null;
    closeSync(file);
  }

  get #segmentLimit(): number {
    return Math.floor(this.#limit / segmentsInLimit);
  }

  /** Writes records of `size` bytes in all with one write. */
  #append(batch: readonly CachedRow[], size: number): void {
    try {
      if (this.#own !== null && this.#own.segment.scanned + size > this.#segmentLimit) this.close();
      this.#makeRoom(size + magic.length);
      const { segment, file } = this.#own ?? this.#start();
      const bytes = Buffer.allocUnsafeSlow(size);
      const places: [string, Place][] = [];
      let at = 0;
      for (const { key, row } of batch) {
        const content = new Uint8Array(row.buffer, row.byteOffset, row.byteLength);
        const checksum = crc32(content);
        writeHeader(bytes.subarray(at, at + headerBytes), key, content.length, checksum);
        bytes.set(content, at + headerBytes);
        places.push([
          key,
          { segment, offset: segment.scanned + at + headerBytes, bytes: content.length, checksum },
        ]);
        at += headerBytes + content.length;
      }
      writeFully(file, bytes);
      segment.scanned += size;
      for (const [key, place] of places) this.#places.set(key, place);
    } catch {
      // A full or read-only disk must not stop the computation. A record written in part ends its segment.
      this.close();
    }
  }

  #start(): OwnSegment {
    const stamp = String(Date.now()).padStart(15, "0");
    const name = `activations-${stamp}-${randomBytes(8).toString("hex")}.segment`;
    makeFolder(resolve(this.#folder));
    const file = openSync(join(this.#folder, name), "wx");
    const segment: Segment = { name, scanned: magic.length, intact: true };
    this.#own = { segment, file };
    this.#segments.set(name, segment);
    writeFully(file, magic);
    return this.#own;
  }

  /** Drops the oldest segments until `bytes` more fit. */
  #makeRoom(bytes: number): void {
    const list = this.#list();
    const own = this.#own?.segment.name;
    // Another process cleared the folder: what we append to has no name any more.
    if (own !== undefined && !list.some(({ name }) => name === own)) this.#drop(own);
    let total = list.reduce((sum, { size }) => sum + size, 0);
    for (const { name, size } of list) {
      if (total + bytes <= this.#limit) return;
      this.#drop(name);
      total -= size;
    }
  }

  /** Segments in the folder, oldest first. */
  #list(): { name: string; size: number }[] {
    let names: string[];
    try {
      names = readdirSync(this.#folder).filter((name) => segmentName.test(name));
    } catch {
      // Somebody removed the folder: an empty cache.
      return [];
    }
    return names.sort().flatMap((name) => {
      const stats = statSync(join(this.#folder, name), { throwIfNoEntry: false });
      return stats === undefined ? [] : [{ name, size: stats.size }];
    });
  }

  #drop(name: string): void {
    if (this.#own?.segment.name === name) this.close();
    try {
      rmSync(join(this.#folder, name), { force: true });
    } catch {
      // Windows keeps a file that another process reads; the next pass drops it.
    }
    this.#forget(name);
  }

  #forget(name: string): void {
    const segment = this.#segments.get(name);
    if (segment === undefined) return;
    this.#segments.delete(name);
    for (const [key, place] of this.#places) if (place.segment === segment) this.#places.delete(key);
  }

  /** Finds what other processes added and removed. */
  #refresh(): void {
    const list = this.#list();
    const names = new Set(list.map(({ name }) => name));
    for (const name of this.#segments.keys()) if (!names.has(name)) this.#forget(name);
    for (const { name, size } of list) {
      let segment = this.#segments.get(name);
      if (segment === undefined) {
        segment = { name, scanned: 0, intact: true };
        this.#segments.set(name, segment);
      }
      if (segment !== this.#own?.segment && segment.intact && segment.scanned < size)
        this.#scan(segment, size);
    }
  }

  /** Reads headers from where the last scan ended. A record that is not all there yet is left for the next scan. */
  #scan(segment: Segment, size: number): void {
    const file = this.#openForReading(segment);
    if (file === null) return;
    try {
      if (segment.scanned === 0) {
        if (size < magic.length) return;
        segment.intact = readUpTo(file, 0, magic.length).equals(magic);
        segment.scanned = magic.length;
      }
      let window: Buffer = Buffer.alloc(0);
      let windowStart = 0;
      let recordSize = 0;
      while (segment.intact && segment.scanned + headerBytes <= size) {
        if (segment.scanned + headerBytes > windowStart + window.length) {
          const manyInOne = recordSize * 4 < scanBytes;
          windowStart = segment.scanned;
          window = readUpTo(file, windowStart, manyInOne ? scanBytes : headerBytes);
        }
        const from = segment.scanned - windowStart;
        const header = readHeader(window.subarray(from, from + headerBytes));
        if (header === null) {
          segment.intact = false;
          return;
        }
        recordSize = headerBytes + header.bytes;
        if (segment.scanned + recordSize > size) return;
        const { key, bytes, checksum } = header;
        this.#places.set(key, { segment, offset: segment.scanned + headerBytes, bytes, checksum });
        segment.scanned += recordSize;
      }
    } finally {
      closeSync(file);
    }
  }

  /** null where the segment has gone. */
  #openForReading(segment: Segment): number | null {
    try {
      return openSync(join(this.#folder, segment.name), "r");
    } catch {
      this.#forget(segment.name);
      return null;
    }
  }
}

function recordBytes({ row }: CachedRow): number {
  return headerBytes + row.byteLength;
}

function writeHeader(header: Buffer, key: string, bytes: number, checksum: number): void {
  header.write(key, 0, keyBytes, "hex");
  header.writeUInt32LE(bytes, 32);
  header.writeUInt32LE(checksum, 36);
  header.writeUInt32LE(crc32(header.subarray(0, 40)), 40);
  header.writeUInt32LE(0, 44);
}

/** null where it is not a header. */
function readHeader(header: Buffer): { key: string; bytes: number; checksum: number } | null {
  if (header.length < headerBytes || header.readUInt32LE(40) !== crc32(header.subarray(0, 40))) return null;
  const bytes = header.readUInt32LE(32);
  if (bytes % 4 !== 0) return null;
  return { key: header.toString("hex", 0, keyBytes), bytes, checksum: header.readUInt32LE(36) };
}

/** Splits places in order of offset into runs that one read covers. */
function neighbours<T extends { readonly place: Place }>(sorted: readonly T[]): T[][] {
  const runs: T[][] = [];
  let start = 0;
  let end = 0;
  for (const item of sorted) {
    const { offset, bytes } = item.place;
    const run = runs.at(-1);
    if (run !== undefined && offset - end <= gapBytes && offset + bytes - start <= readBytes) {
      run.push(item);
    } else {
      runs.push([item]);
      start = offset;
    }
    end = offset + bytes;
  }
  return runs;
}

/** As many of `length` bytes at `position` as can be read; memory of its own, so that float views are aligned. */
function readUpTo(file: number, position: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length);
  let done = 0;
  try {
    while (done < length) {
      const count = readSync(file, bytes, done, length - done, position + done);
      if (count === 0) break;
      done += count;
    }
  } catch {
    // A disk that cannot read it has lost it.
  }
  return bytes.subarray(0, done);
}

function writeFully(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done, bytes.length - done);
}
