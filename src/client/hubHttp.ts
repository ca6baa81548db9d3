/**
 * GET requests to a model hub: redirects, a token that never leaves the hub's own origin, links that say nothing for too
 * long. Nothing is retried here.
 */
// The names without "node:" are the ones that VS Code replaces in extensions, to apply its proxy and certificate settings.
import {
  request as requestHttp,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from "http";
import { request as requestHttps } from "https";
import { SteerscopeError } from "../shared/errors.ts";

/** Starts a GET request, which the caller ends; `signal` ends what must be opened before there is a connection to the hub. */
export type StartRequest = (
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => ClientRequest;

export const requestDirectly: StartRequest = (url, headers) =>
  (url.protocol === "https:" ? requestHttps : requestHttp)(url, { headers });

export interface HubOptions {
  /** Address of the hub, without a slash at its end. */
  readonly endpoint: string;
  readonly token?: string | undefined;
  /** A link that sends nothing for this long is given up. */
  readonly stallMilliseconds?: number;
  /** Wait before the second attempt; it doubles with each further one. */
  readonly backOffMilliseconds?: number;
  /** Default: without a proxy, except for what VS Code puts in between. */
  readonly startRequest?: StartRequest;
}

export interface HubAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Headers of the hub itself, where it has sent the request on to a storage. */
  readonly hubHeaders: IncomingHttpHeaders;
  readonly body: AsyncIterable<Buffer>;
  /** Ends the connection where the body is not read to its end. */
  discard(): void;
}

/** The attempt has failed for a reason that may pass. */
export class TransientError extends Error {
  readonly retryAfterMilliseconds: number | null;
  /** That the hub answered with; null where there was no answer. */
  readonly status: number | null;
  constructor(
    message: string,
    { retryAfterMilliseconds = null, status = null }: Partial<Omit<TransientError, keyof Error>> = {},
  ) {
    super(message);
    this.retryAfterMilliseconds = retryAfterMilliseconds;
    this.status = status;
  }
}

const maximumRedirects = 10;
const defaultStallMilliseconds = 30_000;
const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export function stopped(): SteerscopeError {
  return new SteerscopeError("Cancelled", "Stopped.");
}

/** The endpoint that counts: `configured`, else HF_ENDPOINT, else the hub itself. Throws InvalidRequest. */
export function hubEndpoint(
  configured: string,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const own = configured.trim();
  const text = own === "" ? (environment["HF_ENDPOINT"] ?? "").trim() : own;
  if (text === "") return "https://huggingface.co";
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.search !== "") {
    throw new SteerscopeError("InvalidRequest", "The address of the model hub is not valid.", {
      remedy: "Write it as https://huggingface.co, in the setting, with --endpoint or in HF_ENDPOINT.",
    });
  }
  return (url.origin + url.pathname).replace(/\/+$/, "");
}

/** An address for people and the log: signed addresses carry secrets behind the question mark. */
function printableAddress(url: URL): string {
  return url.origin + url.pathname;
}

/**
 * Follows redirects to the answer itself. Throws TransientError, Cancelled, or DownloadFailed for redirects that must
 * not be followed.
 */
export async function hubGet(
  address: string,
  options: HubOptions,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<HubAnswer> {
  const home = new URL(options.endpoint).origin;
  let url = new URL(address);
  let hubHeaders: IncomingHttpHeaders | undefined;
  for (let hops = 0; hops <= maximumRedirects; hops++) {
    const mayKnow = url.origin === home && options.token !== undefined;
    const authorization: Record<string, string> = mayKnow ? { authorization: `Bearer ${options.token}` } : {};
    const answer = await getOnce(url, { ...headers, ...authorization }, options, signal);
    // What the hub says of a file counts, not what its storage does.
    if (url.origin === home) hubHeaders = { ...hubHeaders, ...answer.headers };
    const { location } = answer.headers;
    if (!redirectStatuses.has(answer.status) || location === undefined) {
      return { ...answer, hubHeaders: hubHeaders ?? {} };
    }
    answer.discard();
    url = nextAddress(url, location);
  }
  throw refusedRedirect(url, `more than ${maximumRedirects} redirects`);
}

function nextAddress(from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (to === undefined || !/^https?:$/.test(to.protocol)) throw refusedRedirect(from, "no web address");
  if (from.protocol === "https:" && to.protocol === "http:") throw refusedRedirect(from, "no encryption");
  return to;
}

function refusedRedirect(from: URL, why: string): SteerscopeError {
  return new SteerscopeError(
    "DownloadFailed",
    "The model hub sends the download to an address that is refused.",
    {
      remedy: "Check the address of the hub or mirror.",
      detail: `${printableAddress(from)}: ${why}`,
    },
  );
}

function getOnce(
  url: URL,
  headers: Readonly<Record<string, string>>,
  options: HubOptions,
  signal: AbortSignal,
): Promise<Omit<HubAnswer, "hubHeaders">> {
  const limit = options.stallMilliseconds ?? defaultStallMilliseconds;
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(stopped());
      return;
    }
    const failed = (error: Error): Error =>
      signal.aborted ? stopped() : new TransientError(`${printableAddress(url)}: ${error.message}`);
    const isOver = new AbortController();
    const request = (options.startRequest ?? requestDirectly)(
      url,
      {
        "user-agent": "steerscope",
        // Files are compared with hashes of what they are unpacked.
        "accept-encoding": "identity",
        connection: "close",
        ...headers,
      },
      isOver.signal,
    );
    // Counts from the start: the socket's own timeout does not run while a proxy is looked up.
    let timer = setTimeout(stall, limit);
    function stall(): void {
      giveUp(new Error(`nothing came for ${limit} ms`));
    }
    const touch = (): void => {
      clearTimeout(timer);
      timer = setTimeout(stall, limit);
    };
    const abort = (): void => {
      giveUp(new Error("stopped"));
    };
    const release = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    };
    /** Rejects by itself: a request that waits for its connection would not fail before it has one. */
    function giveUp(error: Error): void {
      release();
      request.destroy(error);
      isOver.abort();
      reject(failed(error));
    }
    signal.addEventListener("abort", abort, { once: true });
    // More than once: giving up a request may end it in two ways.
    request.on("error", (error) => {
      release();
      reject(failed(error));
    });
    request.once("response", (response) => {
      touch();
      // Without a listener an error after the body was given up would end the process.
      response.on("error", release);
      response.once("close", release);
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: readBody(response, touch, failed),
        discard: () => {
          response.destroy();
          release();
        },
      });
    });
    request.end();
  });
}

async function* readBody(
  response: IncomingMessage,
  touch: () => void,
  failed: (error: Error) => Error,
): AsyncGenerator<Buffer, void> {
  try {
    for await (const chunk of response) {
      touch();
      yield chunk as Buffer;
    }
  } catch (error) {
    throw failed(error as Error);
  }
}
