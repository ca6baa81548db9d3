/** Capture on graphs with an attention bias: the whole trie runs as packed sequences (tokenTrie.ts), each token once. */
import type { CaptureInput, CaptureOptions, CaptureTarget } from "./capture.ts";
import { throwIfCancelled } from "./asyncEngine.ts";
import type { KvCache } from "./kvCache.ts";
import type { ModelSession } from "./session.ts";
import {
  buildTokenTrie,
  packTrie,
  runVisibility,
  spanReads,
  type PackedRun,
  type PlanStep,
  type RunRead,
} from "./tokenTrie.ts";

/** Longer sequences run slower: what a token cannot see is computed all the same, and masked (15 % at twice the length). */
export const packTokens = 256;

/** Adds every input's row to `target`; the number of tokens computed. Throws Cancelled. */
export async function capturePacked(
  session: ModelSession,
  inputs: readonly CaptureInput[],
  target: CaptureTarget,
  { signal, onProgress }: CaptureOptions,
): Promise<number> {
  const trie = buildTokenTrie(inputs.map(({ ids }) => ids));
  const plan = packTrie(trie, packTokens);
  const reads = spanReads(
    plan,
    inputs.map(({ span }) => span),
  );
  const capacity = Math.max(...inputs.map(({ ids }) => ids.length));
  let done = 0;
  onProgress(done, trie.distinctTokens);

  const execute = async (
    run: PackedRun,
    cache: KvCache | null,
    keepCache: boolean,
  ): Promise<KvCache | null> => {
    throwIfCancelled(signal);
    const own = reads[run.index]!;
    const tokens = run.tokens.length;
    const result = await session.run({
      batch: 1,
      tokens,
      ids: run.tokens,
      positions: run.positions,
      visible: runVisibility(run),
      cache,
      keepCache,
      steering: null,
      pool: { weights: spanWeights(own, inputs, tokens), count: own.length },
    });
    own.forEach((read, pool) => {
      const part = { input: read.input, tokens: read.to - read.from };
      target.add(part, result.pooled, 1, 0, own.length, pool);
    });
    done += tokens;
    onProgress(done, trie.distinctTokens);
    return result.cache;
  };

  // Depth first and one after the other, as fixed caches require.
  const open: { step: PlanStep; cache: KvCache | null }[] = [{ step: plan.root, cache: null }];
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    const { step } = entry;
    let { cache } = entry;
    if (step.context !== null) {
      const isLast = step.packs.length === 0 && step.children.length === 0;
      cache = await execute(step.context, cache ?? (isLast ? null : session.newCache(1, capacity)), !isLast);
    }
    for (const pack of step.packs) await execute(pack, cache, false);
    for (const child of step.children.toReversed()) open.push({ step: child, cache });
  }
  return trie.distinctTokens;
}

/** One pool a read, [reads, tokens]: each token of a span weighs 1 / length of the whole span. */
function spanWeights(
  reads: readonly RunRead[],
  inputs: readonly CaptureInput[],
  tokens: number,
): Float32Array {
  const weights = new Float32Array(reads.length * tokens);
  reads.forEach(({ input, from, to }, pool) => {
    weights.fill(spanWeight(inputs[input]!), pool * tokens + from, pool * tokens + to);
  });
  return weights;
}

/** What each token of an input's span contributes to its row. */
export function spanWeight({ span }: CaptureInput): number {
  return 1 / (span.end - span.start);
}
