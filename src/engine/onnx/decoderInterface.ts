/**
 * What a decoder graph takes and gives. Here, and only here, names count: they are the convention by which exporters and
 * runtimes agree on token ids, masks, positions and KV cache.
 */
import { SteerscopeError } from "../../shared/errors.ts";
import { ElementType } from "./encode.ts";
import { allNodes, type OnnxGraph, type OnnxValue } from "./model.ts";
import type { GraphScope } from "./scope.ts";

export type FloatType = "float32" | "float16";
export type IntegerType = "int32" | "int64";

/** One past input and the present output that follows it. `dims` marks the axes that grow. */
export interface CacheTensor {
  readonly input: string;
  readonly output: string;
  readonly elementType: FloatType;
  readonly dims: readonly (number | "batch" | "past")[];
}

export interface DecoderInputs {
  readonly inputIds: string;
  readonly attentionMask: string | null;
  readonly positionIds: string | null;
  readonly useCacheBranch: string | null;
  readonly numLogitsToKeep: string | null;
  readonly attentionBias: string | null;
}

export interface DecoderInterface {
  readonly inputs: DecoderInputs;
  /** Of token ids, masks, positions and counts, by name of the input. */
  readonly integerTypes: ReadonlyMap<string, IntegerType>;
  readonly logits: { readonly name: string; readonly elementType: FloatType };
  readonly cache: readonly CacheTensor[];
}

const inputNames: Readonly<Record<string, keyof DecoderInputs>> = {
  input_ids: "inputIds",
  attention_mask: "attentionMask",
  position_ids: "positionIds",
  use_cache_branch: "useCacheBranch",
  num_logits_to_keep: "numLogitsToKeep",
  logits_to_keep: "numLogitsToKeep",
  attention_bias: "attentionBias",
};

/** Operators that run a whole generation inside the graph (com.microsoft). */
const generationOperators = new Set(["BeamSearch", "GreedySearch", "Sampling", "WhisperBeamSearch"]);

/** Operators with a kernel for GPUs only, and what they are for people. */
const missingOperators: Readonly<Record<string, string>> = {
  PagedAttention: "paged attention",
  GemmaRotaryEmbedding: "a rotary embedding for GPUs",
};

/** GroupQueryAttention inputs from here on: scales of a quantised cache, then norms of queries and keys fused into it. */
const firstFusedInput = 12;

/** Classifies inputs and outputs. Throws ModelUnsupported for what is no decoder that can be driven token by token. */
export function readInterface(scope: GraphScope, headDim: number): DecoderInterface {
  const { graph } = scope;
  refuseOtherKinds(graph);
  const named: { -readonly [K in keyof DecoderInputs]: string | null } = {
    inputIds: null,
    attentionMask: null,
    positionIds: null,
    useCacheBranch: null,
    numLogitsToKeep: null,
    attentionBias: null,
  };
  const pasts: OnnxValue[] = [];
  for (const input of graph.inputs) {
    const role = inputNames[input.name];
    if (role !== undefined) named[role] = input.name;
    else if (input.name.includes("past")) pasts.push(input);
    else throw unsupported(`It needs an input that Steerscope does not know: “${input.name}”.`);
  }
  const { inputIds } = named;
  if (inputIds === null) throw unsupported("It does not take token ids (there is no input_ids).");
  const integers = [inputIds, named.attentionMask, named.positionIds, named.numLogitsToKeep];
  return {
    inputs: { ...named, inputIds },
    integerTypes: integerTypesOf(graph, integers),
    logits: readLogits(scope),
    cache: readCache(graph, pasts, headDim),
  };
}

function refuseOtherKinds(graph: OnnxGraph): void {
  const inputNamed = (pattern: RegExp): boolean => graph.inputs.some((input) => pattern.test(input.name));
  if (
    inputNamed(
      /encoder_hidden_states|encoder_outputs|encoder_attention_mask|decoder_input_ids|cross|\.encoder\./,
    )
  ) {
    throw unsupported("It is the decoder of an encoder-decoder model (it attends to an encoder's output).");
  }
  for (const node of allNodes(graph)) {
    if (generationOperators.has(node.operator)) {
      throw unsupported(
        `It generates whole texts inside the graph (${node.operator}), so there is no step to steer.`,
      );
    }
    const missing = missingOperators[node.operator];
    if (missing !== undefined)
      throw unsupported(`It uses ${missing} (${node.operator}), which the CPU cannot run.`);
    if (
      node.operator === "GroupQueryAttention" &&
      node.inputs.slice(firstFusedInput).some((input) => input !== "")
    ) {
      throw unsupported(
        "It was built for a GPU: its attention carries fused norms or a quantised cache, which the CPU cannot run.",
      );
    }
  }
  if (inputNamed(/^inputs_embeds$/))
    throw unsupported("It takes embeddings instead of token ids (inputs_embeds).");
}

function integerTypesOf(graph: OnnxGraph, names: readonly (string | null)[]): Map<string, IntegerType> {
  const inputs = graph.inputs.filter(({ name }) => names.includes(name));
  return new Map(
    inputs.map(({ name, elementType }) => {
      if (elementType === ElementType.int64) return [name, "int64"];
      if (elementType === ElementType.int32) return [name, "int32"];
      throw unsupported(
        `Its input “${name}” takes neither 32-bit nor 64-bit whole numbers.`,
        `type ${elementType}`,
      );
    }),
  );
}

function readLogits(scope: GraphScope): DecoderInterface["logits"] {
  const { outputs } = scope.graph;
  const logits =
    outputs.find((output) => output.name === "logits") ?? outputs.find((o) => o.name.includes("logits"));
  if (logits === undefined) throw unsupported("It gives no logits.");
  return {
    name: logits.name,
    elementType: floatType(logits.elementType || scope.elementType(logits.name), "logits"),
  };
}

/** Each is followed through the whole graph; the deepest decoders have 126 blocks with two caches each. */
const maximumCaches = 1024;

/** Past inputs and present outputs belong together when their names differ in nothing else. */
function readCache(graph: OnnxGraph, pasts: readonly OnnxValue[], headDim: number): CacheTensor[] {
  const presents = new Map(
    graph.outputs
      .filter((output) => output.name.includes("present"))
      .map((output) => [output.name.replace(/present(_key_values?)?/, ""), output.name]),
  );
  if (pasts.length === 0 || presents.size === 0) {
    throw unsupported(
      "It has no KV cache (past inputs and present outputs), so it cannot decode token by token.",
    );
  }
  if (pasts.length > maximumCaches)
    throw unsupported(`It has ${pasts.length} caches, more than any decoder.`);
  const cache = pasts.map((past) => {
    const stem = past.name.replace(/past(_key_values?)?/, "");
    const output = presents.get(stem);
    if (output === undefined) throw unsupported(`It keeps a state that is no KV cache: “${past.name}”.`);
    const elementType = floatType(past.elementType, `cache “${past.name}”`);
    return { input: past.name, output, elementType, dims: cacheDims(past, headDim) };
  });
  if (cache.length !== presents.size)
    throw unsupported("Its past inputs and present outputs do not belong together.");
  return cache;
}

/** [batch, heads, past, head size], or the older [2 (key, value), batch, heads, past, head size]. */
function cacheDims({ name, dims }: OnnxValue, headDim: number): (number | "batch" | "past")[] {
  const roles =
    dims?.length === 4
      ? (["batch", "heads", "past", "size"] as const)
      : dims?.length === 5
        ? combinedRoles
        : null;
  if (!dims || roles === null)
    throw unsupported(`The shape of its cache “${name}” is not that of a KV cache.`);
  return roles.map((role, axis) => {
    const dim = dims[axis]!;
    if (role === "batch" || role === "past") return role;
    if (typeof dim === "number" && dim > 0) return dim;
    if (role === "size") return headDim;
    throw unsupported(`The shape of its cache “${name}” does not say how many heads there are.`);
  });
}

const combinedRoles = ["pair", "batch", "heads", "past", "size"] as const;

function floatType(elementType: number, what: string): FloatType {
  if (elementType === ElementType.float32) return "float32";
  if (elementType === ElementType.float16) return "float16";
  throw unsupported(
    `Its ${what} is of a number type that Steerscope does not handle.`,
    `type ${elementType}`,
  );
}

function unsupported(reason: string, detail?: string): SteerscopeError {
  return new SteerscopeError("ModelUnsupported", `This model cannot be steered. ${reason}`, {
    ...(detail === undefined ? {} : { detail }),
    remedy: "Choose a decoder exported for text generation with past, or the model's safetensors weights.",
  });
}
