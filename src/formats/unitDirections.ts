import { vectorOfLayer, type VectorFile } from "./vectorFile.ts";

/**
 * What `project` of the engine takes to read each layer on the file's own vector of that layer: [layers + 1, hidden, 1],
 * row L + 1 the vector of layer L scaled to norm 1, zeros where there is none. A zero vector has no direction; its
 * projections are 0.
 */
export function unitDirections(file: VectorFile, layers: number): Float32Array {
  const { hidden } = file;
  const directions = new Float32Array((layers + 1) * hidden);
  for (const layer of file.present) {
    const vector = vectorOfLayer(file, layer);
    const norm = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
    if (norm > 0)
      directions.set(
        vector.map((value) => value / norm),
        (layer + 1) * hidden,
      );
  }
  return directions;
}
