import { SteerscopeError } from "./errors.ts";

/**
 * Which token's activation an example contributes. Spelled `last` (default), `last-K` (K tokens before the last),
 * `mean` (mean over the tokens of the text), `mean-completion` (the same, and every example must have a prompt of its own), or a
 * token index counted from the start of the input.
 */
export type ReadPosition =
  | { readonly kind: "last"; readonly back: number }
  | { readonly kind: "mean" }
  | { readonly kind: "mean-completion" }
  | { readonly kind: "index"; readonly index: number };

/** Tokens [start, end) whose residual-stream rows are averaged; end - start = 1 reads one token. */
export interface TokenSpan {
  readonly start: number;
  readonly end: number;
}

export const defaultReadPosition: ReadPosition = { kind: "last", back: 0 };

/** Reads the spelling above. Throws InvalidRequest. */
export function parseReadPosition(spelling: string): ReadPosition {
  if (spelling === "last") return { kind: "last", back: 0 };
  if (spelling === "mean" || spelling === "mean-completion") return { kind: spelling };
  const back = /^last-(\d{1,6})$/.exec(spelling);
  if (back) return { kind: "last", back: Number(back[1]) };
  if (/^\d{1,6}$/.test(spelling)) return { kind: "index", index: Number(spelling) };
  throw new SteerscopeError("InvalidRequest", `"${spelling}" is not a read position.`, {
    remedy: "Use last, last-K, mean, mean-completion, or a token index such as 5.",
  });
}

/** The inverse of `parseReadPosition`. */
export function formatReadPosition(position: ReadPosition): string {
  switch (position.kind) {
    case "last":
      return position.back === 0 ? "last" : `last-${position.back}`;
    case "index":
      return String(position.index);
    case "mean":
    case "mean-completion":
      return position.kind;
  }
}

/** What of an input a read position depends on. */
export interface ReadableInput {
  /** Tokens of the whole input: template, prompt and text. */
  readonly length: number;
  /** Tokens [textStart, textEnd) are the text's own. */
  readonly textStart: number;
  readonly textEnd: number;
  /** See `hasPrompt` of tokenInput.ts. */
  readonly hasPrompt: boolean;
}

/**
 * The span of tokens that a read position hits. Throws ExampleSetInvalid where the input is too short, has no text, or
 * lacks a prompt that the position asks for.
 */
export function resolveReadPosition(
  position: ReadPosition,
  { length, textStart, textEnd, hasPrompt }: ReadableInput,
): TokenSpan {
  switch (position.kind) {
    case "last":
    case "index": {
      const index = position.kind === "last" ? length - 1 - position.back : position.index;
      if (index < 0 || index >= length) {
        throw new SteerscopeError(
          "ExampleSetInvalid",
          `Read position ${formatReadPosition(position)} is outside an example of ${length} tokens.`,
          { remedy: "Choose a read position that every example has, such as last." },
        );
      }
      return { start: index, end: index + 1 };
    }
    case "mean":
    case "mean-completion": {
      if (position.kind === "mean-completion" && !hasPrompt) {
        throw new SteerscopeError(
          "ExampleSetInvalid",
          "mean-completion needs a prompt before the text of every example.",
          {
            remedy: "Give each example a prompt, or use mean.",
          },
        );
      }
      if (textStart >= textEnd) {
        throw new SteerscopeError(
          "ExampleSetInvalid",
          "An example has no text of its own to take a mean over.",
          { remedy: "Give each example a text, or read at last." },
        );
      }
      return { start: textStart, end: textEnd };
    }
  }
}
