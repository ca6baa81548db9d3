/**
 * Texts of a document as a model reads them, and the tokens found in them, as offsets of the document. No vscode here:
 * offsets are UTF-16 units from the start of the document, ranges are half-open.
 */
import { quantile } from "../../steering/statistics.ts";

/** One text to be inspected. */
export interface DocumentText {
  readonly text: string;
  /** Precedes the text for the model; not coloured. */
  readonly prompt: string;
  /** [text.length + 1]: document offset of each character, and of the end. */
  readonly offsets: Int32Array;
  /** It stands for the document, whatever its length: what is written at its ends belongs to it. */
  readonly isWhole: boolean;
}

/** A stretch of the document that stands for one token, or for several that share a character. */
export interface TokenCell {
  readonly from: number;
  readonly to: number;
  /** Tokens [first, end) of the region. */
  readonly first: number;
  readonly end: number;
}

/** Where a text stands now, and what is known of its tokens. */
export interface Region {
  readonly from: number;
  readonly to: number;
  /** Of a text that stands for the document. */
  readonly isWhole: boolean;
  readonly cells: readonly TokenCell[];
  readonly pieces: readonly string[];
  /** [layers, tokens] */
  readonly projections: Float32Array;
  /** The first token that the model reads, where many models park a residual stream a hundred times longer: index or -1. */
  readonly sink: number;
}

/** Sizes from which a token is coloured weakly, middling and strongly. */
export type ColourScale = readonly [weak: number, middle: number, strong: number];

/** Shares of the tokens that stay below each step of the scale. */
export const scalePercentiles = [0.5, 0.75, 0.9] as const;

/**
 * A stretch of a document that begins at `start`, or the whole of it; the model reads line feeds where the document has
 * Windows' ends.
 */
export function plainText(raw: string, start: number, isWhole = false): DocumentText {
  const offsets: number[] = [];
  let text = "";
  for (let at = 0; at < raw.length; at++) {
    if (raw[at] === "\r" && raw[at + 1] === "\n") continue;
    offsets.push(start + at);
    text += raw[at]!;
  }
  offsets.push(start + raw.length);
  return { text, prompt: "", offsets: Int32Array.from(offsets), isWhole };
}

export function regionOf({ offsets, isWhole }: DocumentText): Region {
  const from = offsets[0]!;
  const to = offsets[offsets.length - 1]!;
  return { from, to, isWhole, cells: [], pieces: [], projections: new Float32Array(0), sink: -1 };
}

/**
 * Cells of the tokens of `text`. `tokenOffsets` [tokens, 2] are places in prompt and text together; tokens that stand for
 * nothing, and those of the prompt, have no cell.
 */
export function tokenCells(text: DocumentText, tokenOffsets: Int32Array, tokens: number): TokenCell[] {
  const cells: TokenCell[] = [];
  const shift = text.prompt.length;
  const length = text.text.length;
  for (let token = 0; token < tokens; token++) {
    const from = Math.max(0, tokenOffsets[2 * token]! - shift);
    const to = Math.min(length, tokenOffsets[2 * token + 1]! - shift);
    if (from >= to) continue;
    const cell = { from: text.offsets[from]!, to: text.offsets[to]!, first: token, end: token + 1 };
    const last = cells.at(-1);
    // Bytes of one character: they share its place.
    if (last !== undefined && cell.from < last.to) {
      cells[cells.length - 1] = { ...last, to: Math.max(last.to, cell.to), end: cell.end };
    } else cells.push(cell);
  }
  return cells;
}

export function projectionAt({ projections, pieces }: Region, layer: number, token: number): number {
  return projections[layer * pieces.length + token]!;
}

/** The projection that a cell is coloured by: the largest in size of its tokens. */
export function cellProjection(region: Region, cell: TokenCell, layer: number): number {
  let value = projectionAt(region, layer, cell.first);
  for (let token = cell.first + 1; token < cell.end; token++) {
    const other = projectionAt(region, layer, token);
    if (Math.abs(other) > Math.abs(value)) value = other;
  }
  return value;
}

export function isSink(region: Region, cell: TokenCell): boolean {
  return cell.first <= region.sink && region.sink < cell.end;
}

/** Percentiles of the sizes of all cells but the first tokens; null where there are none, or all are zero. */
export function colourScale(regions: readonly Region[], layer: number): ColourScale | null {
  const sizes = regions.flatMap((region) =>
    region.cells
      .filter((cell) => !isSink(region, cell))
      .map((cell) => Math.abs(cellProjection(region, cell, layer))),
  );
  if (!sizes.some((size) => size > 0)) return null;
  const [weak, middle, strong] = scalePercentiles.map((percentile) => quantile(sizes, percentile));
  return [weak!, middle!, strong!];
}

/** -3 to 3: how strongly a projection is coloured, and on which side; 0: not at all. */
export function colourStep(value: number, scale: ColourScale): number {
  const size = Math.abs(value);
  if (size === 0) return 0;
  return Math.sign(value) * scale.filter((step) => size >= step).length;
}

export interface TextChange {
  readonly offset: number;
  readonly removed: number;
  readonly inserted: number;
}

/** Whether a change is to the region's own text; at its ends nothing of it is touched, unless it is the whole document. */
export function isInside({ from, to, isWhole }: Region, { offset, removed }: TextChange): boolean {
  return isWhole ? offset <= to : offset < to && offset + removed > from;
}

/**
 * The region after a change of the document; null where its boundary is gone. Cells that the change may have made wrong
 * are gone: a decoder reads from left to right, so those from `keepUntil` on, the end of the last word before the change.
 */
export function changeRegion(region: Region, change: TextChange, keepUntil: number): Region | null {
  const { offset, removed, inserted } = change;
  const end = offset + removed;
  const shift = inserted - removed;
  if (!isInside(region, change)) {
    if (offset >= region.to) return region;
    return {
      ...region,
      from: region.from + shift,
      to: region.to + shift,
      cells: region.cells.map((cell) => ({ ...cell, from: cell.from + shift, to: cell.to + shift })),
    };
  }
  if (offset < region.from) return null;
  // The end of a long document may lie behind what of it is read.
  const to = region.isWhole ? Math.max(region.to, end) + shift : region.to + shift;
  if ((end > region.to && !region.isWhole) || to <= region.from) return null;
  return {
    ...region,
    to,
    cells: region.cells.filter(({ to }) => to <= keepUntil),
  };
}

/** A run of the model over part of the tokens. */
export interface TokenWindow {
  /** Tokens [start, end), read after the special tokens at the beginning of the text. */
  readonly start: number;
  readonly end: number;
  /** What is before it only gives context. */
  readonly keepFrom: number;
}

/**
 * Windows over `tokens` tokens, the first `special` of which are repeated before each, such that every token is read with
 * at least half a context before it, or all there is.
 */
export function tokenWindows(tokens: number, special: number, contextLength: number): TokenWindow[] {
  if (tokens <= contextLength) return [{ start: special, end: tokens, keepFrom: 0 }];
  const capacity = Math.max(2, contextLength - special);
  const stride = Math.floor(capacity / 2);
  const windows: TokenWindow[] = [];
  for (let start = special; ; start += stride) {
    const end = Math.min(tokens, start + capacity);
    windows.push({ start, end, keepFrom: windows.at(-1)?.end ?? 0 });
    if (end === tokens) return windows;
  }
}
