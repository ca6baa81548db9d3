import { SteerscopeError } from "../../shared/errors.ts";
import type { MethodId } from "../../shared/methods.ts";
import { exampleCount, pairCount } from "../activationSet.ts";
import type { ActivationSet } from "../activationSet.ts";

/** Fewest pairs from which a method makes a vector; 0: unpaired lists do. */
const fewestPairs: Record<MethodId, number> = {
  "mean-difference": 0,
  "pca-uncentred": 1,
  "pca-pairwise": 1,
  // One difference less its own mean is nothing.
  "repeng-pca-diff": 2,
  logistic: 1,
  "single-pair": 1,
  random: 0,
};

/**
 * Throws ExampleSetInvalid where a method cannot work on a set. Methods that need pairs leave examples without a
 * partner aside, except single-pair, whose set is one pair and nothing else.
 */
export function requireExamplesFor(set: ActivationSet, method: MethodId): void {
  const pairs = pairCount(set);
  const fewest = fewestPairs[method];
  if (pairs < fewest) {
    throw new SteerscopeError(
      "ExampleSetInvalid",
      `The method ${method} needs at least ${fewest} pair${fewest === 1 ? "" : "s"} of examples; the set has ${pairs}.`,
      { remedy: "Join examples into pairs, or use mean-difference, which needs none." },
    );
  }
  const examples = exampleCount(set, "positives") + exampleCount(set, "negatives");
  if (method === "single-pair" && (pairs !== 1 || examples !== 2)) {
    throw new SteerscopeError(
      "ExampleSetInvalid",
      `The method single-pair needs exactly one pair; the set has ${pairs} pairs and ${examples} examples.`,
      { remedy: "Use mean-difference for more than one pair, or keep one pair." },
    );
  }
}

/** Whether the vector depends on the pairs alone, so that examples without a partner have no part in it. */
export function needsPairs(method: MethodId): boolean {
  return fewestPairs[method] > 0;
}
