/** Another attempt after what may pass: busy servers, broken and silent links. */
import { SteerscopeError } from "../shared/errors.ts";
import { stopped, TransientError, type HubOptions } from "./hubHttp.ts";

/** Attempts one after another that get nothing. */
const fruitlessAttempts = 5;
/** Attempts in all: a server that sends a few bytes at a time must not keep a download alive for ever. */
const maximumAttempts = 200;
const defaultBackOffMilliseconds = 500;
const longestBackOffMilliseconds = 30_000;
/** A server that asks for more patience than this is told about instead of waited for. */
const longestRetryAfterMilliseconds = 120_000;

export interface Attempt {
  /** To be set when something was got: attempts are then counted anew. */
  hasProgressed: boolean;
}

/** Runs `body` until it succeeds. Throws DownloadFailed after too many TransientErrors, and everything else as it comes. */
export async function withRetries<T>(
  { backOffMilliseconds = defaultBackOffMilliseconds }: HubOptions,
  signal: AbortSignal,
  body: (attempt: Attempt) => Promise<T>,
): Promise<T> {
  let fruitless = 0;
  for (let attempts = 1; ; attempts++) {
    const attempt: Attempt = { hasProgressed: false };
    try {
      return await body(attempt);
    } catch (error) {
      if (signal.aborted) throw stopped();
      if (!(error instanceof TransientError)) throw error;
      fruitless = attempt.hasProgressed ? 1 : fruitless + 1;
      const asked = error.retryAfterMilliseconds;
      if (asked !== null && asked > longestRetryAfterMilliseconds) throw mustWait(asked, error);
      if (fruitless >= fruitlessAttempts || attempts >= maximumAttempts) throw givenUp(error);
      const backOff = Math.min(backOffMilliseconds * 2 ** (fruitless - 1), longestBackOffMilliseconds);
      // Spread, so that many waiting clients do not come back at one moment.
      await wait(asked ?? backOff * (0.75 + Math.random() / 2), signal);
    }
  }
}

function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(stopped());
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal.addEventListener("abort", stop, { once: true });
  });
}

function givenUp(error: TransientError): SteerscopeError {
  const { status } = error;
  return new SteerscopeError(
    "DownloadFailed",
    status === null
      ? "The model hub could not be reached, or broke off again and again."
      : `The model hub answered with status ${status} again and again.`,
    {
      remedy:
        status === null
          ? "Check the network and the proxy, and download again: it goes on where it has stopped."
          : "Download again later: it goes on where it has stopped.",
      detail: error.message,
      cause: error,
    },
  );
}

function mustWait(milliseconds: number, error: TransientError): SteerscopeError {
  return new SteerscopeError("DownloadFailed", "The model hub is busy or limits requests.", {
    remedy: `It asks to wait ${Math.ceil(milliseconds / 60_000)} minutes. Download again then: it goes on where it has stopped.`,
    detail: error.message,
    cause: error,
  });
}
