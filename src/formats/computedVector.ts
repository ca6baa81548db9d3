/** From an example set to the engine's request, and from its answer to a vector file: the same for editor and terminal. */
import type {
  ComputeVectorRequest,
  ComputeVectorResult,
  ModelDescription,
} from "../shared/engineContract.ts";
import { exampleSetHash, pairExamples, requireSoundSet, type ExampleSet } from "./exampleSet.ts";
import { encodeVectorFile, type VectorProvenance } from "./vectorFile.ts";

/** What can be chosen besides model and examples. */
export type ComputeSettings = Pick<
  ComputeVectorRequest,
  "template" | "position" | "method" | "unit" | "seed"
>;

/** Throws ExampleSetInvalid when the set has bad lines or no examples. */
export function computeRequest(set: ExampleSet, settings: ComputeSettings): ComputeVectorRequest {
  requireSoundSet(set);
  const { positive, negative, pairs } = pairExamples(set);
  const { template, position, method, unit, seed } = settings;
  return { positive, negative, pairs, template, position, method, unit, seed };
}

export interface ComputedVector {
  readonly set: ExampleSet;
  readonly request: ComputeVectorRequest;
  readonly model: ModelDescription;
  readonly result: ComputeVectorResult;
  /** Name and version. */
  readonly program: string;
}

/** The vector file of a computation, dated now. Throws InvalidRequest when the vectors are not finite. */
export async function computedVectorFile({
  set,
  request,
  model,
  result,
  program,
}: ComputedVector): Promise<{ readonly bytes: Uint8Array; readonly provenance: VectorProvenance }> {
  const { vectors, measures } = result;
  const provenance: VectorProvenance = {
    model: {
      id: model.name,
      revision: model.revision,
      hash: model.modelHash,
      architecture: model.architecture,
      tokenizerHash: model.tokenizerHash,
    },
    template: request.template,
    method: request.method,
    position: request.position,
    seed: request.seed,
    examples: {
      name: set.name,
      hash: await exampleSetHash(set),
      positive: request.positive.length,
      negative: request.negative.length,
      pairs: request.pairs.length / 2,
    },
    scale: request.unit ? "unit" : "raw",
    measures: measures.layers,
    suggested: measures.suggested,
    created: new Date().toISOString(),
    program,
    combined: null,
  };
  return { bytes: encodeVectorFile(model.layers, model.hidden, vectors, provenance), provenance };
}
