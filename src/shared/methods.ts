/** Extraction methods by id (docs/concepts.md has the formulas); the id is what files and provenance record. */
export const methodIds = [
  "mean-difference",
  "pca-uncentred",
  "pca-pairwise",
  "repeng-pca-diff",
  "logistic",
  "single-pair",
  "random",
] as const;

export type MethodId = (typeof methodIds)[number];

export const defaultMethod: MethodId = "mean-difference";
