/** Text for terminals: safe, aligned, coloured. */
export { size } from "../shared/units.ts";

/** Models and files may hold terminal commands; they are shown, not obeyed. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "\uFFFD");
}

/** A token on one line: spaces and line ends made visible. */
export function visibleToken(piece: string): string {
  return printable(
    piece.replaceAll("\n", "⏎").replaceAll("\t", "⇥").replaceAll("\r", "␍").replaceAll(" ", "·"),
  );
}

export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
}

/** Rows under their titles, columns two spaces apart, no space at the end of a line. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(({ title }, index) =>
    rows.reduce((most, row) => Math.max(most, row[index]!.length), title.length),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) =>
        columns[index]!.align === "left" ? cell.padEnd(widths[index]!) : cell.padStart(widths[index]!),
      )
      .join("  ")
      .trimEnd();
  return [columns.map(({ title }) => title), ...rows].map((cells) => `${line(cells)}\n`).join("");
}

/** A bar of `width` characters for `share` of 1, in eighths of a character. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(Math.max(share, 0), 1) * width * 8);
  const rest = eighths % 8;
  return "█".repeat(Math.floor(eighths / 8)) + (rest === 0 ? "" : "▏▎▍▌▋▊▉"[rest - 1]!);
}

/** Four significant digits without needless zeros, or a dash for null. */
export function figure(value: number | null): string {
  if (value === null) return "-";
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(2) : Number(value.toPrecision(4)).toString();
}

/** Three decimals, or a dash for null: for measures between -1 and 1. */
export function share(value: number | null): string {
  return value === null ? "-" : value.toFixed(3);
}

/** `1 pair`, `2 pairs`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** Fields as one line of CSV (RFC 4180). */
export function csvLine(fields: readonly (string | number | null)[]): string {
  const cells = fields.map((field) => {
    const text = field === null ? "" : String(field);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  });
  return `${cells.join(",")}\r\n`;
}

export const bold = (text: string, isOn: boolean): string => (isOn ? `\x1b[1m${text}\x1b[22m` : text);
export const dim = (text: string, isOn: boolean): string => (isOn ? `\x1b[2m${text}\x1b[22m` : text);

/** Steps from white to blue (negative) and to orange (positive), of the 256 terminal colours: told apart without green and red. */
const blues = [231, 195, 153, 117, 75, 33];
const oranges = [231, 230, 223, 216, 209, 202];

/** `text` on a background for `value` in [-1, 1]; beyond is as the end. */
export function onScale(text: string, value: number): string {
  const steps = value < 0 ? blues : oranges;
  const step = Math.min(Math.round(Math.abs(value) * (steps.length - 1)), steps.length - 1);
  return `\x1b[38;5;16;48;5;${steps[step]!}m${text}\x1b[0m`;
}
