import { csvLine, onScale, visibleToken } from "./text.ts";

/** Projections of every token of one text on the vector of each layer. */
export interface Projections {
  readonly pieces: readonly string[];
  readonly ids: Int32Array;
  /** Index of the first token of the text. */
  readonly textStart: number;
  /** Layers that have a vector. */
  readonly layers: readonly number[];
  valueAt(layer: number, token: number): number;
}

const cellWidth = 8;
const maxTokenWidth = 24;

/**
 * A row for each token, a column for each layer; as many layers as fit in `columns`, evenly spread, the suggested one
 * among them, unless `layers` names them. Colours are scaled per layer.
 */
export function projectionTable(
  projections: Projections,
  options: {
    readonly layers: readonly number[] | null;
    readonly suggested: number | null;
    readonly columns: number;
    readonly isColoured: boolean;
  },
): string {
  const labels = projections.pieces.map((piece) => visibleToken(piece).slice(0, maxTokenWidth));
  const labelWidth = Math.max(5, ...labels.map(({ length }) => length));
  const room = Math.max(1, Math.floor((options.columns - labelWidth) / (cellWidth + 1)));
  const layers = options.layers ?? spread(projections.layers, room, options.suggested);
  const scales = layers.map((layer) => scaleOf(projections, layer));
  const mark = (layer: number): string => (layer === options.suggested ? `*${layer}` : String(layer));
  const head = ["layer".padEnd(labelWidth), ...layers.map((layer) => mark(layer).padStart(cellWidth))].join(
    " ",
  );
  const rows = labels.map((label, token) => {
    const cells = layers.map((layer, column) => {
      const value = projections.valueAt(layer, token);
      const cell = cellText(value).padStart(cellWidth);
      return options.isColoured ? onScale(cell, value / scales[column]!) : cell;
    });
    return [label.padEnd(labelWidth), ...cells].join(" ");
  });
  const hidden = projections.layers.length - layers.length;
  const notes = [
    ...(options.suggested !== null && layers.includes(options.suggested) ? ["* suggested layer"] : []),
    ...(hidden > 0 && options.layers === null
      ? [`${hidden} layers do not fit; name layers with --layer, or use --csv or --json for all`]
      : []),
  ];
  return [head, ...rows, ...(notes.length > 0 ? ["", ...notes] : [])].map((line) => `${line}\n`).join("");
}

/** One line a token and layer. */
export function projectionCsv(projections: Projections, layers: readonly number[]): string {
  const lines = [csvLine(["token", "id", "piece", "layer", "projection"])];
  projections.ids.forEach((id, token) => {
    for (const layer of layers) {
      lines.push(csvLine([token, id, projections.pieces[token]!, layer, projections.valueAt(layer, token)]));
    }
  });
  return lines.join("");
}

/**
 * The largest size of a layer's projections. The first token is left out where there are others: many models park a
 * residual stream there that is a hundred times longer than elsewhere and would turn all others white.
 */
function scaleOf(projections: Projections, layer: number): number {
  let most = 0;
  for (let token = Math.min(1, projections.ids.length - 1); token < projections.ids.length; token++) {
    most = Math.max(most, Math.abs(projections.valueAt(layer, token)));
  }
  return most === 0 ? 1 : most;
}

function cellText(value: number): string {
  const size = Math.abs(value);
  if (size >= 10_000) return value.toExponential(1);
  return value.toFixed(size >= 1000 ? 0 : size >= 100 ? 1 : size >= 0.01 || size === 0 ? 2 : 4);
}

/** At most `room` of `layers`, evenly spread from the first to the last, with `wanted` among them. */
function spread(layers: readonly number[], room: number, wanted: number | null): number[] {
  if (layers.length <= room) return [...layers];
  if (room === 1) return [wanted ?? layers.at(-1)!];
  const chosen = Array.from(
    { length: room },
    (_, place) => layers[Math.round((place * (layers.length - 1)) / (room - 1))]!,
  );
  if (wanted !== null && !chosen.includes(wanted)) {
    const distances = chosen.map((layer) => Math.abs(layer - wanted));
    chosen[distances.indexOf(Math.min(...distances))] = wanted;
  }
  return chosen;
}
