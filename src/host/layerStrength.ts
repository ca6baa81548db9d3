/** `3 4`, `2-4 1.5`: the input of Set Layer and Strength, and what a strength means in the model. */
import type { VectorFile } from "../formats/vectorFile.ts";
import { SteerscopeError } from "../shared/errors.ts";
import { formatLayers, parseLayers } from "../shared/layers.ts";

export interface LayerStrength {
  readonly layers: readonly number[];
  readonly strength: number;
}

/** Strengths beyond it only overflow. */
const maxStrength = 1e6;

/** Layers and strength, parted by a space. Throws InvalidRequest, also for layers that the file has no vector of. */
export function parseLayerStrength(text: string, file: Pick<VectorFile, "present">): LayerStrength {
  const match = /^(\S+(?:\s*,\s*\S+)*)\s+([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)$/i.exec(text.trim());
  const [, spelledLayers, spelledStrength] = match ?? [];
  if (spelledLayers === undefined || spelledStrength === undefined) {
    throw new SteerscopeError("InvalidRequest", "Write layers and strength, such as 3 4 or 2-4 1.5.");
  }
  const layers = parseLayers(spelledLayers);
  const missing = layers.find((layer) => !file.present.includes(layer));
  if (missing !== undefined) {
    throw new SteerscopeError("InvalidRequest", `There is no vector of layer ${missing}.`, {
      remedy: `There are those of layers ${formatLayers(file.present)}.`,
    });
  }
  const strength = Number(spelledStrength);
  if (!(Math.abs(strength) <= maxStrength)) {
    throw new SteerscopeError("InvalidRequest", `A strength is a number up to ${maxStrength}.`);
  }
  return { layers, strength };
}

/** The inverse of `parseLayerStrength`. */
export function formatLayerStrength({ layers, strength }: LayerStrength): string {
  return `${formatLayers(layers)} ${strength}`;
}

/**
 * Norm of what is added at each layer over the median residual norm there: least and most over the layers; null where
 * the file does not say the residual norms.
 */
export function doseOf(
  file: VectorFile,
  { layers, strength }: LayerStrength,
): { readonly least: number; readonly most: number } | null {
  if (file.provenance === null || layers.length === 0) return null;
  const { measures } = file.provenance;
  const doses = layers.map((layer) => Math.abs(strength) * (measures[layer]?.relativeNorm ?? 0));
  return { least: Math.min(...doses), most: Math.max(...doses) };
}
