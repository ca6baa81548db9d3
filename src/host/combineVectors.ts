/** Weighted sums of vector files: the sum itself, and what is still true of it. */
import { maxCombinedTerms, type CombinedTerm } from "../formats/combinedTerms.ts";
import type { VectorFile, VectorProvenance } from "../formats/vectorFile.ts";
import { SteerscopeError } from "../shared/errors.ts";
import type { LayerMeasures, SuggestedLayer } from "../shared/vectorMeasures.ts";
import { cosine, layerOf, linearCombination, norm } from "../steering/algebra.ts";

export interface NamedVector {
  readonly name: string;
  readonly file: VectorFile;
}

export interface WeightedFile extends NamedVector {
  readonly weight: number;
}

interface Term extends WeightedFile {
  readonly provenance: VectorProvenance;
}

export interface Combination {
  readonly layers: number;
  readonly hidden: number;
  /** [layers, hidden] */
  readonly vectors: Float32Array;
  readonly provenance: VectorProvenance;
}

/**
 * The sum of weight times vector at every layer. All vectors must come from one model. Throws VectorMismatch, saying
 * which does not fit, and InvalidRequest without terms or with too many.
 */
export function combineVectors(
  weighted: readonly WeightedFile[],
  program: string,
  created: string,
): Combination {
  const terms = weighted.map(withProvenance);
  const [first] = terms;
  if (first === undefined) throw new SteerscopeError("InvalidRequest", "A combination of no vectors.");
  for (const term of terms) requireSameModel(first, term);
  const combined = flatten(terms);
  const { layers, hidden } = first.file;
  const vectors = linearCombination(terms.map(({ weight, file }) => ({ weight, vector: file.vectors })));
  const isScaled = terms.length === 1;
  const { examples } = first.provenance;
  return {
    layers,
    hidden,
    vectors,
    provenance: {
      ...first.provenance,
      // A negative factor makes the negative examples the ones that the vector points to.
      examples:
        isScaled && first.weight < 0
          ? { ...examples, positive: examples.negative, negative: examples.positive }
          : examples,
      scale: "raw",
      measures: measuresOf(vectors, terms),
      suggested: isScaled ? first.provenance.suggested : suggestionOf(terms),
      created,
      program,
      combined,
    },
  };
}

/** Whether `sum` of `weighted` is nothing but what rounding to 32-bit floats leaves of it. */
export function isZeroSum(weighted: readonly WeightedFile[], sum: Float32Array): boolean {
  const parts = weighted.reduce(
    (total, { weight, file }) => total + Math.abs(weight) * norm(file.vectors),
    0,
  );
  return norm(sum) <= 1e-6 * parts;
}

function withProvenance(weighted: WeightedFile): Term {
  const { provenance } = weighted.file;
  if (provenance !== null) return { ...weighted, provenance };
  throw new SteerscopeError("VectorMismatch", `${weighted.name} does not say which model it was made from.`, {
    remedy: "Only vectors of the same model can be combined: compute it again from its examples.",
  });
}

function requireSameModel(first: Term, other: Term): void {
  const sizes = ({ file }: Term): string => `${file.layers} layers of ${file.hidden}`;
  const remedy = "Combine vectors of the same model, or compute them again with one model.";
  if (sizes(first) !== sizes(other)) {
    throw new SteerscopeError(
      "VectorMismatch",
      `${first.name} has ${sizes(first)}, ${other.name} has ${sizes(other)}.`,
      { remedy },
    );
  }
  const [model, otherModel] = [first.provenance.model, other.provenance.model];
  if (model.hash !== otherModel.hash) {
    throw new SteerscopeError(
      "VectorMismatch",
      `${first.name} was made from ${model.id}, ${other.name} from ${otherModel.id === model.id ? "other weights of it" : otherModel.id}.`,
      { remedy },
    );
  }
}

/** The terms with sums resolved into theirs; the same vector twice becomes one term. */
function flatten(terms: readonly Term[]): CombinedTerm[] {
  const found = new Map<string, CombinedTerm>();
  const bottom = terms.flatMap(({ weight, name, provenance }) =>
    provenance.combined === null
      ? [
          {
            weight,
            name,
            method: provenance.method,
            template: provenance.template,
            position: provenance.position,
            exampleSet: provenance.examples.name,
            exampleSetHash: provenance.examples.hash,
          },
        ]
      : provenance.combined.map((term) => ({ ...term, weight: weight * term.weight })),
  );
  for (const term of bottom) {
    const key = JSON.stringify([term.name, term.method, term.template, term.position, term.exampleSetHash]);
    found.set(key, { ...term, weight: term.weight + (found.get(key)?.weight ?? 0) });
  }
  if (found.size > maxCombinedTerms) {
    throw new SteerscopeError(
      "InvalidRequest",
      `A combination can have ${maxCombinedTerms} vectors at the most.`,
    );
  }
  return [...found.values()];
}

function measuresOf(vectors: Float32Array, terms: readonly Term[]): LayerMeasures[] {
  const [first] = terms;
  const { hidden } = first!.file;
  return first!.provenance.measures.map((measures, layer) => {
    const vector = layerOf(vectors, layer, hidden);
    const vectorNorm = norm(vector);
    const residuals = terms.map(({ provenance }) => provenance.measures[layer]!.medianResidualNorm);
    const medianResidualNorm = residuals.reduce((sum, each) => sum + each, 0) / residuals.length;
    return {
      layer,
      vectorNorm,
      medianResidualNorm,
      relativeNorm: medianResidualNorm > 0 ? vectorNorm / medianResidualNorm : 0,
      // The direction of a multiple is as separating and as stable as before; of a sum, nobody has looked.
      separation: terms.length === 1 ? measures.separation : null,
      stability: terms.length === 1 ? measures.stability : null,
      cosineWithPrevious: layer === 0 ? null : cosine(vector, layerOf(vectors, layer - 1, hidden)),
    };
  });
}

/** The suggestion of the term that weighs most at its own suggested layer. */
function suggestionOf(terms: readonly Term[]): SuggestedLayer {
  const weightOf = ({ weight, provenance: { suggested, measures } }: Term): number =>
    Math.abs(weight) * measures[suggested.layer]!.vectorNorm;
  const largest = terms.reduce((held, term) => (weightOf(term) > weightOf(held) ? term : held));
  const { layer } = largest.provenance.suggested;
  return {
    layer,
    reason: `Layer ${layer} is suggested for ${largest.name}, the largest part of the sum; the sum itself was not tested.`,
  };
}
