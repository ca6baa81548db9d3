/** One member of a JSON object with the characters it was written with. */
export interface JsonMember {
  readonly key: string;
  /** Key, colon and value as they stand, without the white space around the member. */
  readonly source: string;
  /** Where `source` begins in the text. */
  readonly start: number;
  /** Where the value begins in the text. */
  readonly valueStart: number;
}

/**
 * The members of the object that `text` holds, in their order, twice-named ones included: what JSON.parse loses (order
 * of numeric keys, spelling of numbers). `text` must be a JSON object that JSON.parse accepts.
 */
export function jsonMembers(text: string): JsonMember[] {
  const members: JsonMember[] = [];
  let depth = 0;
  let start = -1;
  let colon = -1;
  for (let index = 0; index < text.length; index++) {
    const character = text[index]!;
    if (character === '"') {
      if (depth === 1 && start < 0) start = index;
      index = closingQuote(text, index);
    } else if (character === ":" && depth === 1 && colon < 0) {
      colon = index;
    } else if (character === "{" || character === "[") {
      depth++;
    } else if (character === "}" || character === "]" || (character === "," && depth === 1)) {
      if (depth === 1 && start >= 0) {
        const key = JSON.parse(text.slice(start, colon)) as string;
        const source = text.slice(start, index).trimEnd();
        const valueStart = colon + 1 + /^\s*/.exec(text.slice(colon + 1, index))![0].length;
        members.push({ key, source, start, valueStart });
        start = -1;
        colon = -1;
      }
      if (character !== ",") depth--;
    }
  }
  return members;
}

/** Columns [from, to) of the value of `key` in a line that holds an object; of the whole line where there is none. */
export function valueColumns(raw: string, key: string): { from: number; to: number } {
  const member = jsonMembers(raw).findLast((each) => each.key === key);
  return member === undefined
    ? { from: 0, to: raw.length }
    : { from: member.valueStart, to: member.start + member.source.length };
}

function closingQuote(text: string, opening: number): number {
  let index = opening + 1;
  while (index < text.length && text[index] !== '"') index += text[index] === "\\" ? 2 : 1;
  return index;
}
