import { isRecord, type Json } from "./tokenizerFiles.ts";
import { spaceMark } from "./tokenSurfaces.ts";

/**
 * Tokenizers of Llama 2's kind join pairs over the whole text at once, which transformers.js does slowly. Where no token has a space after another character, no join can cross such a place, so splitting
 * there first gives the same tokens; words then come from its cache.
 */
export function splitAtSpaces(tokenizer: Json, spellings: Iterable<string>): Json {
  const mark = spaceMark(tokenizer);
  const model = tokenizer["model"];
  // ignore_merges looks up whole pieces, so there the pieces must stay what they are.
  if (mark?.length !== 1 || !isRecord(model) || model["type"] !== "BPE" || model["ignore_merges"] === true) {
    return tokenizer;
  }
  for (const spelling of spellings) {
    const last = spelling.lastIndexOf(mark);
    if (last > 0 && spelling.slice(0, last) !== mark.repeat(last)) return tokenizer;
  }
  const escaped = `\\u{${mark.charCodeAt(0).toString(16)}}`;
  const split = {
    type: "Split",
    pattern: { Regex: `${escaped}*[^${escaped}]+|${escaped}+` },
    behavior: "Isolated",
    invert: false,
  };
  const before = isRecord(tokenizer["pre_tokenizer"]) ? [tokenizer["pre_tokenizer"]] : [];
  return { ...tokenizer, pre_tokenizer: { type: "Sequence", pretokenizers: [...before, split] } };
}
