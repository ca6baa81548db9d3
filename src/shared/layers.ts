import { SteerscopeError } from "./errors.ts";

/** Layers as written: `3`, `3,5`, `3-6`, `0,4-6`; ascending, each once. Throws InvalidRequest. */
export function parseLayers(text: string): number[] {
  const layers = new Set<number>();
  for (const part of text.split(",")) {
    const match = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part.trim());
    const from = Number(match?.[1]);
    const to = Number(match?.[2] ?? match?.[1]);
    if (!(from <= to)) {
      throw new SteerscopeError("InvalidRequest", `"${text}" names no layers.`, {
        remedy: "Write 3, or 3,5, or 3-6.",
      });
    }
    for (let layer = from; layer <= to; layer++) layers.add(layer);
  }
  return [...layers].sort((a, b) => a - b);
}

/** The inverse of `parseLayers`: ascending layers 0, 1, 2, 5 as `0-2,5`. */
export function formatLayers(layers: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const layer of layers) {
    const last = ranges.at(-1);
    if (last?.[1] === layer - 1) last[1] = layer;
    else ranges.push([layer, layer]);
  }
  return ranges.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(",");
}
