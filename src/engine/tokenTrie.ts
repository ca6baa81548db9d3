/**
 * What many inputs have in common, so that it is computed once: a trie of token ids with compressed edges, and a plan
 * that runs it in packed sequences of bounded length. In a packed sequence each token sees the context before the
 * sequence and its own ancestors only; its position is its place in its input.
 */
import { SteerscopeError } from "../shared/errors.ts";
import type { TokenSpan } from "../shared/readPosition.ts";

export interface TrieNode {
  /** Index of the parent in `TokenTrie.nodes`; -1 for the root. */
  readonly parent: number;
  readonly children: readonly number[];
  /** Tokens on the edge that leads here; only the root's edge is empty. */
  readonly tokens: Int32Array;
  /** Position of the edge's first token in every input that passes. */
  readonly start: number;
  /** Inputs whose last token is the edge's last. */
  readonly ends: readonly number[];
  /** Tokens on this edge and all below. */
  readonly subtreeTokens: number;
  /** Nodes below and including this one: nodes[i .. i + size) is the subtree of node i. */
  readonly size: number;
}

export interface TokenTrie {
  /** In preorder; node 0 is the root. */
  readonly nodes: readonly TrieNode[];
  /** [inputs]: the node at which each input ends. */
  readonly lastNode: Int32Array;
  /** Tokens of all inputs, and of all edges. */
  readonly totalTokens: number;
  readonly distinctTokens: number;
}

/** A node while the trie grows: an edge is tokens [start, end) of the input `source`. */
interface Growing {
  source: Int32Array;
  start: number;
  end: number;
  children: Growing[];
  ends: number[];
}

/**
 * The trie of `inputs`. Inputs in lexicographic order share the longest prefixes with their neighbours, so one pass with
 * the path to the last input at hand is enough. Throws InvalidRequest for an input without tokens.
 */
export function buildTokenTrie(inputs: readonly Int32Array[]): TokenTrie {
  const empty = inputs.findIndex((tokens) => tokens.length === 0);
  if (empty >= 0) {
    throw new SteerscopeError("InvalidRequest", `Input ${empty + 1} has no tokens.`, {
      remedy: "Give every example some text.",
    });
  }
  const order = inputs.map((_, input) => input);
  order.sort((a, b) => compareTokens(inputs[a]!, inputs[b]!) || a - b);
  const root: Growing = { source: new Int32Array(0), start: 0, end: 0, children: [], ends: [] };
  const path = [root];
  let previous = root.source;
  for (const input of order) {
    const tokens = inputs[input]!;
    const shared = sharedPrefix(previous, tokens);
    while (path.length > 1 && path.at(-1)!.start >= shared) path.pop();
    const last = path.at(-1)!;
    if (last.end > shared) splitEdge(last, shared);
    if (tokens.length > shared) {
      const leaf: Growing = { source: tokens, start: shared, end: tokens.length, children: [], ends: [] };
      last.children.push(leaf);
      path.push(leaf);
    }
    path.at(-1)!.ends.push(input);
    previous = tokens;
  }
  return freeze(root, inputs);
}

function compareTokens(a: Int32Array, b: Int32Array): number {
  const shared = sharedPrefix(a, b);
  if (shared === a.length || shared === b.length) return a.length - b.length;
  return a[shared]! - b[shared]!;
}

/** How many tokens two inputs begin with in common. */
export function sharedPrefix(a: Int32Array, b: Int32Array): number {
  const limit = Math.min(a.length, b.length);
  let length = 0;
  while (length < limit && a[length] === b[length]) length++;
  return length;
}

/** Shortens the edge of `node` to end at position `at`; what followed moves into a new only child. */
function splitEdge(node: Growing, at: number): void {
  const lower: Growing = {
    source: node.source,
    start: at,
    end: node.end,
    children: node.children,
    ends: node.ends,
  };
  node.end = at;
  node.children = [lower];
  node.ends = [];
}

/** Numbers the nodes in preorder and sums up subtrees, without recursion: a trie can be as deep as its longest input. */
function freeze(root: Growing, inputs: readonly Int32Array[]): TokenTrie {
  type Draft = { -readonly [K in keyof TrieNode]: TrieNode[K] } & { children: number[] };
  const nodes: Draft[] = [];
  const lastNode = new Int32Array(inputs.length);
  const open: { node: Growing; parent: number }[] = [{ node: root, parent: -1 }];
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    const { node, parent } = entry;
    const index = nodes.length;
    nodes.push({
      parent,
      children: [],
      tokens: node.source.subarray(node.start, node.end),
      start: node.start,
      ends: node.ends,
      subtreeTokens: node.end - node.start,
      size: 1,
    });
    nodes[parent]?.children.push(index);
    for (const input of node.ends) lastNode[input] = index;
    for (let i = node.children.length - 1; i >= 0; i--) open.push({ node: node.children[i]!, parent: index });
  }
  for (let index = nodes.length - 1; index > 0; index--) {
    const { parent, subtreeTokens, size } = nodes[index]!;
    nodes[parent]!.subtreeTokens += subtreeTokens;
    nodes[parent]!.size += size;
  }
  return {
    nodes,
    lastNode,
    totalTokens: inputs.reduce((total, tokens) => total + tokens.length, 0),
    distinctTokens: nodes[0]!.subtreeTokens,
  };
}

/** Tokens that run as one sequence of batch 1. */
export interface PackedRun {
  /** Place in `TriePlan.runs`, which is the order of execution. */
  readonly index: number;
  /** Tokens of KV context before the run: its inputs' tokens [0, past). */
  readonly past: number;
  readonly tokens: Int32Array;
  /** [tokens]: place of each token in its input. */
  readonly positions: Int32Array;
  /** [tokens]: index in the run of the token before it in its input; -1: the context's last. Always smaller than its own. */
  readonly parents: Int32Array;
  /** Inputs whose last token is in the run, and where. */
  readonly ends: readonly { readonly input: number; readonly index: number }[];
}

/** First `context` extends the KV context by a chain of tokens; on the extended context run all packs, then all children. */
export interface PlanStep {
  readonly context: PackedRun | null;
  readonly packs: readonly PackedRun[];
  readonly children: readonly PlanStep[];
}

export interface TriePlan {
  readonly root: PlanStep;
  readonly runs: readonly PackedRun[];
  readonly trie: TokenTrie;
  /** By node: the runs that compute its edge, in the order of its tokens. */
  readonly pieces: readonly (readonly EdgePiece[])[];
}

/** Tokens [start, start + length) of the inputs that pass, computed at [index, index + length) of a run. */
interface EdgePiece {
  readonly run: number;
  readonly index: number;
  readonly start: number;
  readonly length: number;
}

/**
 * Plans runs of at most `budget` tokens that compute every token of the trie exactly once. A subtree that fits is part
 * of one pack, together with sibling subtrees; where one does not fit, its edge becomes KV context for what is below.
 * Throws InvalidRequest for a budget below 1.
 */
export function packTrie(trie: TokenTrie, budget: number): TriePlan {
  if (!Number.isInteger(budget) || budget < 1) {
    throw new SteerscopeError("InvalidRequest", `A run of ${budget} tokens is not possible.`);
  }
  const { nodes } = trie;
  const planner = new Planner(nodes);
  const root: { context: PackedRun | null; packs: PackedRun[]; children: PlanStep[] } = emptyStep(null);
  if (nodes[0]!.subtreeTokens <= budget) {
    if (nodes.length > 1) root.packs.push(planner.pack(nodes[0]!.children, 0));
    return planner.finish(root, trie);
  }
  const open = [{ node: 0, into: root }];
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    const { children, tokens } = nodes[entry.node]!;
    let step = entry.into;
    const count = Math.ceil(tokens.length / budget);
    for (let piece = 0; piece < count; piece++) {
      const from = Math.floor((tokens.length * piece) / count);
      const to = Math.floor((tokens.length * (piece + 1)) / count);
      const next = emptyStep(planner.chain(entry.node, from, to));
      step.children.push(next);
      step = next;
    }
    const past = nodes[entry.node]!.start + tokens.length;
    const small = children.filter((child) => nodes[child]!.subtreeTokens <= budget);
    for (const group of groupBySize(small, nodes, budget)) step.packs.push(planner.pack(group, past));
    for (const child of children)
      if (nodes[child]!.subtreeTokens > budget) open.push({ node: child, into: step });
  }
  return planner.finish(root, trie);
}

function emptyStep(context: PackedRun | null): {
  context: PackedRun | null;
  packs: PackedRun[];
  children: PlanStep[];
} {
  return { context, packs: [], children: [] };
}

/** Groups of subtrees with at most `budget` tokens each: the largest left, then what still fits from both ends. */
function groupBySize(subtrees: readonly number[], nodes: readonly TrieNode[], budget: number): number[][] {
  const sorted = [...subtrees].sort((a, b) => nodes[b]!.subtreeTokens - nodes[a]!.subtreeTokens || a - b);
  const groups: number[][] = [];
  let first = 0;
  let last = sorted.length - 1;
  while (first <= last) {
    const group: number[] = [];
    let room = budget;
    const take = (subtree: number): boolean => {
      const { subtreeTokens } = nodes[subtree]!;
      if (subtreeTokens > room) return false;
      room -= subtreeTokens;
      group.push(subtree);
      return true;
    };
    while (first <= last && take(sorted[first]!)) first++;
    while (first <= last && take(sorted[last]!)) last--;
    groups.push(group);
  }
  return groups;
}

class Planner {
  readonly #nodes: readonly TrieNode[];
  readonly #runs: PackedRun[] = [];
  readonly #pieces: EdgePiece[][];

  constructor(nodes: readonly TrieNode[]) {
    this.#nodes = nodes;
    this.#pieces = nodes.map(() => []);
  }

  finish(root: PlanStep, trie: TokenTrie): TriePlan {
    return { root, runs: this.#runs, trie, pieces: this.#pieces };
  }

  /** Tokens [from, to) of a node's edge as KV context. */
  chain(index: number, from: number, to: number): PackedRun {
    const { tokens, start, ends } = this.#nodes[index]!;
    const length = to - from;
    this.#pieces[index]!.push({ run: this.#runs.length, index: 0, start: start + from, length });
    return this.#add({
      past: start + from,
      tokens: tokens.subarray(from, to),
      positions: Int32Array.from({ length }, (_, i) => start + from + i),
      parents: Int32Array.from({ length }, (_, i) => i - 1),
      ends: to === tokens.length ? ends.map((input) => ({ input, index: length - 1 })) : [],
    });
  }

  /** Whole subtrees on a common context of `past` tokens. */
  pack(subtrees: readonly number[], past: number): PackedRun {
    const length = subtrees.reduce((total, node) => total + this.#nodes[node]!.subtreeTokens, 0);
    const tokens = new Int32Array(length);
    const positions = new Int32Array(length);
    const parents = new Int32Array(length);
    const ends: { input: number; index: number }[] = [];
    let at = 0;
    for (const subtree of subtrees) {
      for (let index = subtree; index < subtree + this.#nodes[subtree]!.size; index++) {
        const node = this.#nodes[index]!;
        const before = index === subtree ? undefined : this.#pieces[node.parent]!.at(-1);
        tokens.set(node.tokens, at);
        for (let i = 0; i < node.tokens.length; i++) {
          positions[at + i] = node.start + i;
          parents[at + i] = at + i - 1;
        }
        parents[at] = before === undefined ? -1 : before.index + before.length - 1;
        this.#pieces[index]!.push({
          run: this.#runs.length,
          index: at,
          start: node.start,
          length: node.tokens.length,
        });
        at += node.tokens.length;
        for (const input of node.ends) ends.push({ input, index: at - 1 });
      }
    }
    return this.#add({ past, tokens, positions, parents, ends });
  }

  #add(run: Omit<PackedRun, "index">): PackedRun {
    const added = { index: this.#runs.length, ...run };
    this.#runs.push(added);
    return added;
  }
}

/** Tokens [from, to) of a run are consecutive tokens of input `input`'s span. */
export interface RunRead {
  readonly input: number;
  readonly from: number;
  readonly to: number;
}

/** Where the span of each input is computed: a list of reads for each run of the plan. Spans: one an input. */
export function spanReads(plan: TriePlan, spans: readonly TokenSpan[]): RunRead[][] {
  const { nodes, lastNode } = plan.trie;
  const reads: RunRead[][] = plan.runs.map(() => []);
  spans.forEach((span, input) => {
    for (let index = lastNode[input]!; index > 0; index = nodes[index]!.parent) {
      const node = nodes[index]!;
      if (node.start + node.tokens.length <= span.start) break;
      for (const piece of plan.pieces[index]!) {
        const from = Math.max(span.start, piece.start);
        const to = Math.min(span.end, piece.start + piece.length);
        const shift = piece.index - piece.start;
        if (from < to) reads[piece.run]!.push({ input, from: from + shift, to: to + shift });
      }
    }
  });
  return reads;
}

/** [tokens, past + tokens]: 1 where a token of the run (row) sees a token of the context or of the run (column). */
export function runVisibility(run: PackedRun): Uint8Array {
  const { past, parents } = run;
  const width = past + parents.length;
  const visible = new Uint8Array(parents.length * width);
  for (let token = 0; token < parents.length; token++) {
    const row = token * width;
    const parent = parents[token]!;
    if (parent < 0) visible.fill(1, row, row + past);
    else visible.copyWithin(row, parent * width, parent * width + past + parent + 1);
    visible[row + past + token] = 1;
  }
  return visible;
}
