/** Path and size of what a zip file holds. Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3.12 */

const endSignature = 0x06054b50;
const entrySignature = 0x02014b50;
const endBytes = 22;

/** For packages that we made ourselves: no zip64. Throws where `zip` is not a zip file. */
export function zipEntries(zip) {
  let end = zip.length - endBytes;
  while (end >= 0 && zip.readUInt32LE(end) !== endSignature) end--;
  if (end < 0) throw new Error("This is not a zip file.");
  const entries = [];
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    if (zip.readUInt32LE(at) !== entrySignature) throw new Error("The zip file's directory is damaged.");
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((offset) => zip.readUInt16LE(at + offset));
    const path = zip.toString("utf8", at + 46, at + 46 + nameBytes);
    if (!path.endsWith("/")) entries.push({ path, bytes: zip.readUInt32LE(at + 24) });
    at += 46 + nameBytes + extraBytes + commentBytes;
  }
  return entries;
}
