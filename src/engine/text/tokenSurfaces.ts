/**
 * The bytes that each token stands for, found from how the tokenizer spells them: byte-level alphabets (GPT-2, Llama 3,
 * Qwen), or plain text with a mark for the space and tokens such as <0x0A> for single bytes (Llama 2, Mistral, Gemma).
 */
import { isRecord, type Json, type TokenizerFiles } from "./tokenizerFiles.ts";

export interface TokenSurfaces {
  /** null: the token says nothing about the text it stands for (an unknown-token, or no token at all). */
  bytes(id: number): Uint8Array | null;
  /** The token on its own, for display: bytes that are no whole character appear as <0xF0>. */
  piece(id: number): string;
  /** Highest id and one. */
  readonly vocabularySize: number;
}

/** Parts of a component of tokenizer.json, `Sequence` taken apart. Depth is bounded against hostile nesting. */
function componentParts(component: unknown, depth = 0): Json[] {
  if (!isRecord(component) || depth > 8) return [];
  if (component["type"] !== "Sequence") return [component];
  const parts = component["normalizers"] ?? component["pretokenizers"] ?? component["decoders"];
  return Array.isArray(parts) ? parts.flatMap((part) => componentParts(part, depth + 1)) : [];
}

/** GPT-2's printable alphabet for bytes: openai/gpt-2 src/encoder.py, bytes_to_unicode. */
function byteAlphabet(): Map<string, number> {
  const isPrintable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  const alphabet = new Map<string, number>();
  let moved = 0;
  for (let byte = 0; byte < 256; byte++) {
    alphabet.set(String.fromCharCode(isPrintable(byte) ? byte : 256 + moved++), byte);
  }
  return alphabet;
}

/** The character that the decoder turns into a space; null where it has none. */
export function spaceMark(tokenizer: Json): string | null {
  for (const part of componentParts(tokenizer["decoder"])) {
    if (part["type"] === "Metaspace") {
      return typeof part["replacement"] === "string" ? part["replacement"] : "▁";
    }
    const pattern = part["pattern"];
    if (part["type"] === "Replace" && part["content"] === " " && isRecord(pattern)) {
      if (typeof pattern["String"] === "string") return pattern["String"];
    }
  }
  return null;
}

const utf8 = new TextEncoder();

/** Well-formed text stays as it is; every other byte becomes <0x..>. */
function displayBytes(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length;) {
    const length = characterLength(bytes, at);
    text +=
      length === 0
        ? `<0x${bytes[at]!.toString(16).toUpperCase().padStart(2, "0")}>`
        : Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString("utf8");
    at += Math.max(1, length);
  }
  return text;
}

/** Length of the UTF-8 character that begins at `at`; 0 where none does (RFC 3629: no overlong forms, no surrogates). */
export function characterLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  const length = first >= 0xf5 ? 0 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  for (let i = 1; i < length; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) return 0;
  const second = bytes[at + 1]!;
  if (first === 0xe0 && second < 0xa0) return 0;
  if (first === 0xed && second > 0x9f) return 0;
  if (first === 0xf0 && second < 0x90) return 0;
  if (first === 0xf4 && second > 0x8f) return 0;
  return length;
}

export function tokenSurfaces({ tokenizer, addedTokens, spellings }: TokenizerFiles): TokenSurfaces {
  const model = isRecord(tokenizer["model"]) ? tokenizer["model"] : {};
  const isByteLevel = ["decoder", "pre_tokenizer"]
    .flatMap((name) => componentParts(tokenizer[name]))
    .some((part) => part["type"] === "ByteLevel");
  const alphabet = byteAlphabet();
  const mark = spaceMark(tokenizer);
  const hasByteFallback = model["byte_fallback"] === true;
  const literal = new Map(addedTokens.map(({ id, content }) => [id, content]));
  const unknownToken = model["unk_token"] ?? null;
  const unknownId = typeof model["unk_id"] === "number" ? model["unk_id"] : null;

  const spelledBytes = (spelling: string): Uint8Array => {
    if (isByteLevel) {
      const bytes = Array.from(spelling, (character) => alphabet.get(character));
      return bytes.every((byte) => byte !== undefined) ? Uint8Array.from(bytes) : utf8.encode(spelling);
    }
    const byte = hasByteFallback ? /^<0x([0-9A-Fa-f]{2})>$/.exec(spelling)?.[1] : undefined;
    if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16));
    return utf8.encode(mark === null ? spelling : spelling.replaceAll(mark, " "));
  };

  const known = new Map<number, Uint8Array>();
  const pieces = new Map<number, string>();
  const bytes = (id: number): Uint8Array | null => {
    const cached = known.get(id);
    if (cached !== undefined) return cached;
    const spelling = spellings.get(id);
    if (spelling === undefined) return null;
    const content = literal.get(id);
    const found = content === undefined ? spelledBytes(spelling) : utf8.encode(content);
    known.set(id, found);
    return found;
  };

  let vocabularySize = 0;
  for (const id of spellings.keys()) vocabularySize = Math.max(vocabularySize, id + 1);
  return {
    vocabularySize,
    bytes: (id) => (id === unknownId || spellings.get(id) === unknownToken ? null : bytes(id)),
    piece(id) {
      const cached = pieces.get(id);
      if (cached !== undefined) return cached;
      const found = bytes(id);
      if (found === null) return `<${id}>`;
      const piece = displayBytes(found);
      pieces.set(id, piece);
      return piece;
    },
  };
}
