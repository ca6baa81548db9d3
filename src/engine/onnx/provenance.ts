/** What a decoder graph is, for people: which exporter wrote it and how its weights are stored. Nothing is decided by it. */
import { ElementType } from "./encode.ts";
import {
  allNodes,
  attributeOf,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
} from "./model.ts";

export type GraphLayout = "optimum" | "optimum-merged" | "onnxruntime-genai" | "dynamo" | "onnx";
export type WeightPrecision = "fp32" | "fp16" | "bf16" | "q4" | "q4f16" | "q8";

/**
 * How a graph rounds activations to 8 bits while it runs: with one scale for all tokens of a call, so that a token's
 * activations depend on the others, or token by token.
 */
export type ActivationQuantisation = "by-call" | "by-token";

/** Operators of dynamic 8-bit quantisation, whose scale is that of all activations of a call. */
const dynamicQuantisation = new Set([
  "DynamicQuantizeLinear",
  "DynamicQuantizeMatMul",
  "DynamicQuantizeLSTM",
]);

/** TensorProto.DataType of packed four-bit integers. */
const fourBitTypes = new Set([21, 22]);

export function layoutOf(model: OnnxModel, isMerged: boolean): GraphLayout {
  if (isMerged) return "optimum-merged";
  if (model.producer.startsWith("onnxruntime-genai")) return "onnxruntime-genai";
  const { nodes } = model.graph;
  if (nodes.some((node) => node.hasMetadata)) return "dynamo";
  if (nodes.some((node) => node.operator === "GroupQueryAttention")) return "onnxruntime-genai";
  // The torchscript exporter spells out module paths and leaves a Constant for every number; converters keep both.
  const isTorchscript = nodes.some((node) => node.name.startsWith("/") && node.operator === "Constant");
  return isTorchscript ? "optimum" : "onnx";
}

/** Decided by the matrix products' operators, else by the type that most of the weights have. */
export function precisionOf(graph: OnnxGraph): WeightPrecision {
  const tensors = [...allTensors(graph)];
  const weightTypes = bytesByType(tensors);
  const scaleTypes = new Set<number>();
  let packedBits: number | null = null;
  const typeOf = new Map(tensors.map((tensor) => [tensor.name, tensor.elementType]));
  for (const node of allNodes(graph)) {
    if (node.operator !== "MatMulNBits") continue;
    packedBits = Math.min(packedBits ?? 8, attributeOf(node, "bits")?.int ?? 4);
    scaleTypes.add(typeOf.get(node.inputs[2] ?? "") ?? 0);
  }
  const isHalf = scaleTypes.has(ElementType.float16) || (weightTypes.get(ElementType.float16) ?? 0) > 0;
  if (packedBits !== null && packedBits <= 4) return isHalf ? "q4f16" : "q4";
  const [mostType] = [...weightTypes].sort((a, b) => b[1] - a[1])[0] ?? [ElementType.float32];
  if (fourBitTypes.has(mostType)) return isHalf ? "q4f16" : "q4";
  if (packedBits !== null || mostType === ElementType.int8 || mostType === ElementType.uint8) return "q8";
  if (mostType === ElementType.float16) return "fp16";
  return mostType === ElementType.bfloat16 ? "bf16" : "fp32";
}

/** `accuracy_level` of MatMulNBits (com.microsoft) for products of 8-bit integers. */
const eightBitAccuracy = 4;

/** null: activations stay floating-point numbers. */
export function activationQuantisationOf(graph: OnnxGraph): ActivationQuantisation | null {
  const nodes = [...allNodes(graph)];
  if (nodes.some(({ operator }) => dynamicQuantisation.has(operator))) return "by-call";
  const isByToken = (node: OnnxNode): boolean =>
    node.operator === "MatMulNBits" && attributeOf(node, "accuracy_level")?.int === eightBitAccuracy;
  return nodes.some(isByToken) ? "by-token" : null;
}

function* allTensors(graph: OnnxGraph): Generator<OnnxTensor> {
  yield* graph.initializers.values();
  for (const node of graph.nodes) {
    for (const { graph: inner, tensor } of node.attributes) {
      if (tensor) yield tensor;
      if (inner) yield* allTensors(inner);
    }
  }
}

/** Only matrices count: norms and biases stay in full precision in every quantised file. */
function bytesByType(tensors: readonly OnnxTensor[]): Map<number, number> {
  const bytes = new Map<number, number>();
  for (const { dims, elementType, raw, external } of tensors) {
    if (dims.length < 2) continue;
    const size = external?.length ?? raw?.length ?? 0;
    bytes.set(elementType, (bytes.get(elementType) ?? 0) + size);
  }
  return bytes;
}
