/** `0.8*happy - 0.3*"more formal"`: the input of Combine Vectors; names as in a recipe, so a minus after one needs a space. */
import { SteerscopeError } from "../shared/errors.ts";

export interface ExpressionTerm {
  readonly weight: number;
  readonly name: string;
}

/** A term as somebody wrote it. */
export interface PlacedTerm extends ExpressionTerm {
  /** Of the name, 1-based. */
  readonly column: number;
}

const number = String.raw`\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+`;
const name = String.raw`"(?:[^"\\]|\\.)*"|[\p{L}_][\p{L}\p{N}_.-]*`;
const term = new RegExp(String.raw`\s*([+-])?\s*(?:(${number})\s*\*\s*)?(${name})\s*`, "uiy");

/**
 * Terms `weight*name` joined by + and -; a weight that is left out is 1; names with spaces or signs are quoted as in
 * JSON. Throws InvalidRequest that names the column (1-based).
 */
export function parseCombination(text: string): PlacedTerm[] {
  const terms: PlacedTerm[] = [];
  term.lastIndex = 0;
  while (terms.length === 0 || term.lastIndex < text.length) {
    const start = term.lastIndex;
    const match = term.exec(text);
    const isJoined = match?.[1] !== undefined || terms.length === 0;
    const spelled = match?.[3];
    if (match === null || spelled === undefined || !isJoined) throw unreadable(text, start);
    const weight = Number(match[2] ?? 1) * (match[1] === "-" ? -1 : 1);
    if (!Number.isFinite(weight)) throw unreadable(text, start);
    const column = start + match[0].lastIndexOf(spelled) + 1;
    terms.push({ weight, name: spelled.startsWith('"') ? unquote(text, spelled, start) : spelled, column });
  }
  return terms;
}

function unquote(text: string, spelled: string, start: number): string {
  try {
    return JSON.parse(spelled) as string;
  } catch {
    throw unreadable(text, start);
  }
}

function unreadable(text: string, index: number): SteerscopeError {
  const rest = text.slice(index).trim();
  const place = rest === "" ? "at the end" : `at column ${index + 1}, "${rest.slice(0, 20)}"`;
  return new SteerscopeError("InvalidRequest", `A term such as 0.8*name is expected ${place}.`, {
    remedy: 'Join terms by + and -; put names with spaces in quotes: 0.8*happy - 0.3*"more formal".',
  });
}
