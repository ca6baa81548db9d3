/**
 * Where transformers.js 4.3.1 (@huggingface/tokenizers 0.2.0) splits text otherwise than the tokenizers library that models were
 * trained with, the same splitting is said in other words that it understands rightly:
 *
 * - `Digits` takes ASCII digits alone; the library all numeric characters (Rust char::is_numeric: Nd, Nl, No).
 * - `ByteLevel`'s own pattern uses JavaScript's `\s`, which counts U+FEFF and not U+0085; a `Split` by the same pattern uses
 *   Unicode's White_Space.
 */
import { isRecord, type Json } from "./tokenizerFiles.ts";

/** GPT-2's pattern, as the tokenizers library has it (src/pre_tokenizers/byte_level.rs). */
const byteLevelPattern = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

function split(pattern: string): Json {
  return { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false };
}

/** Depth is bounded against hostile nesting; what lies deeper stays as it is. */
function correctPreTokenizer(part: unknown, depth = 0): unknown {
  if (!isRecord(part) || depth > 8) return part;
  const inner = part["pretokenizers"];
  switch (part["type"]) {
    case "Sequence":
      return Array.isArray(inner)
        ? { ...part, pretokenizers: inner.map((one) => correctPreTokenizer(one, depth + 1)) }
        : part;
    case "Digits":
      return split(part["individual_digits"] === true ? "\\p{N}" : "\\p{N}+");
    case "ByteLevel":
      // With a prefix space, the space must be put in front before splitting, which only ByteLevel itself can do.
      return part["use_regex"] === false || part["add_prefix_space"] === true
        ? part
        : { type: "Sequence", pretokenizers: [split(byteLevelPattern), { ...part, use_regex: false }] };
    default:
      return part;
  }
}

/** The same tokenizer.json, in words that transformers.js takes as the tokenizers library does. */
export function correctForTransformers(tokenizer: Json): Json {
  return { ...tokenizer, pre_tokenizer: correctPreTokenizer(tokenizer["pre_tokenizer"] ?? null) };
}
