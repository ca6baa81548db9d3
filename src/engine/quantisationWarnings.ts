import type { ActivationQuantisation } from "./onnx/provenance.ts";

/**
 * What to tell people of a model that rounds activations to 8 bits, as a list of sentences. `grouping`: how far the
 * self-test found activations to move with the grouping of tokens, relative to the norm of the residual stream.
 */
export function quantisationWarnings(
  quantisation: ActivationQuantisation | null,
  grouping: number,
): readonly string[] {
  switch (quantisation) {
    case null:
      return [];
    case "by-call":
      return [
        `This model quantises activations to 8 bits by call: in the self-test, values in them moved by up to ${percent(grouping)} of their norm with the other tokens of the call. Do not compute vectors with it; use full precision (fp32, fp16 or bf16).`,
      ];
    case "by-token":
      return [
        "This model quantises activations to 8 bits token by token (MatMulNBits with accuracy level 4): they are not those of the full model. Do not compute vectors with it for use on the full model; use full precision (fp32, fp16 or bf16).",
      ];
  }
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`;
}
