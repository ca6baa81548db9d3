/** From the vectors that are switched on to what the engine steers with. */
import { checkVectorFits, vectorOfLayer } from "../formats/vectorFile.ts";
import type { ModelDescription, Steering } from "../shared/engineContract.ts";
import type { Scope } from "../shared/scope.ts";
import type { AppliedVector } from "./vectors.ts";

/** null: nothing is switched on. Throws VectorMismatch where a vector does not fit the model. */
export function steeringOf(
  applied: readonly AppliedVector[],
  scope: Scope,
  model: ModelDescription,
): Steering | null {
  if (applied.length === 0) return null;
  const terms = applied.flatMap(({ entry: { file }, layers, strength }) => {
    // A file that cannot be read cannot be switched on.
    if (file === null) return [];
    checkVectorFits(file, model);
    return layers.map((layer) => ({ layer, vector: vectorOfLayer(file, layer), strength }));
  });
  return { terms, scope };
}
