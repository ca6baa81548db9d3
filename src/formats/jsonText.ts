/** A string of a JSON text, and where each of its characters is written. */
export interface JsonText {
  readonly text: string;
  /** [text.length + 1]: offset in the JSON text of each UTF-16 unit, and of the closing quote. */
  readonly offsets: Int32Array;
}

const simpleEscapes: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/** Reads the string whose opening quote is at `start` of a text that JSON.parse accepts. */
export function readJsonText(json: string, start: number): JsonText {
  let text = "";
  const offsets: number[] = [];
  let at = start + 1;
  while (at < json.length && json[at] !== '"') {
    offsets.push(at);
    if (json[at] !== "\\") {
      text += json[at]!;
      at += 1;
      continue;
    }
    const escape = json[at + 1]!;
    if (escape === "u") {
      text += String.fromCharCode(Number.parseInt(json.slice(at + 2, at + 6), 16));
      at += 6;
    } else {
      text += simpleEscapes[escape] ?? escape;
      at += 2;
    }
  }
  offsets.push(at);
  return { text, offsets: Int32Array.from(offsets) };
}
