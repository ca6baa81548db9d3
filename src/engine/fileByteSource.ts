/** A ByteSource over a file: a window slides over it, so that a parser that skips weights never reads them. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { SteerscopeError } from "../shared/errors.ts";
import type { ByteSource } from "./onnx/wire.ts";

/** Large enough that a graph's nodes take few reads, small enough that skipping from weight to weight wastes little. */
const windowBytes = 64 * 1024;

export class FileByteSource implements ByteSource {
  readonly size: number;
  readonly #path: string;
  readonly #descriptor: number;
  #window: Uint8Array = new Uint8Array(0);
  #windowAt = 0;
  #bytesRead = 0;

  /** Opens `path`. Throws FileUnreadable. */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#descriptor = openSync(path, "r");
    } catch (error) {
      throw unreadable(path, error);
    }
    this.size = fstatSync(this.#descriptor).size;
  }

  /** Bytes read from the file so far. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  read(offset: number, length: number): Uint8Array {
    if (offset < 0 || length < 0 || offset + length > this.size) {
      throw new SteerscopeError("ModelCorrupt", "The file ends before its content does.", {
        detail: `${this.#path}: ${length} bytes at ${offset} of ${this.size}`,
        remedy: "Download or export the model again.",
      });
    }
    const start = offset - this.#windowAt;
    if (start >= 0 && start + length <= this.#window.length)
      return this.#window.subarray(start, start + length);
    this.#window = this.#readFile(offset, Math.min(Math.max(length, windowBytes), this.size - offset));
    this.#windowAt = offset;
    return this.#window.subarray(0, length);
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #readFile(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      let count: number;
      try {
        count = readSync(this.#descriptor, bytes, done, length - done, offset + done);
      } catch (error) {
        throw unreadable(this.#path, error);
      }
      if (count === 0) throw unreadable(this.#path, new Error("the file became shorter while it was read"));
      done += count;
    }
    this.#bytesRead += length;
    return bytes;
  }
}

function unreadable(path: string, error: unknown): SteerscopeError {
  return new SteerscopeError("FileUnreadable", `${path} cannot be read.`, {
    detail: error instanceof Error ? error.message : String(error),
    remedy: "Check that the file exists and that you may read it.",
    cause: error,
  });
}
