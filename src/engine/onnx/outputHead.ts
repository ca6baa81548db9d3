/**
 * The output head: the final norm and the product with the vocabulary. It treats every token alike, so it may be given a
 * few rows instead of all tokens. Where the rows are picked is the value that enters the first matrix product: whatever reshapes
 * tokens before it (GPT-2 does) still sees them all.
 */
import { SteerscopeError } from "../../shared/errors.ts";
import type { OnnxNode } from "./model.ts";
import type { GraphScope } from "./scope.ts";
import type { Cuts } from "./valueFlow.ts";

export interface OutputHead {
  /** What enters the first matrix product: [batch, tokens, hidden] or [batch * tokens, hidden]. */
  readonly input: string;
  /** The product takes matrices only (Gemm). */
  readonly takesMatrix: boolean;
  /** Nodes behind the last product that shape the logits by the number of tokens. */
  readonly reshapes: readonly OnnxNode[];
  /** Width of the logits, where it is known. */
  readonly vocabulary: number | null;
}

const products = new Set([
  "MatMul",
  "Gemm",
  "FusedMatMul",
  "FusedGemm",
  "GemmFloat8",
  "MatMulNBits",
  "MatMulBnb4",
  "MatMulInteger",
  "MatMulIntegerToFloat",
  "DynamicQuantizeMatMul",
  // Stands before MatMulInteger; its scale must be that of the rows that go in.
  "DynamicQuantizeLinear",
]);

/** Operators that pick tokens out. (Slice is not among them: exporters leave slices that keep everything.) */
const selections = new Set(["Gather", "GatherND", "GatherElements"]);

/** The head after `value`, a value at or behind the last boundary, up to `logits`. Throws ModelUnsupported. */
export function findHead(scope: GraphScope, cuts: Cuts, value: string, logits: string): OutputHead {
  const nodes = cuts.nodesAfter(value);
  const place = nodes.findIndex((node) => products.has(node.operator));
  const lastPlace = nodes.findLastIndex((node) => products.has(node.operator));
  const isReshape = (node: OnnxNode): boolean => node.operator === "Reshape";
  const product = nodes[place];
  const input = product?.inputs[0];
  if (!product || !input || cuts.position(input) === undefined) {
    throw unsupported(
      "Between its last block and the logits there is no single product with the vocabulary.",
    );
  }
  if (nodes.slice(0, place).some((node) => selections.has(node.operator))) {
    throw unsupported("It gives the logits of some tokens only.");
  }
  const reshapes = nodes.slice(lastPlace).filter(isReshape);
  const vocabulary = scope.width(logits);
  if (nodes.slice(place, lastPlace).some(isReshape) || (reshapes.length > 0 && vocabulary === null)) {
    throw unsupported("Its output head reshapes tokens in a way that is not understood.");
  }
  return {
    input,
    takesMatrix: product.operator === "Gemm" || product.operator === "FusedGemm",
    reshapes,
    vocabulary,
  };
}

function unsupported(reason: string): SteerscopeError {
  return new SteerscopeError("ModelUnsupported", `This model cannot be steered. ${reason}`, {
    remedy: "Use another export of the model that gives logits for all tokens.",
  });
}
