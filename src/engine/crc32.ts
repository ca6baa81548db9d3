import * as zlib from "node:zlib";

/** CRC-32 of zlib, PNG and IEEE 802.3. */
export const crc32: (bytes: Uint8Array) => number =
  // Node has its own, much faster one from 20.15 and 22.2 on.
  "crc32" in zlib ? (bytes) => zlib.crc32(bytes) : crc32Portable;

let table: Uint32Array | undefined;

/** The same by table, for older versions of Node. */
export function crc32Portable(bytes: Uint8Array): number {
  table ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    return value;
  });
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = table[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
