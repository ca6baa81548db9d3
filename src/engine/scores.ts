/** Log-likelihoods under teacher forcing and two-choice scores, steered or not. */
import type { ChoiceScores, Steering } from "../shared/engineContract.ts";
import { SteerscopeError } from "../shared/errors.ts";
import { checkIds, readChunks } from "./prefill.ts";
import type { ModelSession } from "./session.ts";
import { sumOfExponentials } from "./sumOfExponentials.ts";
import { sharedPrefix } from "./tokenTrie.ts";

/** log(sum(exp(logits))) of one row, in float64. */
function logSumExp(logits: Float32Array): number {
  let largest = -Infinity;
  for (let i = 0; i < logits.length; i++) if (logits[i]! > largest) largest = logits[i]!;
  return largest + Math.log(sumOfExponentials(logits, largest));
}

/**
 * Natural-log probability of each token but the first, [tokens - 1]. Texts longer than the context are read in windows
 * that begin `stride` tokens apart; every token is scored once, by the first window that holds it (Hugging Face,
 * "Perplexity of fixed-length models"). Windows overlap by a token at least: the first token of a window is not scored
 * there. `promptLength` is what the steering's scope calls the prompt. Throws InvalidRequest or Cancelled.
 */
export async function logLikelihood(
  session: ModelSession,
  ids: Int32Array,
  options: {
    readonly steering: Steering | null;
    readonly promptLength: number;
    readonly stride: number;
    readonly signal: AbortSignal;
  },
): Promise<Float32Array> {
  const window = session.model.config.contextLength;
  const stride = Math.min(options.stride, window - 1);
  if (!Number.isInteger(stride) || stride < 1) {
    throw new SteerscopeError("InvalidRequest", "The stride must be a whole number of tokens, at least 1.");
  }
  for (let begin = 0; begin === 0 || begin < ids.length; begin += window) {
    checkIds(session, ids.subarray(begin, begin + window));
  }
  const scores = new Float32Array(Math.max(ids.length - 1, 0));
  let scored = 0;
  for (let begin = 0; scored < scores.length; begin += stride) {
    const part = ids.subarray(begin, begin + window);
    const firstTarget = scored + 1 - begin;
    await readChunks(session, {
      ids: part,
      steering: options.steering && countedFrom(options.steering, begin),
      promptLength: options.promptLength - begin,
      signal: options.signal,
      // The logits of token t score token t + 1.
      request: (start, tokens) => ({
        logitRows: rowsFrom(Math.max(firstTarget - 1 - start, 0), scoringRows(start, tokens, part)),
      }),
      onChunk: ({ logits }, start, tokens) => {
        const from = Math.max(firstTarget - 1 - start, 0);
        const rows = rowsFrom(from, scoringRows(start, tokens, part)).length;
        const vocabulary = rows === 0 ? 0 : logits.length / rows;
        for (let row = 0; row < rows; row++) {
          const target = start + from + row + 1;
          const own = logits.subarray(row * vocabulary, (row + 1) * vocabulary);
          scores[begin + target - 1] = own[part[target]!]! - logSumExp(own);
        }
      },
    });
    scored = begin + part.length - 1;
  }
  return scores;
}

/** The steering of a text for what begins at its token `begin`. */
function countedFrom(steering: Steering, begin: number): Steering {
  const { scope } = steering;
  if (typeof scope === "string") return steering;
  return { ...steering, scope: { from: scope.from - begin, to: scope.to - begin } };
}

/** Rows of a chunk that have a next token to score. */
function scoringRows(start: number, tokens: number, part: Int32Array): number {
  return Math.min(tokens, part.length - 1 - start);
}

function rowsFrom(from: number, to: number): Int32Array {
  return Int32Array.from({ length: Math.max(to - from, 0) }, (_, i) => from + i);
}

/**
 * Log-probabilities of the first token in which the choices differ, after the tokens that they share. Throws
 * InvalidRequest for fewer than two choices, or where one is the beginning of another.
 */
export async function scoreChoices(
  session: ModelSession,
  choices: readonly Int32Array[],
  options: {
    readonly steering: Steering | null;
    readonly promptLength: number;
    readonly signal: AbortSignal;
  },
): Promise<ChoiceScores> {
  const shared = sharedLength(choices);
  const targets = choices.map((ids) => ids[shared]);
  if (
    choices.length < 2 ||
    shared === 0 ||
    targets.includes(undefined) ||
    new Set(targets).size !== targets.length
  ) {
    throw new SteerscopeError(
      "InvalidRequest",
      "The choices of an item must differ in their first distinguishing token.",
      {
        remedy: "Give at least two choices, none of which begins like another one ends, such as A and B.",
      },
    );
  }
  const ids = choices[0]!.subarray(0, shared);
  checkIds(session, ids);
  let logits = new Float32Array(0);
  await readChunks(session, {
    ...options,
    ids,
    request: (start, tokens) =>
      start + tokens === ids.length ? { logitRows: Int32Array.of(tokens - 1) } : {},
    onChunk: (result) => {
      logits = Float32Array.from(result.logits);
    },
  });
  const total = logSumExp(logits);
  const logProbabilities = Float32Array.from(targets, (id) => logits[id!]! - total);
  const mass = logProbabilities.reduce((sum, value) => sum + Math.exp(value), 0);
  return { logProbabilities, neither: Math.max(0, 1 - mass) };
}

function sharedLength(choices: readonly Int32Array[]): number {
  const [first, ...others] = choices;
  if (first === undefined) return 0;
  return Math.min(first.length, ...others.map((other) => sharedPrefix(first, other)));
}
