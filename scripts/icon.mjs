/**
 * node scripts/icon.mjs
 *
 * Draws media/icon.png, 256 x 256: the layers of a model as bars, and the arrow that bends what flows through them. Shapes are
 * distance functions, so that edges are smooth without any library.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import { root } from "./install.mjs";

const size = 256;
const mix = (from, to, share) => from.map((value, index) => value + (to[index] - value) * share);
const colour = (hex) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));

/** Signed distances in pixels, negative inside. */
function segment(x, y, [ax, ay], [bx, by], width) {
  const along = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2);
  const share = Math.min(1, Math.max(0, along));
  return Math.hypot(x - ax - share * (bx - ax), y - ay - share * (by - ay)) - width / 2;
}
function roundedSquare(x, y, radius) {
  const half = size / 2;
  const [dx, dy] = [x, y].map((value) => Math.abs(value - half) - half + radius);
  return Math.hypot(Math.max(dx, 0), Math.max(dy, 0)) + Math.min(Math.max(dx, dy), 0) - radius;
}
/** A quadratic curve as short straight pieces. */
function curve([ax, ay], [bx, by], [cx, cy], pieces = 24) {
  const point = (t) => [
    (1 - t) ** 2 * ax + 2 * t * (1 - t) * bx + t * t * cx,
    (1 - t) ** 2 * ay + 2 * t * (1 - t) * by + t * t * cy,
  ];
  return Array.from({ length: pieces }, (_, index) => [point(index / pieces), point((index + 1) / pieces)]);
}

const bars = [
  { from: [52, 202], to: [148, 202], colour: colour("#74c0fc") },
  { from: [52, 156], to: [104, 156], colour: colour("#4dabf7") },
  { from: [52, 110], to: [80, 110], colour: colour("#339af0") },
].map((bar) => ({ ...bar, width: 18 }));
const tip = [208, 182];
const arrow = [...curve([60, 58], [150, 78], tip), [tip, [214, 124]], [tip, [156, 160]]].map(
  ([from, to]) => ({ from, to, width: 20, colour: colour("#ffa94d") }),
);

const pixels = Buffer.alloc(size * (size * 4 + 1));
for (let row = 0; row < size; row++) {
  for (let column = 0; column < size; column++) {
    const [x, y] = [column + 0.5, row + 0.5];
    const cover = (distance) => Math.min(1, Math.max(0, 0.5 - distance));
    let rgb = mix(colour("#243040"), colour("#151c26"), row / size);
    for (const bar of bars) rgb = mix(rgb, bar.colour, cover(segment(x, y, bar.from, bar.to, bar.width)));
    // One shape: pieces drawn one over another would show their seams.
    const distance = Math.min(...arrow.map(({ from, to, width }) => segment(x, y, from, to, width)));
    rgb = mix(rgb, arrow[0].colour, cover(distance));
    const alpha = 255 * cover(roundedSquare(x, y, 44));
    pixels.set([...rgb, alpha].map(Math.round), row * (size * 4 + 1) + 1 + column * 4);
  }
}

function chunk(name, data) {
  const body = Buffer.concat([Buffer.from(name, "latin1"), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}
const header = Buffer.alloc(13);
header.writeUInt32BE(size, 0);
header.writeUInt32BE(size, 4);
// 8 bits a channel, red, green, blue, alpha.
header.set([8, 6], 8);
writeFileSync(
  join(root, "media/icon.png"),
  Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(pixels, { level: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]),
);
