/**
 * The flow of values from the token embedding to the logits, and its cut vertices: the nodes and values that everything
 * passes through. Shapes are no values: what is computed from the shape of an activation does not depend on it.
 */
import { SteerscopeError } from "../../shared/errors.ts";
import { readsOf, type GraphScope } from "./scope.ts";
import type { OnnxNode } from "./model.ts";

/** A node, by index, or a value, by name. */
export type Vertex = number | string;

/** Nodes that add their first two inputs, normalise the sum, and can hand out the sum as output 3. */
export const skipNorms: ReadonlySet<string> = new Set([
  "SkipLayerNormalization",
  "SkipSimplifiedLayerNormalization",
]);

/** Their outputs do not depend on the numbers in their inputs, only on their number. */
const shapeOnly = new Set(["Shape", "Size", "ConstantOfShape", "Range", "EyeLike"]);

/** Steps between the token ids and the look-up in the embedding table. */
const idSteps = new Set(["Cast", "Identity", "Reshape", "Unsqueeze", "Squeeze", "Flatten"]);

/** Cut vertices in the order of the flow. */
export interface Cuts {
  readonly length: number;
  at(position: number): Vertex;
  /** Position of a vertex, when it is a cut. */
  position(vertex: Vertex): number | undefined;
  /** Position of the last cut among the ancestors of a value, itself included; null when there is none. */
  lastAbove(value: string): number | null;
  reachesLogits(vertex: Vertex): boolean;
  /** Nodes between a value and the logits, in the order of the flow. */
  nodesAfter(value: string): readonly OnnxNode[];
}

/** Cut vertices between the embedding of `inputIds` and `logits`. Throws ModelUnsupported when nothing connects them. */
export function findCuts(scope: GraphScope, inputIds: string, logits: string): Cuts {
  const embeddings = embeddingNodes(scope, inputIds);
  const flow = flowFrom(scope, embeddings);
  const onPath = backFrom(scope, flow, logits);
  const path = flow.order.filter((vertex) => onPath.has(vertex));
  if (path.length === 0) {
    throw new SteerscopeError(
      "ModelUnsupported",
      "In this model the logits do not depend on a token embedding.",
      {
        remedy:
          "Choose the decoder's model.onnx; models that take embeddings or generate by themselves cannot be steered.",
      },
    );
  }
  const cuts = cutVertices(scope, path, embeddings);
  const positions = new Map(cuts.map((vertex, position) => [vertex, position]));
  return {
    length: cuts.length,
    at: (position) => cuts[position]!,
    position: (vertex) => positions.get(vertex),
    lastAbove: (value) => lastAbove(scope, flow.reached, positions, value),
    reachesLogits: (vertex) => onPath.has(vertex),
    nodesAfter: (value) => nodesAfter(scope, path, value),
  };
}

/** Nodes that look tokens up: Gather on the ids, with a plain or packed table, or fused with what follows. */
function embeddingNodes(scope: GraphScope, inputIds: string): Set<number> {
  const ids = new Set([inputIds]);
  const found = new Set<number>();
  scope.nodes.forEach((node, index) => {
    const [first = "", second = ""] = node.inputs;
    if (idSteps.has(node.operator) && ids.has(first)) ids.add(node.outputs[0]!);
    const isLookUp = node.operator === "Gather" || node.operator === "GatherBlockQuantized";
    if ((isLookUp && ids.has(second)) || (node.operator === "EmbedLayerNormalization" && ids.has(first))) {
      found.add(index);
    }
  });
  return found;
}

interface Flow {
  readonly reached: ReadonlySet<Vertex>;
  /** Each node before its outputs, everything after what it needs. */
  readonly order: readonly Vertex[];
}

function flowFrom(scope: GraphScope, sources: ReadonlySet<number>): Flow {
  const reached = new Set<Vertex>();
  const order: Vertex[] = [];
  scope.nodes.forEach((node, index) => {
    if (!sources.has(index) && !valuesRead(node).some((value) => reached.has(value))) return;
    for (const vertex of [index, ...node.outputs]) {
      if (vertex === "") continue;
      reached.add(vertex);
      order.push(vertex);
    }
  });
  return { reached, order };
}

function backFrom(scope: GraphScope, flow: Flow, logits: string): Set<Vertex> {
  const onPath = new Set<Vertex>(flow.reached.has(logits) ? [logits] : []);
  for (let index = scope.nodes.length - 1; index >= 0; index--) {
    const node = scope.nodes[index]!;
    if (!flow.reached.has(index) || !node.outputs.some((output) => onPath.has(output))) continue;
    onPath.add(index);
    for (const value of valuesRead(node)) if (flow.reached.has(value)) onPath.add(value);
  }
  return onPath;
}

/** One pass: a vertex is a cut when no edge, and no second embedding, passes over it. */
function cutVertices(scope: GraphScope, path: readonly Vertex[], embeddings: ReadonlySet<number>): Vertex[] {
  const place = new Map(path.map((vertex, index) => [vertex, index]));
  const furthestUse = new Array<number>(path.length).fill(-1);
  const use = (value: string, by: number): void => {
    const from = place.get(value);
    if (from !== undefined) furthestUse[from] = Math.max(furthestUse[from]!, by);
  };
  let reach = -1;
  path.forEach((vertex, index) => {
    if (typeof vertex === "string") return;
    if (embeddings.has(vertex)) reach = index;
    const node = scope.nodes[vertex]!;
    for (const value of valuesRead(node)) use(value, index);
    for (const output of node.outputs) {
      furthestUse[index] = Math.max(furthestUse[index]!, place.get(output) ?? -1);
    }
  });
  const cuts: Vertex[] = [];
  path.forEach((vertex, index) => {
    if (reach <= index) cuts.push(vertex);
    reach = Math.max(reach, furthestUse[index]!);
  });
  return cuts;
}

function lastAbove(
  scope: GraphScope,
  reached: ReadonlySet<Vertex>,
  positions: ReadonlyMap<Vertex, number>,
  value: string,
): number | null {
  const seen = new Set<Vertex>([value]);
  const open: Vertex[] = [value];
  let best: number | null = null;
  for (let vertex = open.pop(); vertex !== undefined; vertex = open.pop()) {
    const position = positions.get(vertex);
    if (position !== undefined) {
      best = Math.max(best ?? -1, position);
      continue;
    }
    const above: readonly (Vertex | undefined)[] =
      typeof vertex === "string" ? [scope.producers.get(vertex)] : valuesRead(scope.nodes[vertex]!);
    for (const next of above) {
      if (next === undefined || !reached.has(next) || seen.has(next)) continue;
      seen.add(next);
      open.push(next);
    }
  }
  return best;
}

/** Positions of the cuts that are additions of two parts of the flow. */
export function joins(scope: GraphScope, cuts: Cuts): number[] {
  const found: number[] = [];
  for (let position = 0; position < cuts.length; position++) {
    const vertex = cuts.at(position);
    if (typeof vertex === "number" && isJoin(scope.nodes[vertex]!, cuts)) found.push(position);
  }
  return found;
}

function isJoin(node: OnnxNode, cuts: Cuts): boolean {
  const summands = skipNorms.has(node.operator) ? node.inputs.slice(0, 2) : node.inputs;
  if (!skipNorms.has(node.operator) && node.operator !== "Add" && node.operator !== "Sum") return false;
  return summands.filter((value) => cuts.reachesLogits(value)).length >= 2;
}

function nodesAfter(scope: GraphScope, path: readonly Vertex[], value: string): OnnxNode[] {
  const start = path.indexOf(value);
  return path.slice(start + 1).flatMap((vertex) => (typeof vertex === "number" ? scope.nodes[vertex]! : []));
}

/** The values whose numbers a node's outputs depend on. */
function valuesRead(node: OnnxNode): readonly string[] {
  if (shapeOnly.has(node.operator)) return [];
  // CastLike takes only the type of its second input.
  return node.operator === "CastLike" ? node.inputs.slice(0, 1) : readsOf(node);
}
