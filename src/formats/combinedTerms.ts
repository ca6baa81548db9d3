/** What a sum of vectors says of its terms: `combined_from` in the metadata of a vector file (docs/file-formats.md). */
import { SteerscopeError } from "../shared/errors.ts";
import { methodIds, type MethodId } from "../shared/methods.ts";
import { formatReadPosition, parseReadPosition, type ReadPosition } from "../shared/readPosition.ts";
import { formatVectorName } from "../shared/recipe.ts";
import { templates, type Template } from "../shared/tokenInput.ts";

export interface CombinedTerm {
  readonly weight: number;
  /** File name without extension, when the sum was made. */
  readonly name: string;
  readonly method: MethodId;
  readonly template: Template;
  readonly position: ReadPosition;
  readonly exampleSet: string;
  readonly exampleSetHash: string;
}

/** Nobody follows a sum of more; it bounds what a file can ask for. */
export const maxCombinedTerms = 64;
const maxTextCharacters = 1000;

/** The sum as people write it: `0.8*happy - 0.3*"more formal"`. */
export function combinationFormula(terms: readonly Pick<CombinedTerm, "weight" | "name">[]): string {
  return terms
    .map(({ weight, name }, index) => {
      const sign = weight < 0 ? "-" : "+";
      const term = `${Math.abs(weight)}*${formatVectorName(name)}`;
      return index === 0 ? (weight < 0 ? `-${term}` : term) : ` ${sign} ${term}`;
    })
    .join("");
}

export function formatCombinedTerms(terms: readonly CombinedTerm[]): string {
  return JSON.stringify(
    terms.map(({ weight, name, method, template, position, exampleSet, exampleSetHash }) => ({
      weight,
      name,
      method,
      template,
      read_position: formatReadPosition(position),
      example_set: exampleSet,
      example_set_hash: exampleSetHash,
    })),
  );
}

/** The inverse of `formatCombinedTerms`, of text that nobody vouches for. Throws VectorInvalid. */
export function parseCombinedTerms(json: string): CombinedTerm[] {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw invalid("they are not JSON");
  }
  if (!Array.isArray(value) || value.length === 0 || value.length > maxCombinedTerms) {
    throw invalid(`they are not a list of 1 to ${maxCombinedTerms}`);
  }
  return value.map((each: unknown) => {
    if (typeof each !== "object" || each === null) throw invalid("a term is not an object");
    const fields = new Map<string, unknown>(Object.entries(each));
    const text = (key: string): string => {
      const found = fields.get(key);
      if (typeof found !== "string" || found.length > maxTextCharacters) throw invalid(`a ${key} is missing`);
      return found;
    };
    const oneOf = <T extends string>(key: string, values: readonly T[]): T => {
      const found = values.find((candidate) => candidate === fields.get(key));
      if (found === undefined) throw invalid(`a ${key} is none of ${values.join(", ")}`);
      return found;
    };
    const weight = fields.get("weight");
    if (typeof weight !== "number" || !Number.isFinite(weight)) throw invalid("a weight is not a number");
    return {
      weight,
      name: text("name"),
      method: oneOf("method", methodIds),
      template: oneOf("template", templates),
      position: readPosition(text("read_position")),
      exampleSet: text("example_set"),
      exampleSetHash: text("example_set_hash"),
    };
  });
}

function readPosition(spelling: string): ReadPosition {
  try {
    return parseReadPosition(spelling);
  } catch {
    throw invalid("a read position is unknown");
  }
}

function invalid(detail: string): SteerscopeError {
  return new SteerscopeError("VectorInvalid", "The terms that the vector was combined from cannot be read.", {
    detail,
    remedy: "Combine the vectors again.",
  });
}
