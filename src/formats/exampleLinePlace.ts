/** What can be written at a place of a line of an example set. */
export type ExampleLinePlace =
  | { readonly kind: "line" }
  /** `from`: where the key begins, its quote included. */
  | { readonly kind: "key"; readonly from: number }
  | { readonly kind: "value"; readonly key: string; readonly from: number }
  | { readonly kind: "other" };

/** Where a line that reads `before` up to the cursor goes on; nested objects are left alone. */
export function exampleLinePlace(before: string): ExampleLinePlace {
  if (before.trim() === "") return { kind: "line" };
  let depth = 0;
  let key: string | null = null;
  let isValue = false;
  /** Where the string or the word under the cursor begins. */
  let from = before.length;
  let isOpen = false;
  for (let at = 0; at < before.length; at++) {
    const character = before[at]!;
    if (character === '"') {
      const end = closingQuote(before, at);
      from = at;
      isOpen = end < 0;
      if (isOpen) break;
      if (depth === 1 && !isValue) key = before.slice(at + 1, end);
      at = end;
    } else if (character === "{" || character === "[") depth++;
    else if (character === "}" || character === "]") depth--;
    else if (depth === 1 && character === ":") isValue = true;
    else if (depth === 1 && character === ",") {
      isValue = false;
      key = null;
    } else if (depth === 1 && /[A-Za-z]/.test(character) && !/[A-Za-z]/.test(before[at - 1] ?? "")) from = at;
  }
  if (depth !== 1) return { kind: "other" };
  const last = before.trimEnd().at(-1)!;
  const start = isOpen || /[A-Za-z]/.test(before.at(-1)!) ? from : before.length;
  if (isValue) {
    const canStart = isOpen || last === ":" || start < before.length;
    return key !== null && canStart ? { kind: "value", key, from: start } : { kind: "other" };
  }
  const canStart = isOpen || last === "{" || last === "," || start < before.length;
  return canStart ? { kind: "key", from: start } : { kind: "other" };
}

function closingQuote(text: string, opening: number): number {
  for (let at = opening + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === '"') return at;
  }
  return -1;
}
