/** Comma- and tab-separated text: RFC 4180, and what spreadsheets write instead (semicolons, bare quotes, any line end). */

export interface DelimitedRecord {
  /** 1-based line at which the record begins; a quoted field may span several. */
  readonly line: number;
  readonly fields: readonly string[];
  /** A quoted field never ended: the rest of the file is in it. */
  readonly isOpen: boolean;
}

export type Delimiter = "," | "\t" | ";";

/** The one of comma, semicolon and tab that the first line has most of, outside quotes. */
export function guessDelimiter(text: string): Delimiter {
  const counts: Record<Delimiter, number> = { ",": 0, ";": 0, "\t": 0 };
  let isQuoted = false;
  for (const character of text.slice(0, 100_000)) {
    if (character === '"') isQuoted = !isQuoted;
    else if (!isQuoted && (character === "\n" || character === "\r")) break;
    else if (!isQuoted && Object.hasOwn(counts, character)) counts[character as Delimiter]++;
  }
  if (counts["\t"] > counts[","] && counts["\t"] >= counts[";"]) return "\t";
  return counts[";"] > counts[","] ? ";" : ",";
}

/** The records of `text` one after the other; empty lines are left out. */
export function* delimitedRecords(text: string, delimiter: Delimiter): Generator<DelimitedRecord> {
  let index = text.startsWith("\uFEFF") ? 1 : 0;
  let line = 1;
  while (index < text.length) {
    const start = line;
    const fields: string[] = [];
    let isOpen = false;
    for (;;) {
      const field = readField(text, index, delimiter);
      fields.push(field.value);
      line += field.lines;
      index = field.next;
      isOpen ||= field.isOpen;
      if (text[index] !== delimiter) break;
      index++;
    }
    if (text[index] === "\r") index++;
    if (text[index] === "\n") index++;
    line++;
    if (fields.length > 1 || fields[0] !== "") yield { line: start, fields, isOpen };
  }
}

/** One record with its line end; fields are quoted where they must be. */
export function formatRecord(fields: readonly string[], delimiter: Delimiter): string {
  const quoted = fields.map((field) =>
    /["\r\n]/.test(field) || field.includes(delimiter) ? `"${field.replaceAll('"', '""')}"` : field,
  );
  return `${quoted.join(delimiter)}\r\n`;
}

interface ReadField {
  readonly value: string;
  /** At the delimiter, the line end or the end of the text. */
  readonly next: number;
  /** Line ends inside the field. */
  readonly lines: number;
  readonly isOpen: boolean;
}

function readField(text: string, start: number, delimiter: Delimiter): ReadField {
  if (text[start] !== '"') return { ...readBare(text, start, delimiter), lines: 0, isOpen: false };
  let value = "";
  let index = start + 1;
  for (;;) {
    const quote = text.indexOf('"', index);
    if (quote < 0) {
      value += text.slice(index);
      return { value, next: text.length, lines: countLineEnds(value), isOpen: true };
    }
    value += text.slice(index, quote);
    index = quote + 1;
    if (text[index] !== '"') break;
    value += '"';
    index++;
  }
  const lines = countLineEnds(value);
  // Text behind a closing quote is an error that spreadsheets forgive.
  const rest = readBare(text, index, delimiter);
  return { value: value + rest.value, next: rest.next, lines, isOpen: false };
}

function readBare(text: string, start: number, delimiter: Delimiter): { value: string; next: number } {
  let next = start;
  while (next < text.length && text[next] !== delimiter && text[next] !== "\n" && text[next] !== "\r") {
    next++;
  }
  return { value: text.slice(start, next), next };
}

function countLineEnds(text: string): number {
  return text.match(/\r\n|\n|\r/g)?.length ?? 0;
}
