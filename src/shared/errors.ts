/**
 * The closed list of things that can go wrong, each with a message for people, what to do next, and a detail for the
 * log. Errors cross process boundaries as `SerialisedError`; nothing may match on message text. docs/errors.md has an
 * entry for each kind.
 */
export const errorKinds = [
  "ModelNotFound",
  "ModelUnsupported",
  "ModelCorrupt",
  "ModelNotLoaded",
  "DownloadFailed",
  "SelfTestFailed",
  "EngineCrashed",
  "EngineMismatch",
  "OutOfMemory",
  "ContextTooLong",
  "ExampleSetInvalid",
  "VectorInvalid",
  "VectorMismatch",
  "InvalidRequest",
  "FileUnreadable",
  "FileUnwritable",
  "Cancelled",
  "Internal",
] as const;

export type ErrorKind = (typeof errorKinds)[number];

/** What travels over IPC and into `--json` output. */
export interface SerialisedError {
  readonly kind: ErrorKind;
  readonly message: string;
  /** What the person can do next, as a sentence. */
  readonly remedy?: string;
  /** For the log only: a stack, a native message. */
  readonly detail?: string;
}

export interface ErrorOptionsTyped {
  readonly remedy?: string;
  readonly detail?: string;
  readonly cause?: unknown;
}

/** The only error class that functions of this project throw on purpose. */
export class SteerscopeError extends Error {
  readonly kind: ErrorKind;
  readonly remedy: string | undefined;
  readonly detail: string | undefined;

  constructor(kind: ErrorKind, message: string, options: ErrorOptionsTyped = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = kind;
    this.kind = kind;
    this.remedy = options.remedy;
    this.detail = options.detail;
  }
}

/** True for a SteerscopeError, of the given kind when one is named. */
export function isSteerscopeError(error: unknown, kind?: ErrorKind): error is SteerscopeError {
  return error instanceof SteerscopeError && (kind === undefined || error.kind === kind);
}

/** Any thrown value as something that can cross a process boundary; unknown errors become `Internal`. */
export function serialiseError(error: unknown): SerialisedError {
  if (error instanceof SteerscopeError) {
    return {
      kind: error.kind,
      message: error.message,
      ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
      ...(error.detail === undefined ? {} : { detail: error.detail }),
    };
  }
  if (error instanceof Error) {
    return { kind: "Internal", message: error.message, detail: error.stack ?? error.message };
  }
  return { kind: "Internal", message: String(error) };
}

/** The inverse of `serialiseError`. */
export function deserialiseError(error: SerialisedError): SteerscopeError {
  return new SteerscopeError(error.kind, error.message, {
    ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
    ...(error.detail === undefined ? {} : { detail: error.detail }),
  });
}
