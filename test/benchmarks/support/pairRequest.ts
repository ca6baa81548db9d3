import type { ComputeVectorRequest } from "../../../src/shared/engineContract.ts";
import type { Pair } from "./environment.ts";

/** Vectors of all layers from pairs of complete texts, read at the last token, in the scale they come in. */
export function requestOf(
  pairs: readonly Pair[],
  method: ComputeVectorRequest["method"],
): ComputeVectorRequest {
  return {
    positive: pairs.map(({ positive }) => ({ text: positive })),
    negative: pairs.map(({ negative }) => ({ text: negative })),
    pairs: Int32Array.from(pairs.flatMap((_, pair) => [pair, pair])),
    template: "none",
    position: { kind: "last", back: 0 },
    method,
    unit: false,
    seed: 1,
  };
}
