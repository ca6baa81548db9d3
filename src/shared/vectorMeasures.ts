/** Separation of projections on examples that did not make the vector (numerics: leave-one-pair-out or k-fold by pair). */
export interface Separation {
  /** Probability that a positive example projects higher than a negative one; ties count half. */
  readonly auroc: number;
  /** Difference of the mean projections over their pooled standard deviation; null: the projections do not vary. */
  readonly cohensD: number | null;
  readonly folds: number;
}

/** Agreement of vectors made from random halves of the examples. */
export interface Stability {
  readonly meanCosine: number;
  /** 95 % bootstrap interval of the mean cosine. */
  readonly low: number;
  readonly high: number;
  readonly splits: number;
}

/** Everything shown about one layer's vector. Norms are Euclidean, in units of the residual stream. */
export interface LayerMeasures {
  readonly layer: number;
  readonly vectorNorm: number;
  /** Median Euclidean norm of the residual stream at this layer over the examples. */
  readonly medianResidualNorm: number;
  /** vectorNorm / medianResidualNorm: the dose at strength 1. */
  readonly relativeNorm: number;
  /** null: not enough examples. */
  readonly separation: Separation | null;
  readonly stability: Stability | null;
  /** Cosine with the vector of the layer before; null at layer 0. */
  readonly cosineWithPrevious: number | null;
}

/** A pair whose removal turns the vector of the suggested layer the most. */
export interface Outlier {
  readonly pair: number;
  /** 1 - cosine between the vector with and without the pair. */
  readonly shift: number;
}

export interface SuggestedLayer {
  readonly layer: number;
  /** One sentence for people: why this layer. */
  readonly reason: string;
}

export interface VectorMeasures {
  readonly layers: readonly LayerMeasures[];
  readonly suggested: SuggestedLayer;
  /** Largest first; empty without pairs. */
  readonly outliers: readonly Outlier[];
}
