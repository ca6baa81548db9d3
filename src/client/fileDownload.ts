/**
 * One file of a model: into `<path>.part`, on from where an earlier attempt has stopped, checked against size and hash,
 * and only then given its name.
 */
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readFile, rename, rm, stat, writeFile, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { SteerscopeError } from "../shared/errors.ts";
import { makeFolder } from "./files.ts";
import { checkStatus, type HubFile } from "./hubApi.ts";
import { hubGet, stopped, TransientError, type HubAnswer, type HubOptions } from "./hubHttp.ts";
import { withRetries, type Attempt } from "./retry.ts";

export interface FileRequest {
  /** Address of the file in one commit of its repository. */
  readonly address: string;
  /** Page of the repository, for people. */
  readonly page: string;
  readonly file: HubFile;
  /** Where it goes. */
  readonly target: string;
  readonly hub: HubOptions;
  readonly signal: AbortSignal;
  /** Bytes of the file that are on the disk; falls when a part had to be thrown away. */
  readonly onBytes: (bytes: number) => void;
}

/** A file whose size the hub does not tell may not fill the disk. */
const maximumUnknownBytes = 1e9;

/**
 * Resolves with the file's size. Throws DownloadFailed, FileUnwritable, or Cancelled; what was got stays in the part file.
 */
export async function downloadFile(request: FileRequest): Promise<number> {
  const { file, target, hub, signal } = request;
  const existing = await sizeOf(target);
  if (existing !== null && existing === file.bytes) {
    request.onBytes(existing);
    return existing;
  }
  await makeFolder(dirname(target));
  for (let hasFailed = false; ; hasFailed = true) {
    const part = await withRetries(hub, signal, (attempt) => fetchPart(request, attempt));
    if (await isRight(request, part)) {
      await rename(partOf(target), target);
      await rm(tagOf(target), { force: true });
      return part.bytes;
    }
    await removePart(target);
    request.onBytes(0);
    if (hasFailed) {
      throw new SteerscopeError("DownloadFailed", `${file.path} is not what the model hub says it is.`, {
        remedy:
          "Something between here and the hub changes files: check the mirror or the proxy, and download again.",
        detail: `${request.page}: wrong checksum twice`,
      });
    }
  }
}

/** What an interrupted download has left of the file, in bytes. */
export async function bytesOnDisk(target: string): Promise<number> {
  return (await sizeOf(target)) ?? (await sizeOf(partOf(target))) ?? 0;
}

function partOf(target: string): string {
  return `${target}.part`;
}

/** Keeps the entity tag that the part belongs to. */
function tagOf(target: string): string {
  return `${target}.tag`;
}

async function removePart(target: string): Promise<void> {
  await rm(partOf(target), { force: true });
  await rm(tagOf(target), { force: true });
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    const information = await stat(path);
    return information.isFile() ? information.size : null;
  } catch {
    return null;
  }
}

/** A part that has all of the file's bytes, and what they must hash to; null where nobody has said. */
interface WholePart {
  readonly bytes: number;
  readonly sha256: string | null;
  readonly gitSha1: string | null;
}

/** Gets what is missing of the part. */
async function fetchPart(request: FileRequest, attempt: Attempt): Promise<WholePart> {
  const { address, file, target, hub, page, signal } = request;
  let from = (await sizeOf(partOf(target))) ?? 0;
  if (file.bytes !== null && from > file.bytes) {
    await removePart(target);
    from = 0;
  }
  request.onBytes(from);
  if (file.bytes !== null && from === file.bytes && from > 0) return { ...file, bytes: from };
  const answer = await hubGet(address, hub, from > 0 ? await rangeHeaders(target, from) : {}, signal);
  checkStatus(answer, page, hub);
  if (answer.status === 416) {
    answer.discard();
    await removePart(target);
    throw new TransientError(`${page}: the part of ${file.path} does not fit`);
  }
  const start = answer.status === 206 ? rangeStart(answer) : 0;
  if (start !== from && start !== 0) {
    answer.discard();
    await removePart(target);
    throw new TransientError(`${page}: another range of ${file.path} came than was asked for`);
  }
  const expected = expectedSize(answer, start);
  if (file.bytes !== null && expected !== null && expected !== file.bytes) {
    answer.discard();
    throw new TransientError(`${page}: ${file.path} has ${expected} bytes, not ${file.bytes}`);
  }
  await writeFile(tagOf(target), strongTag(answer) ?? "");
  const bytes = await writeBody(request, answer, start, attempt);
  const whole = file.bytes ?? expected;
  if (whole !== null && bytes !== whole)
    throw new TransientError(`${page}: ${file.path} broke off at ${bytes} of ${whole}`);
  const hasHash = file.sha256 !== null || file.gitSha1 !== null;
  return { ...(hasHash ? file : linkedHash(answer)), bytes };
}

/** What the hub itself says of the file when it sends on to the storage; mirrors may list files without hashes. */
function linkedHash({ hubHeaders }: HubAnswer): Pick<WholePart, "sha256" | "gitSha1"> {
  const tag = hubHeaders["x-linked-etag"];
  const sha256 = typeof tag === "string" ? /^"?([0-9a-f]{64})"?$/.exec(tag)?.[1] : undefined;
  return { sha256: sha256 ?? null, gitSha1: null };
}

async function rangeHeaders(target: string, from: number): Promise<Record<string, string>> {
  const range = { range: `bytes=${from}-` };
  const tag = await readFile(tagOf(target), "utf8").catch(() => "");
  // Where the file is another one now, the server sends all of it.
  return tag === "" ? range : { ...range, "if-range": tag };
}

function strongTag({ headers }: HubAnswer): string | null {
  const tag = headers.etag;
  return tag !== undefined && /^"[\u0021\u0023-\u007e]{1,500}"$/.test(tag) ? tag : null;
}

function rangeStart({ headers }: HubAnswer): number {
  return Number(/^bytes (\d{1,15})-/.exec(headers["content-range"] ?? "")?.[1] ?? NaN);
}

/** Size of the whole file as this answer tells it; null where it does not. */
function expectedSize({ headers }: HubAnswer, start: number): number | null {
  const length = Number(headers["content-length"] ?? NaN);
  return Number.isSafeInteger(length) ? start + length : null;
}

async function writeBody(
  request: FileRequest,
  answer: HubAnswer,
  start: number,
  attempt: Attempt,
): Promise<number> {
  const { file, target } = request;
  const most = file.bytes ?? maximumUnknownBytes;
  let handle: FileHandle | undefined;
  let bytes = start;
  try {
    handle = await open(partOf(target), start === 0 ? "w" : "r+");
    for await (const chunk of answer.body) {
      if (bytes + chunk.length > most) throw tooLong(request, most);
      await writeAll(handle, chunk, bytes);
      bytes += chunk.length;
      attempt.hasProgressed = true;
      request.onBytes(bytes);
    }
    await handle.sync();
    return bytes;
  } catch (error) {
    answer.discard();
    throw isSystemError(error) ? unwritable(target, error) : error;
  } finally {
    await handle?.close();
  }
}

async function writeAll(handle: FileHandle, chunk: Buffer, position: number): Promise<void> {
  for (let done = 0; done < chunk.length;) {
    done += (await handle.write(chunk, done, chunk.length - done, position + done)).bytesWritten;
  }
}

function tooLong({ file, page }: FileRequest, most: number): SteerscopeError {
  return new SteerscopeError("DownloadFailed", `${file.path} is longer than the model hub says.`, {
    remedy: "Check the mirror or the proxy.",
    detail: `${page}: more than ${most} bytes`,
  });
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && !(error instanceof SteerscopeError) && "syscall" in error;
}

/** A write that failed, as an error for people. */
export function unwritable(path: string, error: NodeJS.ErrnoException): SteerscopeError {
  return new SteerscopeError("FileUnwritable", `${path} cannot be written.`, {
    remedy:
      error.code === "ENOSPC"
        ? "Free space on the disk, and download again."
        : "Check that you may write there.",
    detail: error.message,
    cause: error,
  });
}

/** Hashes the part where a hash of it is known; the size was compared already. */
async function isRight({ target, signal }: FileRequest, part: WholePart): Promise<boolean> {
  const hash = hashFor(part);
  if (hash === null) return true;
  for await (const chunk of createReadStream(partOf(target), { highWaterMark: 1024 * 1024 })) {
    if (signal.aborted) throw stopped();
    hash.update(chunk as Buffer);
  }
  return hash.digest("hex") === (part.sha256 ?? part.gitSha1);
}

/** https://git-scm.com/book/en/v2/Git-Internals-Git-Objects: Git hashes a header before the content. */
function hashFor({ sha256, gitSha1, bytes }: WholePart): Hash | null {
  if (sha256 !== null) return createHash("sha256");
  return gitSha1 === null ? null : createHash("sha1").update(`blob ${bytes}\0`);
}
