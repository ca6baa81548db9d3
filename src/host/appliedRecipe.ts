/** What is switched on, as a recipe line and back. */
import { checkRecipe, formatRecipe, parseRecipe, type RecipeProblem } from "../shared/recipe.ts";
import type { Scope } from "../shared/scope.ts";
import type { VectorFile } from "../formats/vectorFile.ts";

/** A vector by the name that the line uses; where two share it, the first is meant. */
export interface RecipeVector {
  readonly name: string;
  readonly file: VectorFile | null;
}

export interface AppliedTerm<V extends RecipeVector> {
  readonly entry: V;
  readonly layers: readonly number[];
  readonly strength: number;
}

export interface AppliedRecipe<V extends RecipeVector> {
  readonly terms: readonly AppliedTerm<V>[];
  /** null: not said. */
  readonly scope: Scope | null;
}

/** The line of what is switched on; without its scope where that is null. */
export function formatApplied(terms: readonly AppliedTerm<RecipeVector>[], scope: Scope | null): string {
  return formatRecipe({
    terms: terms.map(({ entry, layers, strength }) => ({
      kind: "add",
      vector: entry.name,
      layers,
      strength,
      unit: "vector",
    })),
    scope,
    keepsNorm: false,
  });
}

/** The switches that a line asks for, or the place in it that does not fit. A line without vectors switches all off. */
export function readApplied<V extends RecipeVector>(
  line: string,
  vectors: readonly V[],
): AppliedRecipe<V> | RecipeProblem {
  const { recipe, places, problem } = parseRecipe(line);
  if (recipe === null) return problem;
  const find = (name: string): V | undefined => vectors.find((vector) => vector.name === name);
  const unfit = checkRecipe(recipe, places, (name) => {
    const file = find(name)?.file;
    return file === undefined
      ? undefined
      : { layers: file?.present ?? [], ...(file === null ? { problem: `"${name}" cannot be read.` } : {}) };
  });
  if (unfit !== null) return unfit;
  if (recipe.keepsNorm) return { from: 0, to: line.length, message: "norm:keep cannot be applied here." };
  const seen = new Set<string>();
  const terms: AppliedTerm<V>[] = [];
  for (const [index, term] of recipe.terms.entries()) {
    const at = places[index]!.vector;
    const entry = find(term.vector)!;
    if (term.kind !== "add") {
      return { ...at, message: `${term.kind}: cannot be applied here; vectors are added.` };
    }
    if (seen.has(term.vector)) return { ...at, message: `"${term.vector}" stands here twice.` };
    seen.add(term.vector);
    const strength = term.unit === "vector" ? term.strength : inVectorLengths(term, entry.file!);
    if (strength === null) {
      return {
        ...places[index]!.layers,
        message: "A strength in residual norms (r) needs one layer, and a vector that says its norms.",
      };
    }
    terms.push({ entry, layers: term.layers, strength });
  }
  return { terms, scope: recipe.scope };
}

/** A strength in median residual norms as multiples of the vector; null where the file cannot say. */
function inVectorLengths(
  { layers, strength }: { readonly layers: readonly number[]; readonly strength: number },
  { provenance }: VectorFile,
): number | null {
  const [layer, ...others] = layers;
  const ratio = layer === undefined ? undefined : provenance?.measures[layer]?.relativeNorm;
  return others.length === 0 && ratio !== undefined && ratio > 0 ? strength / ratio : null;
}
