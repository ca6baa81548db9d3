import type { MethodId } from "./methods.ts";

/** What a vector file records about its method, so that a reader need not know this program. */
export interface MethodFormula {
  /** Never only a borrowed name: the same word means different formulas in different libraries. */
  readonly formula: string;
  readonly signRule: string;
}

const meanPositive = "the mean of (positive - negative) . v is positive";

/** By method, over pairs (p_i, n_i) of activations at one layer. docs/concepts.md has the reasons. */
export const methodFormulas: Readonly<Record<MethodId, MethodFormula>> = {
  "mean-difference": { formula: "mean(p) - mean(n)", signRule: "as computed" },
  "pca-uncentred": {
    formula:
      "first right singular vector of {p_i - n_i}, not centred, scaled to its projection of the mean difference",
    signRule: meanPositive,
  },
  "pca-pairwise": {
    formula:
      "first principal component of {p_i - m_i, n_i - m_i}, m_i = (p_i + n_i)/2, scaled to its projection of the mean difference",
    signRule: meanPositive,
  },
  "repeng-pca-diff": {
    formula: "first principal component of {p_i - n_i} after centring, as repeng 0.4.0 computes it",
    signRule: "as repeng 0.4.0: the majority of pairs project higher on the positive side",
  },
  logistic: {
    formula: "unit normal of L2 logistic regression (C = 1, no intercept) on {p_i - m_i, n_i - m_i}",
    signRule: "positive examples have label 1",
  },
  "single-pair": { formula: "p_1 - n_1", signRule: "as computed" },
  random: {
    formula: "seeded Gaussian direction with the norm of mean(p) - mean(n)",
    signRule: "none",
  },
};
