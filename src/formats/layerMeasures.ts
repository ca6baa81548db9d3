import { SteerscopeError } from "../shared/errors.ts";
import type { LayerMeasures, Separation, Stability } from "../shared/vectorMeasures.ts";

/** Reads the measures of `layers` layers from JSON that nobody vouches for. Throws VectorInvalid. */
export function parseLayerMeasures(json: string, layers: number): LayerMeasures[] {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw invalid("they are not JSON");
  }
  if (!Array.isArray(value) || value.length !== layers) throw invalid(`they are not of ${layers} layers`);
  return value.map((each: unknown, layer) => {
    const fields = record(each);
    if (fields.get("layer") !== layer) throw invalid(`layer ${layer} is missing`);
    return {
      layer,
      vectorNorm: number(fields, "vectorNorm"),
      medianResidualNorm: number(fields, "medianResidualNorm"),
      relativeNorm: number(fields, "relativeNorm"),
      separation: orNull(fields.get("separation"), separation),
      stability: orNull(fields.get("stability"), stability),
      cosineWithPrevious: orNull(fields.get("cosineWithPrevious"), finite),
    };
  });
}

function separation(value: unknown): Separation {
  const fields = record(value);
  return {
    auroc: number(fields, "auroc"),
    cohensD: orNull(fields.get("cohensD"), finite),
    folds: number(fields, "folds"),
  };
}

function stability(value: unknown): Stability {
  const fields = record(value);
  return {
    meanCosine: number(fields, "meanCosine"),
    low: number(fields, "low"),
    high: number(fields, "high"),
    splits: number(fields, "splits"),
  };
}

function orNull<T>(value: unknown, read: (value: unknown) => T): T | null {
  return value === null || value === undefined ? null : read(value);
}

function record(value: unknown): ReadonlyMap<string, unknown> {
  if (typeof value !== "object" || value === null) throw invalid("a layer is not an object");
  return new Map(Object.entries(value));
}

function number(fields: ReadonlyMap<string, unknown>, key: string): number {
  return finite(fields.get(key));
}

function finite(value: unknown): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw invalid("a figure is not a number");
  return value;
}

function invalid(detail: string): SteerscopeError {
  return new SteerscopeError("VectorInvalid", "The measures in the vector file cannot be read.", {
    detail,
    remedy: "Compute the vectors again.",
  });
}
