/**
 * Rotation speeds of rotary position embeddings (RoFormer, arXiv 2104.09864) and their scalings, as transformers
 * computes them (modeling_rope_utils.py): in float32, so that angles far into a text agree with PyTorch's.
 */
export type RotaryScaling =
  | { readonly kind: "none" }
  | { readonly kind: "linear"; readonly factor: number }
  | {
      readonly kind: "llama3";
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      /** Tokens of context before the scaling. */
      readonly originalContext: number;
    };

/** Radians per position of each rotated pair, `[headDim / 2]`. */
export function inverseFrequencies(headDim: number, theta: number, scaling: RotaryScaling): Float32Array {
  return Float32Array.from({ length: headDim / 2 }, (_, pair) => {
    const frequency = Math.fround(1 / Math.fround(theta ** Math.fround((2 * pair) / headDim)));
    switch (scaling.kind) {
      case "none":
        return frequency;
      case "linear":
        return frequency / scaling.factor;
      case "llama3":
        return llama3(frequency, scaling);
    }
  });
}

/** Long waves are stretched by `factor`, short ones left alone, the band between them blended. */
function llama3(frequency: number, scaling: Extract<RotaryScaling, { kind: "llama3" }>): number {
  const wavelength = (2 * Math.PI) / frequency;
  const { factor, lowFrequencyFactor, highFrequencyFactor, originalContext } = scaling;
  if (wavelength < originalContext / highFrequencyFactor) return frequency;
  if (wavelength > originalContext / lowFrequencyFactor) return frequency / factor;
  const smooth =
    (originalContext / wavelength - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}
