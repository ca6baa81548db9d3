/**
 * `npm run picture [-- <file>]`: draws what `npm run demo` prints, or printed into the file, as docs/images/demo.svg: the
 * layers, and the story without the vector, against it and with it. The words are the demo's; lines are broken as a
 * terminal of this width would. Run it by hand when the demo's output changes.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root } from "./install.mjs";

const target = join(root, "docs/images/demo.svg");
const columns = 100;
const advance = 8.4;
const lineHeight = 20;
const margin = 24;
/** Blue against orange, as in the terminal: told apart without green and red. */
const light = {
  paper: "#ffffff",
  edge: "#d1d9e0",
  ink: "#1f2328",
  faint: "#59636e",
  minus: "#0550ae",
  plus: "#a04100",
};
const dark = {
  paper: "#0d1117",
  edge: "#3d444d",
  ink: "#e6edf3",
  faint: "#9198a1",
  minus: "#79c0ff",
  plus: "#ffa657",
};
const title =
  "Steering vectors for happy and sad stories: each layer's measures, and one story steered both ways";

/** What the demo prints, line by line. */
function demoOutput(file) {
  if (file !== undefined) return readFileSync(file, "utf8");
  const { status, stdout } = spawnSync(process.execPath, [join(root, "scripts/demo.mjs")], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) process.exit(1);
  return stdout;
}

/** The first line that begins with `start` and what follows it, up to the next that begins with `end`. */
function between(lines, start, end) {
  const first = lines.findIndex((line) => line.startsWith(start));
  const length = lines.slice(first).findIndex((line) => line.startsWith(end));
  if (first < 0 || length < 0) throw new Error(`The demo's output has no "${start}" before "${end}".`);
  return lines.slice(first, first + length);
}

/** At spaces, as words wrap; a line without a space within the width stays whole. */
function wrap(line) {
  const parts = [];
  let rest = line;
  while (rest.length > columns) {
    const at = rest.lastIndexOf(" ", columns);
    if (at <= 0) break;
    parts.push(rest.slice(0, at));
    rest = rest.slice(at + 1);
  }
  return [...parts, rest];
}

function styleOf(line) {
  if (line.startsWith("$ ")) return "command";
  if (line.startsWith("strength -")) return "negative";
  if (line.startsWith("strength ")) return "positive";
  return line === "unsteered" || line.trimStart().startsWith("layer ") ? "head" : "plain";
}

/** Without CSS variables, which not every viewer of SVG knows. */
function colours({ paper, edge, ink, faint, minus, plus }) {
  return [
    `.paper { fill: ${paper}; stroke: ${edge}; }`,
    `.plain, .head { fill: ${ink}; }`,
    `.command { fill: ${faint}; }`,
    `.negative { fill: ${minus}; }`,
    `.positive, .bar { fill: ${plus}; }`,
  ].join("\n");
}

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const decimals = (value) => Number(value.toFixed(2));

/** A line; fonts differ in width, so each piece of text is stretched to its columns. */
function drawn({ text, style }, row) {
  const y = margin + row * lineHeight + 15;
  const pieces = [...text.matchAll(/[█▏▎▍▌▋▊▉]+|[^\s█▏▎▍▌▋▊▉]+(?: [^\s█▏▎▍▌▋▊▉]+)*/g)];
  return pieces.map(({ 0: piece, index }) => {
    const x = decimals(margin + index * advance);
    if (/^[█▏▎▍▌▋▊▉]/.test(piece)) {
      // Block characters come from other fonts; U+2588 is a whole one, U+2589 to U+258F are 7 to 1 eighths.
      const eighths = [...piece].reduce((sum, block) => sum + 0x2590 - block.codePointAt(0), 0);
      return `<rect class="bar" x="${x}" y="${y - 11}" width="${decimals((eighths / 8) * advance)}" height="12"/>`;
    }
    const width = decimals(piece.length * advance);
    return `<text class="${style}" x="${x}" y="${y}" textLength="${width}">${escaped(piece)}</text>`;
  });
}

const lines = demoOutput(process.argv[2]).split(/\r?\n/);
const layers = between(lines, "$ node dist/cli.js compute", "norm:");
const suggestion = between(lines, "Suggested:", ".cache");
const story = between(lines, "$ node dist/cli.js generate", "stories15m,");
const shown = [...layers, ...suggestion, "", ...story].flatMap((line) => {
  const style = styleOf(line);
  return wrap(line.trimEnd()).map((text) => ({ text, style }));
});
while (shown.at(-1).text === "") shown.pop();
const width = decimals(columns * advance + 2 * margin);
const height = shown.length * lineHeight + 2 * margin;
const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>${escaped(title)}</title>
<style>
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.head, .negative, .positive { font-weight: bold; }
${colours(light)}
@media (prefers-color-scheme: dark) {
${colours(dark)}
}
</style>
<rect class="paper" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>
${shown.flatMap(drawn).join("\n")}
</svg>
`;
mkdirSync(dirname(target), { recursive: true });
writeFileSync(target, svg);
console.log(`${target} written`);
