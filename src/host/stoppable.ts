/** Waiting that ends when the person stops it. */
import { setTimeout as sleep } from "node:timers/promises";
import * as vscode from "vscode";
import { SteerscopeError } from "../shared/errors.ts";

/** `promise`, or Cancelled as soon as `signal` is aborted. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(stopped());
    };
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener("abort", abort);
    });
  });
}

/** Throws Cancelled when `signal` is aborted. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch {
    throw stopped();
  }
}

/** What a job fails with that was stopped. */
export function stopped(): SteerscopeError {
  return new SteerscopeError("Cancelled", vscode.l10n.t("Stopped."));
}
