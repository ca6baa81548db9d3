/** Turns generated tokens into text as they come, without ever giving half a character. */
export interface StreamDecoder {
  /** The text that one more token decides; empty while a character is incomplete. */
  push(id: number): string;
  /** What was still held back: bytes that never became a character, as U+FFFD. */
  end(): string;
}

/**
 * Tokens that are decoded again with each new one. Decoders look at their neighbours only to join bytes into characters
 * and to drop a space in front of everything, so a few are enough; more than one character's bytes must fit.
 */
const keptTokens = 8;
const maximumWindow = 24;

const incompleteEnd = /\uFFFD+$/;

/**
 * Text of the tokens that follow `promptIds`: the concatenation of all that it gives is what decoding prompt and
 * continuation together has more than decoding the prompt alone. `decode` leaves special tokens out; `isTextless` tells
 * tokens that it leaves out.
 */
export function createStreamDecoder(
  promptIds: ArrayLike<number>,
  decode: (ids: readonly number[]) => string,
  isTextless: (id: number) => boolean,
): StreamDecoder {
  let window: number[] = [];
  for (let i = promptIds.length - 1; i >= 0 && window.length < keptTokens; i--) {
    const id = promptIds[i]!;
    if (!isTextless(id)) window.unshift(id);
  }
  const promptText = decode(window);
  /** Text of the window that has been given, or belongs to the prompt. */
  let given = promptText.replace(incompleteEnd, "");
  /** U+FFFD at the prompt's end: a character that the continuation may complete, else the prompt's own. */
  let openInPrompt = promptText.length - given.length;
  const withoutPromptEnd = (fresh: string): string => {
    let own = 0;
    while (own < openInPrompt && fresh[own] === "\uFFFD") own++;
    openInPrompt = 0;
    return fresh.slice(own);
  };

  return {
    push(id) {
      if (isTextless(id)) return "";
      window.push(id);
      const text = decode(window);
      const complete = text.replace(incompleteEnd, "");
      if (complete.length <= given.length) return "";
      const fresh = withoutPromptEnd(complete.slice(given.length));
      given = complete;
      // Only at a character's end can tokens be forgotten: their bytes would be missing from the next decoding.
      if (window.length > maximumWindow && text === complete) {
        window = window.slice(-keptTokens);
        given = decode(window).replace(incompleteEnd, "");
      }
      return fresh;
    },
    end() {
      return withoutPromptEnd(decode(window).slice(given.length));
    },
  };
}
