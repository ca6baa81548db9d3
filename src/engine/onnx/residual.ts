/**
 * Finds the residual stream of a decoder graph by structure alone, without looking at a name of a node or value.
 *
 * At the boundary of two blocks everything that the logits depend on passes through one value, the residual stream: it
 * is a cut vertex of the value flow from the token embedding to the logits. Which boundary it is, the KV cache tells: the
 * last cut vertex above the keys of block N is what enters block N, since what lies between attention and MLP is
 * no ancestor of that block's keys and the boundary before is further away.
 *
 * resid[k] is what enters block k; resid[layers] leaves the last block and comes before the final norm.
 */
import { SteerscopeError } from "../../shared/errors.ts";
import { ElementType } from "./encode.ts";
import { findHead, type OutputHead } from "./outputHead.ts";
import { findCuts, joins, skipNorms, type Cuts } from "./valueFlow.ts";
import type { GraphScope } from "./scope.ts";

/**
 * Where the residual stream can be taken hold of: a value, or the sum inside a Skip*LayerNormalization node, which adds
 * its first two inputs, hands out their norm and, as output 3, the sum.
 */
export type Boundary =
  { readonly kind: "tensor"; readonly value: string } | { readonly kind: "skip"; readonly node: number };

export interface ResidualStream {
  /** [layers + 1] */
  readonly boundaries: readonly Boundary[];
  /** ElementType of each boundary. */
  readonly elementTypes: readonly number[];
  readonly head: OutputHead;
}

export interface DecoderEnds {
  readonly inputIds: string;
  readonly logits: string;
  /** All outputs that carry KV cache, in any order. */
  readonly cacheOutputs: readonly string[];
}

/** What the model's configuration says. */
export interface ExpectedShape {
  readonly layers: number;
  readonly hidden: number;
}

/** Steps through which a value stays the same. */
const passThrough = new Set(["Cast", "Identity"]);

const residualTypes = new Set<number>([ElementType.float32, ElementType.float16, ElementType.bfloat16]);

/**
 * The boundaries of `scope` (the graph, or a branch of a merged decoder), held against `expected` where that is known. Throws ModelUnsupported with the reason when
 * there is no residual stream to be sure of.
 */
export function findResidualStream(
  scope: GraphScope,
  ends: DecoderEnds,
  expected: ExpectedShape | null,
): ResidualStream {
  const cuts = findCuts(scope, ends.inputIds, ends.logits);
  const entries = blockEntries(scope, cuts, ends.cacheOutputs);
  if (expected !== null && entries.length !== expected.layers) {
    throw unsupported(
      `Its KV cache belongs to ${entries.length} blocks, but the configuration says ${expected.layers} layers.`,
    );
  }
  const last = lastBoundary(scope, cuts, entries);
  const positions = [...entries, last];
  const boundaries = positions.map((position) => boundaryAt(scope, cuts, position));
  const elementTypes = boundaries.map((boundary) => checkBoundary(scope, boundary, expected));
  checkUniform(scope, boundaries);
  return {
    boundaries,
    elementTypes,
    head: findHead(scope, cuts, leaving(scope, boundaries.at(-1)!), ends.logits),
  };
}

/** A value that comes at the last boundary or just after it, for what follows it. */
function leaving(scope: GraphScope, last: Boundary): string {
  return last.kind === "tensor" ? last.value : scope.nodes[last.node]!.outputs[0]!;
}

/** Positions among the cuts of what enters each block, in the order of the flow. */
function blockEntries(scope: GraphScope, cuts: Cuts, cacheOutputs: readonly string[]): number[] {
  const entries = new Set<number>();
  for (const output of cacheOutputs) {
    const position = cuts.lastAbove(output);
    if (position === null) {
      throw unsupported(
        `What block makes the cache “${output}” does not show: no value carries the whole stream there.`,
      );
    }
    entries.add(earliestEquivalent(scope, cuts, position));
  }
  return [...entries].sort((a, b) => a - b);
}

/** The first cut that holds the same numbers as the one at `position`: exporters interleave casts. */
function earliestEquivalent(scope: GraphScope, cuts: Cuts, position: number): number {
  let current = position;
  for (;;) {
    const node = nodeAt(scope, cuts, current);
    if (node === null) return current;
    if (passThrough.has(node.operator)) {
      const before = cuts.position(node.inputs[0]!);
      if (before === undefined) return current;
      current = before;
    } else if (skipNorms.has(node.operator) && typeof cuts.at(current) === "string") {
      const itself = cuts.position(scope.producers.get(cuts.at(current) as string)!);
      // Only output 3 is the stream; output 0 is a norm of it (and would be the stream of a post-norm decoder).
      return itself !== undefined && node.outputs[3] === cuts.at(current) ? itself : current;
    } else return current;
  }
}

/**
 * resid[layers]: as many joins (residual additions) after the last block's entry as every block has, then the same steps
 * that separate the last join of the block before from its boundary: none in most decoders, a norm where the norm comes
 * after the addition, a Reshape in OPT.
 */
function lastBoundary(scope: GraphScope, cuts: Cuts, entries: readonly number[]): number {
  const joinPositions = joins(scope, cuts);
  const between = (from: number, to: number): number[] =>
    joinPositions.filter((position) => position > from && position <= to);
  const blocks = entries.slice(1).map((to, index) => between(entries[index]!, to));
  const final = between(entries.at(-1)!, cuts.length);
  const expectedJoins = blocks[0]?.length ?? final.length;
  if (final.length === 0 || [...blocks, final].some((found) => found.length !== expectedJoins)) {
    throw unsupported(
      "Its blocks do not all add to the stream the same number of times, so where the last one ends is unclear.",
    );
  }
  const join = final.at(-1)!;
  const previousJoin = blocks.at(-1)?.at(-1);
  if (previousJoin === undefined) return join;
  return replay(scope, cuts, join, stepsBetween(scope, cuts, previousJoin, entries.at(-1)!));
}

/** Operators of the nodes that are cuts, after `join` up to `boundary`. */
function stepsBetween(scope: GraphScope, cuts: Cuts, join: number, boundary: number): string[] {
  return stepsAfter(scope, cuts, join)
    .filter((step) => step.position <= boundary)
    .map((step) => step.operator);
}

function replay(scope: GraphScope, cuts: Cuts, join: number, wanted: readonly string[]): number {
  if (wanted.length === 0) return join;
  const steps = stepsAfter(scope, cuts, join).slice(0, wanted.length);
  if (steps.length < wanted.length || steps.some((step, index) => step.operator !== wanted[index])) {
    throw unsupported("Its last block ends in another way than the blocks before.");
  }
  return steps.at(-1)!.position;
}

function stepsAfter(scope: GraphScope, cuts: Cuts, join: number): { operator: string; position: number }[] {
  const steps: { operator: string; position: number }[] = [];
  for (let position = join + 1; position < cuts.length; position++) {
    const vertex = cuts.at(position);
    if (typeof vertex === "string") continue;
    const { operator } = scope.nodes[vertex]!;
    if (!passThrough.has(operator)) steps.push({ operator, position });
  }
  return steps;
}

function boundaryAt(scope: GraphScope, cuts: Cuts, position: number): Boundary {
  const vertex = cuts.at(position);
  if (typeof vertex === "string") return { kind: "tensor", value: vertex };
  const node = scope.nodes[vertex]!;
  if (skipNorms.has(node.operator)) return { kind: "skip", node: vertex };
  // The embedding fused with the first norm: output 2 is the sum before it.
  const output = node.operator === "EmbedLayerNormalization" && node.outputs[2] ? 2 : 0;
  return { kind: "tensor", value: node.outputs[output]! };
}

/** Its ElementType. */
function checkBoundary(scope: GraphScope, boundary: Boundary, expected: ExpectedShape | null): number {
  const value = boundary.kind === "tensor" ? boundary.value : scope.nodes[boundary.node]!.inputs[0]!;
  const width = scope.width(value);
  if (expected !== null && width !== null && width !== expected.hidden) {
    throw unsupported(`Its residual stream is ${width} wide, but the configuration says ${expected.hidden}.`);
  }
  const elementType = scope.elementType(value);
  if (residualTypes.has(elementType)) return elementType;
  throw unsupported(
    "Its residual stream is not of a floating-point type that can be steered.",
    `type ${elementType}`,
  );
}

/** Every block must end in the same kind of operation; what differs may be something else than a block. */
function checkUniform(scope: GraphScope, boundaries: readonly Boundary[]): void {
  const operators = boundaries.slice(1).map((boundary) => {
    const index = boundary.kind === "skip" ? boundary.node : scope.producers.get(boundary.value);
    return index === undefined ? "" : `${boundary.kind} ${scope.nodes[index]!.operator}`;
  });
  if (operators.includes("") || new Set(operators).size > 1) {
    throw unsupported("Its blocks do not all end in the same kind of operation.", operators.join(", "));
  }
}

function nodeAt(scope: GraphScope, cuts: Cuts, position: number): GraphScope["nodes"][number] | null {
  const vertex = cuts.at(position);
  const index = typeof vertex === "string" ? scope.producers.get(vertex) : vertex;
  return index === undefined ? null : scope.nodes[index]!;
}

function unsupported(reason: string, detail?: string): SteerscopeError {
  return new SteerscopeError("ModelUnsupported", `This model's residual stream cannot be found. ${reason}`, {
    ...(detail === undefined ? {} : { detail }),
    remedy:
      "Use another export of the model: Optimum, the onnxruntime-genai builder, or its safetensors weights.",
  });
}
