import { SteerscopeError } from "../shared/errors.ts";
import { exampleCount, validateActivationSet } from "./activationSet.ts";
import type { ActivationSet, Side } from "./activationSet.ts";
import { mean } from "./statistics.ts";

/**
 * The direction [layers, hidden] along which activations move with a quantity of the examples that the vector should
 * not be about, such as their length in tokens: the covariance of activations with the quantity within each side, so
 * that a difference between the sides does not count. Compare it with a vector by `cosinesByLayer`; cosines near 1 or
 * -1 say that the vector may be made of the quantity. Zero where the quantity does not vary.
 *
 * `values`: one number for each example of each side. Throws InvalidRequest where there are more or fewer.
 */
export function covariateDirection(
  set: ActivationSet,
  values: { readonly positives: ArrayLike<number>; readonly negatives: ArrayLike<number> },
): Float32Array {
  validateActivationSet(set);
  const size = set.layers * set.hidden;
  const direction = new Float64Array(size);
  const sides: readonly Side[] = ["positives", "negatives"];
  for (const side of sides) {
    const numbers = values[side];
    if (numbers.length !== exampleCount(set, side)) {
      throw new SteerscopeError(
        "InvalidRequest",
        `${numbers.length} values for ${exampleCount(set, side)} ${side}.`,
      );
    }
    const centre = mean(numbers);
    for (let example = 0; example < numbers.length; example++) {
      const weight = numbers[example]! - centre;
      const start = example * size;
      for (let k = 0; k < size; k++) direction[k]! += weight * set[side][start + k]!;
    }
  }
  const examples = exampleCount(set, "positives") + exampleCount(set, "negatives");
  return Float32Array.from(direction, (value) => value / examples);
}
