/**
 * A model hub on 127.0.0.1: the interface of huggingface.co as far as downloads use it, with a storage on another origin
 * that large files are sent on to, and faults that a test asks for.
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

export interface HubFault {
  /** Ends of the paths that the fault is for. */
  readonly path: string;
  /** How many requests it happens to. */
  times: number;
  readonly kind:
    | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
    /** The connection breaks after this many bytes of the body. */
    | { readonly resetAfter: number }
    /** Fewer bytes than announced, without a reset. */
    | { readonly truncateTo: number }
    /** Nothing more comes after this many bytes. */
    | { readonly stallAfter: number }
    /** Other content of the same size. */
    | "wrong-content"
    /** More than there is, of no announced length. */
    | "longer"
    /** All of the file, whatever was asked for. */
    | "ignores-range"
    /** A range that was not asked for. */
    | "other-range"
    | { readonly redirectTo: string };
}

export interface SeenRequest {
  readonly origin: "hub" | "storage";
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
}

export interface HubContent {
  readonly repository: string;
  commit: string;
  /** Large files have their hash listed and come from the storage. */
  readonly files: Map<string, { bytes: Buffer; isLarge: boolean }>;
  token?: string;
  licence?: string;
  isGated?: boolean;
  architecture?: string;
  /** In place of the listing's own sizes. */
  listedSizes?: Readonly<Record<string, number>>;
  /** Lists files without sizes and hashes, as a plain mirror does. */
  isPlain?: boolean;
}

export interface HubPlace {
  /** Hosts that only a proxy can find, in the place of 127.0.0.1. */
  readonly hosts?: { readonly hub: string; readonly storage: string };
  /** PEM texts; with them both servers speak TLS. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

export class HubServer {
  readonly seen: SeenRequest[] = [];
  readonly faults: HubFault[] = [];
  /** Called before each answer with a body. */
  onRequest: (seen: SeenRequest) => void = () => undefined;
  /** Pause after each chunk of 16 kB. */
  slowMilliseconds = 0;
  readonly #content: HubContent;
  readonly #hub: Server;
  readonly #storage: Server;
  readonly #place: HubPlace;

  constructor(content: HubContent, place: HubPlace = {}) {
    this.#content = content;
    this.#place = place;
    const { tls } = place;
    const serve = (answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Server =>
      tls === undefined
        ? createServer((request, response) => void answer(request, response))
        : createTlsServer(tls, (request, response) => void answer(request, response));
    this.#hub = serve((request, response) => this.#answerHub(request, response));
    this.#storage = serve((request, response) => this.#answerStorage(request, response));
  }

  async start(): Promise<void> {
    await Promise.all(
      [this.#hub, this.#storage].map(
        (server) => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)),
      ),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(
      [this.#hub, this.#storage].map(
        (server) =>
          new Promise<void>((resolve) => {
            server.close(() => {
              resolve();
            });
            server.closeAllConnections();
          }),
      ),
    );
  }

  get endpoint(): string {
    return this.#originOf(this.#hub, this.#place.hosts?.hub);
  }

  get storageOrigin(): string {
    return this.#originOf(this.#storage, this.#place.hosts?.storage);
  }

  #originOf(server: Server, host = "127.0.0.1"): string {
    const scheme = this.#place.tls === undefined ? "http" : "https";
    return `${scheme}://${host}:${(server.address() as AddressInfo).port}`;
  }

  async #answerHub(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen = this.#note("hub", request);
    if (this.#answerFault(seen, response)) return;
    const { repository, commit, token, isGated } = this.#content;
    if (token !== undefined && seen.authorization !== `Bearer ${token}`) {
      response.writeHead(isGated === true && seen.authorization !== undefined ? 403 : 401, {
        "x-error-code": isGated === true ? "GatedRepo" : "RepoNotFound",
      });
      response.end();
      return;
    }
    if (seen.path.startsWith(`/api/models/${repository}/revision/`)) {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(this.#listing()));
      return;
    }
    const prefix = `/${repository}/resolve/${commit}/`;
    const file = seen.path.startsWith(prefix)
      ? this.#content.files.get(seen.path.slice(prefix.length))
      : undefined;
    if (file === undefined) {
      response.writeHead(404, { "x-error-code": "EntryNotFound" }).end();
    } else if (file.isLarge) {
      response.writeHead(302, {
        location: `${this.storageOrigin}/${seen.path.slice(prefix.length)}?signature=secret`,
        "x-linked-etag": `"${sha256(file.bytes)}"`,
        "x-repo-commit": commit,
      });
      response.end();
    } else {
      await this.#send(seen, file.bytes, response);
    }
  }

  async #answerStorage(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen = this.#note("storage", request);
    if (this.#answerFault(seen, response)) return;
    const file = this.#content.files.get(seen.path.slice(1));
    if (file === undefined) response.writeHead(404).end();
    else await this.#send(seen, file.bytes, response);
  }

  #note(origin: SeenRequest["origin"], { url, headers }: IncomingMessage): SeenRequest {
    const seen = {
      origin,
      path: decodeURIComponent(new URL(url ?? "/", "http://x").pathname),
      authorization: headers.authorization,
      range: headers.range,
      ifRange: headers["if-range"] as string | undefined,
    };
    this.seen.push(seen);
    this.onRequest(seen);
    return seen;
  }

  #fault(path: string, isForBody: boolean): HubFault["kind"] | undefined {
    const fault = this.faults.find(
      (each) => each.times > 0 && path.endsWith(each.path) && isBodyFault(each.kind) === isForBody,
    );
    if (fault === undefined) return undefined;
    fault.times--;
    return fault.kind;
  }

  #answerFault({ path }: SeenRequest, response: ServerResponse): boolean {
    const kind = this.#fault(path, false);
    if (kind === undefined || typeof kind === "string") return false;
    if ("status" in kind) response.writeHead(kind.status, kind.headers).end();
    else if ("redirectTo" in kind) response.writeHead(302, { location: kind.redirectTo }).end();
    return true;
  }

  async #send(seen: SeenRequest, content: Buffer, response: ServerResponse): Promise<void> {
    const fault = this.#fault(seen.path, true);
    if (fault === "longer") {
      response.write(content);
      response.end(content);
      return;
    }
    const bytes = fault === "wrong-content" ? Buffer.alloc(content.length, 120) : content;
    const tag = `"${sha256(content).slice(0, 16)}"`;
    const isSame = seen.ifRange === undefined || seen.ifRange === tag;
    const asked = isSame ? Number(/^bytes=(\d+)-$/.exec(seen.range ?? "")?.[1] ?? 0) : 0;
    const from = fault === "ignores-range" ? 0 : asked + (fault === "other-range" ? 1 : 0);
    if (from >= bytes.length && from > 0) {
      response.writeHead(416).end();
      return;
    }
    const part = bytes.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, {
      etag: tag,
      "content-length": part.length,
      ...(from > 0 ? { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}),
    });
    await this.#sendBody(part, typeof fault === "object" ? fault : undefined, response);
  }

  async #sendBody(part: Buffer, fault: object | undefined, response: ServerResponse): Promise<void> {
    const limits = { resetAfter: Infinity, truncateTo: Infinity, stallAfter: Infinity, ...fault };
    const limit = Math.min(limits.resetAfter, limits.truncateTo, limits.stallAfter);
    const most = Math.min(part.length, limit);
    for (let at = 0; at < most && !response.destroyed; at += 16_384) {
      const chunk = part.subarray(at, Math.min(at + 16_384, most));
      await new Promise<void>((resolve) => {
        response.write(chunk, () => {
          resolve();
        });
      });
      if (this.slowMilliseconds > 0)
        await new Promise((resolve) => setTimeout(resolve, this.slowMilliseconds));
    }
    if (limits.resetAfter <= part.length) response.socket?.resetAndDestroy();
    else if (limits.truncateTo <= part.length) response.socket?.end();
    else if (limits.stallAfter > part.length) response.end();
  }

  #listing(): object {
    const { repository, commit, files, architecture, licence, isGated, listedSizes, isPlain } = this.#content;
    return {
      id: repository,
      sha: commit,
      ...(architecture === undefined ? {} : { config: { model_type: architecture } }),
      gated: isGated === true ? "manual" : false,
      tags: licence === undefined ? [] : [`license:${licence}`],
      siblings: [...files].map(([path, { bytes, isLarge }]) => {
        const size = listedSizes?.[path] ?? bytes.length;
        if (isPlain === true) return { rfilename: path };
        return isLarge
          ? {
              rfilename: path,
              size,
              blobId: "0".repeat(40),
              lfs: { sha256: sha256(bytes), size, pointerSize: 130 },
            }
          : { rfilename: path, size, blobId: gitSha1(bytes) };
      }),
    };
  }
}

function isBodyFault(kind: HubFault["kind"]): boolean {
  return typeof kind === "string" || "resetAfter" in kind || "truncateTo" in kind || "stallAfter" in kind;
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function gitSha1(bytes: Buffer): string {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}
