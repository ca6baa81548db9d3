/** What a model hub says of a repository (https://huggingface.co/docs/hub/api), read as if it came from anybody. */
import { staysInside, type NamedFile } from "../formats/modelFiles.ts";
import { repositoryPattern } from "../formats/modelCatalogue.ts";
import { SteerscopeError } from "../shared/errors.ts";
import { hubGet, TransientError, type HubAnswer, type HubOptions } from "./hubHttp.ts";
import { withRetries } from "./retry.ts";

export interface HubFile extends NamedFile {
  /** null where the hub does not say. */
  readonly bytes: number | null;
  /** Of the content, for files in large file storage; else null. */
  readonly sha256: string | null;
  /** Git's hash of the file as a blob, for small files; else null. */
  readonly gitSha1: string | null;
}

export interface HubModel {
  /** owner/name, as asked for. */
  readonly repository: string;
  /** The commit that the revision stands for now. */
  readonly commit: string;
  /** `model_type` of its configuration; null where the hub does not say. */
  readonly architecture: string | null;
  /** As the hub names it, e.g. apache-2.0; null where it says nothing. */
  readonly licence: string | null;
  /** Its page, where the licence can be read and accepted. */
  readonly page: string;
  /** Its licence must be accepted on the hub before files are given out. */
  readonly isGated: boolean;
  readonly files: readonly HubFile[];
}

/** owner/name, and a branch, tag or commit. */
export interface HubReference {
  readonly repository: string;
  readonly revision: string;
}

const maximumAnswerBytes = 32 * 1024 * 1024;
const maximumFiles = 50_000;

/** Reads `owner/name` or `owner/name@revision`, also as the address of its page; undefined for anything else. */
export function parseHubReference(text: string): HubReference | undefined {
  const plain = text.trim().replace(/^https?:\/\/[^/]+\//, "");
  const [, repository = "", revision] = /^([^@\s]+?)(?:@([\w./-]{1,200}))?\/?$/.exec(plain) ?? [];
  if (repository.length > 200 || !repositoryPattern.test(repository)) return undefined;
  if (revision !== undefined && !staysInside(revision)) return undefined;
  return { repository, revision: revision ?? "main" };
}

/** Asks the hub for a repository's commit, licence and files. Throws DownloadFailed or Cancelled. */
export async function describeRepository(
  reference: HubReference,
  options: HubOptions,
  signal: AbortSignal,
): Promise<HubModel> {
  const { repository, revision } = reference;
  const page = `${options.endpoint}/${repository}`;
  const address = `${options.endpoint}/api/models/${repository}/revision/${encodeURIComponent(revision)}?blobs=true`;
  return withRetries(options, signal, async () => {
    const answer = await hubGet(address, options, { accept: "application/json" }, signal);
    checkStatus(answer, page, options);
    return readModel(await readJson(answer), repository, page);
  });
}

/** Throws TransientError for what may pass, DownloadFailed for what will not. */
export function checkStatus(answer: HubAnswer, page: string, options: HubOptions): void {
  const { status, headers, hubHeaders } = answer;
  if (status === 200 || status === 206 || status === 416) return;
  answer.discard();
  if (status === 408 || status === 429 || status >= 500) {
    throw new TransientError(`${page}: status ${status}`, {
      retryAfterMilliseconds: retryAfter(headers["retry-after"]),
      status,
    });
  }
  // https://huggingface.co/docs/huggingface_hub: 401 also stands for what does not exist, unless one may see it.
  const code = hubHeaders["x-error-code"];
  const detail = `${page}: status ${status}${typeof code === "string" ? `, ${code}` : ""}`;
  if (status === 401 || status === 403) {
    const isKnown = options.token !== undefined;
    throw new SteerscopeError(
      "DownloadFailed",
      "The model hub does not give this model out without permission.",
      {
        remedy: `${isKnown ? "Check the name and the access token, and that its licence is accepted" : "Check the name; if the model asks for it, accept its licence and set an access token"}: ${page}`,
        detail,
      },
    );
  }
  if (status === 404) {
    throw new SteerscopeError("DownloadFailed", "The model hub does not have this model, revision or file.", {
      remedy: `Check the name: ${page}`,
      detail,
    });
  }
  throw new SteerscopeError("DownloadFailed", `The model hub answered with status ${status}.`, {
    remedy: "Check the address of the hub or mirror, and the proxy.",
    detail,
  });
}

/** Seconds or a date (RFC 9110), in milliseconds from now; null where it is neither. */
function retryAfter(value: string | undefined): number | null {
  if (value === undefined) return null;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000;
  const time = Date.parse(value);
  return Number.isNaN(time) ? null : Math.max(0, time - Date.now());
}

async function readJson(answer: HubAnswer): Promise<unknown> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of answer.body) {
    bytes += part.length;
    if (bytes > maximumAnswerBytes) {
      answer.discard();
      throw notUnderstood("an answer that is too long");
    }
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString("utf8"));
  } catch {
    throw notUnderstood("no JSON");
  }
}

type Json = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function notUnderstood(what: string): SteerscopeError {
  return new SteerscopeError("DownloadFailed", "The model hub's answer cannot be understood.", {
    remedy: "Check the address of the hub or mirror; a proxy may have answered in its place.",
    detail: what,
  });
}

function readModel(value: unknown, repository: string, page: string): HubModel {
  if (!isRecord(value)) throw notUnderstood("no object");
  const { sha, gated, siblings, config } = value;
  const type = isRecord(config) ? config["model_type"] : undefined;
  if (typeof sha !== "string" || !/^[0-9a-f]{40}$/.test(sha)) throw notUnderstood("no commit");
  if (!Array.isArray(siblings) || siblings.length > maximumFiles) throw notUnderstood("no list of files");
  return {
    repository,
    commit: sha,
    architecture: typeof type === "string" ? type : null,
    licence: readLicence(value),
    page,
    isGated: gated !== undefined && gated !== false,
    files: siblings.map(readFile),
  };
}

/** A tag of the kind `license:apache-2.0`; licences of their own carry a name in the model card. */
function readLicence({ tags, cardData }: Json): string | null {
  const card = isRecord(cardData) ? cardData : {};
  const tag = Array.isArray(tags)
    ? tags.find((each): each is string => typeof each === "string" && each.startsWith("license:"))
    : undefined;
  const plain = tag?.slice("license:".length) ?? card["license"];
  const name = plain === "other" || plain === undefined ? (card["license_name"] ?? plain) : plain;
  return typeof name === "string" ? name.slice(0, 100) : null;
}

function readFile(value: unknown): HubFile {
  const { rfilename, size, blobId, lfs } = isRecord(value) ? value : ({} as Json);
  if (typeof rfilename !== "string" || !staysInside(rfilename)) {
    throw new SteerscopeError(
      "DownloadFailed",
      "The model hub lists a file that would lie outside the model's folder.",
      {
        remedy: "Do not use this repository or mirror.",
        detail: JSON.stringify(rfilename).slice(0, 200),
      },
    );
  }
  const large = isRecord(lfs) ? lfs : undefined;
  const bytes = large?.["size"] ?? size;
  return {
    path: rfilename,
    bytes: typeof bytes === "number" && Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : null,
    sha256: hash(large?.["sha256"] ?? large?.["oid"], 64),
    gitSha1: large === undefined ? hash(blobId, 40) : null,
  };
}

function hash(value: unknown, digits: number): string | null {
  return typeof value === "string" && value.length === digits && /^[0-9a-f]+$/.test(value) ? value : null;
}
