/**
 * Turns a stock decoder graph into one that can be steered and read, in memory: its weights stay where they are. The
 * result equals the original bit for bit when nothing is steered.
 */
import { SteerscopeError } from "../../shared/errors.ts";
import {
  readInterface,
  type CacheTensor,
  type DecoderInputs,
  type DecoderInterface,
  type FloatType,
  type IntegerType,
} from "./decoderInterface.ts";
import { ElementType, encodeValueInfo } from "./encode.ts";
import { declareOutputs, graphNames, instrument, sharedHead, type InstrumentShape } from "./instrument.ts";
import { attributeOf, type OnnxGraph, type OnnxModel, type OnnxNode } from "./model.ts";
import {
  activationQuantisationOf,
  layoutOf,
  precisionOf,
  type ActivationQuantisation,
  type GraphLayout,
  type WeightPrecision,
} from "./provenance.ts";
import { findResidualStream, type ExpectedShape, type ResidualStream } from "./residual.ts";
import { ModelRewriter, type EditedNode, type GraphEdit } from "./rewrite.ts";
import { GraphScope } from "./scope.ts";
import type { HeadRows } from "./separateHead.ts";
import type { ByteSource } from "./wire.ts";

export { graphNames, type CacheTensor };

export interface PatchOptions {
  /** What the original file is called, relative to the folder of weights; "" when its weights are to be copied. */
  readonly weightsFile: string;
  /** What config.json says. */
  readonly hidden: number;
  readonly layers: number;
  readonly headDim: number;
  /** Outputs to keep beside the logits and the KV cache; all others are dropped. */
  readonly keepOutputs?: readonly string[];
}

export interface PatchedGraph {
  /** The whole model, to be loaded from memory with the folder of weights named beside it. */
  readonly bytes: Uint8Array;
  readonly layers: number;
  readonly layout: GraphLayout;
  readonly precision: WeightPrecision;
  readonly cache: readonly CacheTensor[];
  /** Every cache goes through GroupQueryAttention: fixed buffers may be shared by past and present, and a batch that has a past takes one new token a row. */
  readonly groupQueryAttention: boolean;
  /** [1, rows, vocabulary] */
  readonly logits: { readonly name: string; readonly elementType: FloatType };
  /** Where the output head may be cut off; null in a merged decoder, which has one in each branch. */
  readonly headRows: HeadRows | null;
  /** `numLogitsToKeep` must be fed 0 (all): which rows come out is for `logit_rows` to say. */
  readonly inputs: DecoderInputs;
  /** By name of the input. */
  readonly integerTypes: ReadonlyMap<string, IntegerType>;
  /** See OnnxModel. */
  readonly externalFiles: ReadonlyMap<string, number>;
  readonly activationQuantisation: ActivationQuantisation | null;
}

const oldestOpset = 11;

/**
 * Adds the inputs and outputs of `graphNames`. Throws ModelUnsupported, with the reason, for a graph that is no decoder or
 * whose residual stream cannot be found beyond doubt, and ModelCorrupt.
 */
export function patchGraph(model: OnnxModel, source: ByteSource, options: PatchOptions): PatchedGraph {
  const { graph } = model;
  const { ends, decoder, opset } = examine(model, options);
  const shape: InstrumentShape = {
    layers: options.layers,
    hidden: options.hidden,
    opset,
    elementType: decoder.elementType,
  };
  const head = sharedHead(shape);
  const body = decoder.write(shape);
  const edit: GraphEdit = {
    ...head,
    nodes: [...head.nodes, ...body.nodes],
    initializers: [...head.initializers, ...body.initializers],
    outputs: [
      encodeValueInfo(ends.logits.name, elementTypes[ends.logits.elementType], [
        1,
        "steerscope_rows",
        vocabularyOf(graph, ends),
      ]),
      ...graph.outputs
        .filter(
          ({ name }) => ends.cache.some((c) => c.output === name) || options.keepOutputs?.includes(name),
        )
        .map((output) => output.body),
      ...declareOutputs(shape, graphNames.readOut, graphNames.projections),
    ],
  };
  return {
    bytes: new ModelRewriter(source, options.weightsFile).write(model, edit),
    layers: options.layers,
    layout: layoutOf(model, decoder.isMerged),
    precision: precisionOf(graph),
    cache: ends.cache,
    groupQueryAttention: decoder.groupQueryAttention,
    logits: ends.logits,
    headRows: decoder.headRows,
    inputs: ends.inputs,
    integerTypes: ends.integerTypes,
    externalFiles: model.externalFiles,
    activationQuantisation: activationQuantisationOf(graph),
  };
}

/** Throws what `patchGraph` throws for a graph that no configuration can make steerable. */
export function checkSteerable(model: OnnxModel): void {
  examine(model, null);
}

/** `expected`: null before the configuration is known. */
function examine(
  model: OnnxModel,
  expected: (ExpectedShape & { readonly headDim: number }) | null,
): { readonly ends: DecoderInterface; readonly decoder: Decoder; readonly opset: number } {
  const { graph } = model;
  if (graph.inputs.some((input) => input.name === graphNames.steer)) {
    throw unsupported("It has been patched for steering before.", "Choose the original file.");
  }
  const scope = new GraphScope(graph);
  const ends = readInterface(scope, expected?.headDim ?? 0);
  const decoder = findDecoder(scope, ends, expected);
  const opset = model.opsets.get("") ?? 0;
  if (opset < oldestOpset)
    throw unsupported(`It uses ONNX operator set ${opset}; ${oldestOpset} or later is needed.`);
  return { ends, decoder, opset };
}

const elementTypes: Readonly<Record<FloatType, number>> = {
  float32: ElementType.float32,
  float16: ElementType.float16,
};

interface Decoder {
  readonly isMerged: boolean;
  readonly elementType: number;
  readonly groupQueryAttention: boolean;
  readonly headRows: HeadRows | null;
  write(shape: InstrumentShape): Pick<GraphEdit, "nodes" | "initializers">;
}

/** The graph itself, or the two branches of an `If` on `use_cache_branch` (merged decoders). */
function findDecoder(scope: GraphScope, ends: DecoderInterface, expected: ExpectedShape | null): Decoder {
  const branching = scope.producer(ends.logits.name);
  if (branching?.operator === "If") return mergedDecoder(scope, branching, ends, expected);
  const stream = findResidualStream(
    scope,
    {
      inputIds: ends.inputs.inputIds,
      logits: ends.logits.name,
      cacheOutputs: ends.cache.map((c) => c.output),
    },
    expected,
  );
  const steered = steeredType([stream]);
  return {
    isMerged: false,
    elementType: steered,
    groupQueryAttention: usesGroupQueryAttention(
      scope,
      ends.cache.map((c) => c.output),
    ),
    headRows: {
      name: stream.head.input,
      elementType: scope.elementType(stream.head.input) || steered,
      isMatrix: stream.head.takesMatrix,
    },
    write: (shape) => instrument(scope, stream, shape, ""),
  };
}

/** A branch has outputs of its own names, in the order of the node's. */
function mergedDecoder(
  scope: GraphScope,
  branching: OnnxNode,
  ends: DecoderInterface,
  expected: ExpectedShape | null,
): Decoder {
  const place = (output: string): number => branching.outputs.indexOf(output);
  const cachePlaces = ends.cache.map((cache) => place(cache.output));
  if (cachePlaces.includes(-1)) throw unsupported("Its branches do not give its KV cache.");
  const branches = ["then_branch", "else_branch"].map((attribute) => {
    const graph = attributeOf(branching, attribute)?.graph;
    const outputAt = (index: number): string => graph?.outputs[index]?.name ?? "";
    if (!graph) throw unsupported("One of its two branches is missing.");
    const branch = new GraphScope(graph, scope);
    const cacheOutputs = cachePlaces.map(outputAt);
    const logits = outputAt(place(ends.logits.name));
    const stream = findResidualStream(
      branch,
      { inputIds: ends.inputs.inputIds, logits, cacheOutputs },
      expected,
    );
    return { attribute, graph, branch, stream, logits, cacheOutputs };
  });
  return {
    isMerged: true,
    elementType: steeredType(branches.map(({ stream }) => stream)),
    groupQueryAttention: branches.every(({ branch, cacheOutputs }) =>
      usesGroupQueryAttention(branch, cacheOutputs),
    ),
    headRows: null,
    write(shape) {
      const edits = branches.map(({ attribute, graph, branch, stream, logits }): [string, GraphEdit] => {
        const { readOut, projections, ...edit } = instrument(branch, stream, shape, `${attribute}.`);
        const outputs = [
          ...graph.outputs.map((output) =>
            output.name === logits ? encodeValueInfo(output.name, output.elementType, null) : output.body,
          ),
          ...declareOutputs(shape, readOut, projections),
        ];
        return [attribute, { ...edit, outputs, inputs: [] }];
      });
      const edited: EditedNode = {
        node: branching,
        outputs: [...branching.outputs, graphNames.readOut, graphNames.projections],
        graphs: new Map(edits),
      };
      const nodes = scope.nodes.map((node) => (node === branching ? edited : { node }));
      return { nodes, initializers: [] };
    },
  };
}

/** One type for what is steered, in all branches. */
function steeredType(streams: readonly ResidualStream[]): number {
  const types = new Set(streams.flatMap((stream) => stream.elementTypes.slice(1)));
  if (types.size > 1) throw unsupported("Its residual stream changes its number type on the way.");
  return [...types][0]!;
}

function usesGroupQueryAttention(scope: GraphScope, cacheOutputs: readonly string[]): boolean {
  return cacheOutputs.every((output) => scope.producer(output)?.operator === "GroupQueryAttention");
}

function vocabularyOf(graph: OnnxGraph, ends: DecoderInterface): number | string {
  const declared = graph.outputs.find((output) => output.name === ends.logits.name)?.dims?.at(-1);
  return typeof declared === "number" && declared > 0 ? declared : "steerscope_vocabulary";
}

function unsupported(
  reason: string,
  remedy = "Use another export of the model, or its safetensors weights.",
): SteerscopeError {
  return new SteerscopeError("ModelUnsupported", `This model cannot be steered. ${reason}`, { remedy });
}
