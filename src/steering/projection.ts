import { SteerscopeError } from "../shared/errors.ts";
import { unit } from "./algebra.ts";
import { allRows, multiplyRows } from "./rowKernels.ts";

/**
 * Projections (dot product with the unit vector, in units of the residual stream) of activations [examples, layers,
 * hidden] on a vector [layers, hidden], each layer on its own direction: [examples, layers]. Zero at layers where the
 * vector is zero. Throws VectorMismatch where the sizes do not fit.
 */
export function projectOnVectors(
  activations: Float32Array,
  vectors: Float32Array,
  layers: number,
): Float64Array {
  const hidden = vectors.length / layers;
  const count = activations.length / vectors.length;
  if (!Number.isInteger(hidden) || !Number.isInteger(count)) {
    throw new SteerscopeError(
      "VectorMismatch",
      `Activations of ${activations.length} values do not fit a vector of ${layers} layers and ${vectors.length} values.`,
      { remedy: "Use a vector made with the same model." },
    );
  }
  const projections = new Float64Array(count * layers);
  const column = new Float64Array(count);
  const chosen = allRows(count);
  for (let layer = 0; layer < layers; layer++) {
    const direction = unit(Float64Array.from(vectors.subarray(layer * hidden, (layer + 1) * hidden)));
    multiplyRows(
      { values: activations, offset: layer * hidden, stride: vectors.length, hidden, chosen },
      direction,
      column,
    );
    for (let example = 0; example < count; example++)
      projections[example * layers + layer] = column[example]!;
  }
  return projections;
}
