/**
 * Capture on stock graphs: each distinct prefix is prefilled once, and what follows runs on its KV cache. Tails batch as
 * far as the graph can: without a prefix always; on a prefix any graph but GroupQueryAttention, which then takes one
 * new token a row ("batch_size must be 1 when sequence_length > 1 and past context is given", seen at run time).
 */
import type { CaptureInput, CaptureOptions, CaptureTarget } from "./capture.ts";
import { throwIfCancelled } from "./asyncEngine.ts";
import { spanWeight } from "./capturePacked.ts";
import { repeatCache, type KvCache } from "./kvCache.ts";
import { chunkTokens } from "./prefill.ts";
import type { ModelSession } from "./session.ts";
import { buildTokenTrie, type TokenTrie, type TrieNode } from "./tokenTrie.ts";

/** Tokens of a batch, padding included, and of the KV copies that it runs on. */
const batchTokens = 1024;
const batchCacheTokens = 16_384;

/** Adds every input's row to `target`; the number of tokens computed (padding not counted). Throws Cancelled. */
export async function captureByPrefix(
  session: ModelSession,
  inputs: readonly CaptureInput[],
  target: CaptureTarget,
  options: CaptureOptions,
): Promise<number> {
  const trie = buildTokenTrie(inputs.map(({ ids }) => ids));
  const capacity = Math.max(...inputs.map(({ ids }) => ids.length));
  const run = new PrefixCapture(session, trie, inputs, target, options);
  const open: { index: number; cache: KvCache | null }[] = [{ index: 0, cache: null }];
  // Depth first and one after the other, as fixed caches require.
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    const node = trie.nodes[entry.index]!;
    let { cache } = entry;
    if (node.tokens.length > 0) {
      cache = await run.edge(entry.index, cache ?? session.newCache(1, capacity), node.children.length > 0);
    }
    const { batches, others } = run.plan(node);
    for (const batch of batches) await run.tails(batch, cache);
    for (const child of others.toReversed()) open.push({ index: child, cache });
  }
  return trie.distinctTokens;
}

interface EdgeRead {
  readonly input: number;
  /** Tokens of the edge. */
  readonly from: number;
  readonly to: number;
}

class PrefixCapture {
  readonly #session: ModelSession;
  readonly #trie: TokenTrie;
  readonly #inputs: readonly CaptureInput[];
  readonly #target: CaptureTarget;
  readonly #options: CaptureOptions;
  readonly #reads: readonly (readonly EdgeRead[])[];
  #done = 0;

  constructor(
    session: ModelSession,
    trie: TokenTrie,
    inputs: readonly CaptureInput[],
    target: CaptureTarget,
    options: CaptureOptions,
  ) {
    this.#session = session;
    this.#trie = trie;
    this.#inputs = inputs;
    this.#target = target;
    this.#options = options;
    this.#reads = edgeReads(trie, inputs);
    options.onProgress(0, trie.distinctTokens);
  }

  /** Children that run together as batches of tails, and those that are visited one by one. */
  plan(node: TrieNode): { batches: number[][]; others: number[] } {
    const past = node.start + node.tokens.length;
    const width = (child: number): number => this.#trie.nodes[child]!.tokens.length;
    const canBatch = (child: number): boolean => {
      if (this.#trie.nodes[child]!.children.length > 0 || width(child) > chunkTokens) return false;
      return past === 0 || width(child) === 1 || !this.#session.model.graph.groupQueryAttention;
    };
    const tails = node.children.filter(canBatch).sort((a, b) => width(a) - width(b));
    const batches: number[][] = [];
    let batch: number[] = [];
    for (const tail of tails) {
      const rows = batch.length + 1;
      if (batch.length > 0 && (rows * width(tail) > batchTokens || rows * past > batchCacheTokens)) {
        batches.push(batch);
        batch = [];
      }
      batch.push(tail);
    }
    if (batch.length > 0) batches.push(batch);
    return { batches, others: node.children.filter((child) => !canBatch(child)) };
  }

  /** One node's edge at batch 1, in chunks. */
  async edge(index: number, start: KvCache, keepCache: boolean): Promise<KvCache | null> {
    const { tokens } = this.#trie.nodes[index]!;
    let cache: KvCache | null = start;
    for (let at = 0; at < tokens.length; at += chunkTokens) {
      throwIfCancelled(this.#options.signal);
      const chunk = tokens.subarray(at, at + chunkTokens);
      const reads = this.#reads[index]!.flatMap(({ input, from, to }) => {
        const part = { input, from: Math.max(from - at, 0), to: Math.min(to - at, chunk.length) };
        return part.from < part.to ? [part] : [];
      });
      const weights = new Float32Array(reads.length * chunk.length);
      reads.forEach(({ input, from, to }, pool) => {
        const row = pool * chunk.length;
        weights.fill(spanWeight(this.#inputs[input]!), row + from, row + to);
      });
      const result = await this.#session.run({
        batch: 1,
        tokens: chunk.length,
        ids: chunk,
        cache,
        keepCache: keepCache || at + chunkTokens < tokens.length,
        steering: null,
        pool: { weights, count: reads.length },
      });
      reads.forEach(({ input, from, to }, pool) => {
        this.#target.add({ input, tokens: to - from }, result.pooled, 1, 0, reads.length, pool);
      });
      cache = result.cache;
      this.#progress(chunk.length);
    }
    return cache;
  }

  /** The edges of several leaves as one batch on the same prefix. */
  async tails(batch: readonly number[], prefix: KvCache | null): Promise<void> {
    throwIfCancelled(this.#options.signal);
    const edges = batch.map((index) => this.#trie.nodes[index]!.tokens);
    const lengths = Int32Array.from(edges, (edge) => edge.length);
    const tokens = Math.max(...lengths);
    const ids = new Int32Array(batch.length * tokens);
    edges.forEach((edge, row) => {
      ids.set(edge, row * tokens);
    });
    const reads = batch.map((index) => this.#reads[index]!);
    const pools = Math.max(...reads.map((own) => own.length));
    const weights = new Float32Array(batch.length * pools * tokens);
    reads.forEach((own, row) => {
      own.forEach(({ input, from, to }, pool) => {
        const at = (row * pools + pool) * tokens;
        weights.fill(spanWeight(this.#inputs[input]!), at + from, at + to);
      });
    });
    const { cache: specs } = this.#session.model.graph;
    const room = this.#session.hasFixedCache && prefix !== null ? prefix.length + tokens : 0;
    const result = await this.#session.run({
      batch: batch.length,
      tokens,
      ids,
      lengths,
      cache: prefix && (batch.length === 1 ? prefix : repeatCache(specs, prefix, batch.length, room)),
      keepCache: false,
      steering: null,
      pool: { weights, count: pools },
    });
    reads.forEach((own, row) => {
      own.forEach(({ input, from, to }, pool) => {
        this.#target.add({ input, tokens: to - from }, result.pooled, batch.length, row, pools, pool);
      });
    });
    this.#progress(lengths.reduce((sum, length) => sum + length, 0));
  }

  #progress(tokens: number): void {
    this.#done += tokens;
    this.#options.onProgress(this.#done, this.#trie.distinctTokens);
  }
}

/** By node: which inputs' spans lie on its edge. */
function edgeReads({ nodes, lastNode }: TokenTrie, inputs: readonly CaptureInput[]): EdgeRead[][] {
  const reads: EdgeRead[][] = nodes.map(() => []);
  inputs.forEach(({ span }, input) => {
    for (let index = lastNode[input]!; index > 0; index = nodes[index]!.parent) {
      const { start, tokens } = nodes[index]!;
      const from = Math.max(span.start - start, 0);
      const to = Math.min(span.end - start, tokens.length);
      if (from < to) reads[index]!.push({ input, from, to });
    }
  });
  return reads;
}
