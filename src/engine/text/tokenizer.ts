/**
 * Text to token ids and back, for the tokenizer of a model folder, on the tokenizer classes of transformers.js. Built
 * from the folder's files alone: no network, no cache.
 */
import { PreTrainedTokenizer } from "@huggingface/transformers";
import type { TokenizedText } from "../../shared/engineContract.ts";
import { SteerscopeError } from "../../shared/errors.ts";
import type { ModelInput, Template, TextInput, TokenInput } from "../../shared/tokenInput.ts";
import { alignTokens, spellTokens } from "./alignTokens.ts";
import { renderChat, type RenderedChat } from "./chatTemplate.ts";
import { splitAtSpaces } from "./splitAtSpaces.ts";
import { createStreamDecoder, type StreamDecoder } from "./streamDecoder.ts";
import { readTokenizerFiles, type TokenizerFiles } from "./tokenizerFiles.ts";
import { tokenSurfaces, type TokenSurfaces } from "./tokenSurfaces.ts";
import { correctForTransformers } from "./upstreamCorrections.ts";

export { readEndOfSequence } from "./endOfSequence.ts";

export interface TextTokenizer {
  /** sha256 over tokenizer.json, tokenizer_config.json and a chat template that has its own file. */
  readonly hash: string;
  readonly hasChatTemplate: boolean;
  /** The token that opens a text, whether or not encoding puts it in front; null where there is none. */
  readonly beginOfSequenceId: number | null;
  /** Highest id and one; a model's vocabulary may be padded beyond it. */
  readonly vocabularySize: number;
  /**
   * Special tokens that are spelled out in the text (`<|im_start|>`) are recognised, as transformers does. Surrogates
   * without a partner become U+FFFD. Throws InvalidRequest for `chat` without a chat template, ModelUnsupported for a chat
   * template that fails.
   */
  encode(input: ModelInput, template: Template): TokenizedText;
  /** The tokens of a text that follows another one directly: no special tokens, no space put in front. */
  encodeContinuation(text: string): Int32Array;
  /** Special tokens and ids without a token are left out. */
  decode(ids: ArrayLike<number>): string;
  /** One token on its own, for display. */
  piece(id: number): string;
  /** See createStreamDecoder. */
  stream(promptIds: ArrayLike<number>): StreamDecoder;
}

/** No model reads as much; protects against pasting a whole corpus by mistake. */
const maximumTextLength = 16 * 1024 * 1024;

/**
 * Reads the tokenizer of a folder that has a tokenizer.json. Throws ModelCorrupt, or ModelUnsupported where it uses
 * something that transformers.js does not know.
 */
export async function loadTokenizer(folder: string): Promise<TextTokenizer> {
  const files = await readTokenizerFiles(folder);
  let tokenizer: PreTrainedTokenizer;
  try {
    // The base class, not the one that tokenizer_class names: for decoder-only models these differ in padding alone.
    tokenizer = new PreTrainedTokenizer(
      splitAtSpaces(correctForTransformers(files.tokenizer), files.spellings.values()),
      files.config,
    );
  } catch (error) {
    throw new SteerscopeError("ModelUnsupported", "This model's tokenizer cannot be used.", {
      remedy: "Give token ids instead of text, or use another model.",
      detail: error instanceof Error ? error.message : String(error),
      cause: error,
    });
  }
  return new FolderTokenizer(tokenizer, files);
}

class FolderTokenizer implements TextTokenizer {
  readonly hash: string;
  readonly hasChatTemplate: boolean;
  readonly beginOfSequenceId: number | null;
  readonly vocabularySize: number;
  readonly #tokenizer: PreTrainedTokenizer;
  readonly #surfaces: TokenSurfaces;
  readonly #knownIds: ReadonlyMap<number, string>;
  readonly #specialIds: ReadonlySet<number>;
  /** What the tokenizer puts before and after every text. */
  readonly #before: readonly number[];
  readonly #after: readonly number[];

  constructor(tokenizer: PreTrainedTokenizer, files: TokenizerFiles) {
    this.#tokenizer = tokenizer;
    this.#surfaces = tokenSurfaces(files);
    this.#knownIds = files.spellings;
    this.#specialIds = new Set(tokenizer.all_special_ids);
    this.hash = files.hash;
    this.hasChatTemplate = (files.config["chat_template"] ?? null) !== null;
    this.vocabularySize = this.#surfaces.vocabularySize;
    const begin: unknown = tokenizer.bos_token_id;
    this.beginOfSequenceId = typeof begin === "number" ? begin : null;
    const bare = this.#ids("a", false);
    const framed = this.#ids("a", true);
    let at = framed.length - bare.length;
    while (at > 0 && !bare.every((id, i) => framed[at + i] === id)) at--;
    this.#before = framed.slice(0, at);
    this.#after = framed.slice(at + bare.length);
  }

  encode(input: ModelInput, template: Template): TokenizedText {
    if ("ids" in input) return this.#describeIds(input);
    const { rendered, textOffsets, isFramed } = this.#render(wellFormed(input), template);
    const ids = this.#ids(rendered, false);
    const offsets = alignTokens(
      ids.map((id) => this.#surfaces.bytes(id)),
      rendered,
    );
    const before = isFramed ? this.#before : [];
    const after = isFramed ? this.#after : [];
    const all = [...before, ...ids, ...after];
    const allOffsets = new Int32Array(2 * all.length).fill(rendered.length);
    allOffsets.fill(0, 0, 2 * before.length);
    allOffsets.set(offsets, 2 * before.length);
    const [from, to] = textOffsets;
    const count = (isBefore: (token: number) => boolean): number => ids.filter((_, i) => isBefore(i)).length;
    const textStart = before.length + count((i) => offsets[2 * i + 1]! <= from);
    return {
      ids: Int32Array.from(all),
      textStart,
      textEnd: Math.max(textStart, before.length + count((i) => offsets[2 * i]! < to)),
      pieces: all.map((id) => this.#surfaces.piece(id)),
      offsets: allOffsets,
      rendered,
    };
  }

  encodeContinuation(text: string): Int32Array {
    // A line break does not join with what follows in the tokenizers of language models; where it did, the text is taken as
    // a text of its own.
    const opener = "\n";
    const clean = checkText(text).join("");
    const joined = opener + clean;
    const ids = this.#ids(joined, false);
    const offsets = alignTokens(
      ids.map((id) => this.#surfaces.bytes(id)),
      joined,
    );
    const first = ids.findIndex((_, i) => offsets[2 * i + 1]! > opener.length);
    if (first < 0) return new Int32Array(0);
    const isCleanCut = offsets[2 * first] === opener.length;
    return Int32Array.from(isCleanCut ? ids.slice(first) : this.#ids(clean, false));
  }

  decode(ids: ArrayLike<number>): string {
    const known = Array.from(ids).filter((id) => this.#knownIds.has(id));
    if (known.length === 0) return "";
    // Cleaning up (dropping the space before a comma) would make a text differ from its own tokens.
    return this.#tokenizer.decode(known, { skip_special_tokens: true, clean_up_tokenization_spaces: false });
  }

  piece(id: number): string {
    return this.#surfaces.piece(id);
  }

  stream(promptIds: ArrayLike<number>): StreamDecoder {
    return createStreamDecoder(
      promptIds,
      (ids) => this.decode(ids),
      (id) => this.#specialIds.has(id) || !this.#knownIds.has(id),
    );
  }

  #ids(text: string, withSpecialTokens: boolean): number[] {
    const ids: unknown[] = this.#tokenizer.encode(text, { add_special_tokens: withSpecialTokens });
    // transformers.js answers undefined for a piece without an id.
    if (!ids.every((id) => typeof id === "number")) {
      throw new SteerscopeError(
        "ModelCorrupt",
        "The tokenizer gives pieces that its vocabulary does not have.",
        {
          remedy: "Download the model's tokenizer files again.",
        },
      );
    }
    return ids;
  }

  #render(input: TextInput, template: Template): RenderedChat & { readonly isFramed: boolean } {
    const { prompt = "", text } = input;
    if (template === "none") {
      const rendered = prompt + text;
      return { rendered, textOffsets: [prompt.length, rendered.length], isFramed: true };
    }
    if (!this.hasChatTemplate) {
      throw new SteerscopeError("InvalidRequest", "This model has no chat template.", {
        remedy: "Use --template none.",
      });
    }
    const chat = renderChat(input, (content) =>
      this.#tokenizer.apply_chat_template([{ role: "user", content }], {
        tokenize: false,
        add_generation_prompt: true,
      }),
    );
    // The template writes the first token (BOS) itself; adding it again would give two.
    return { ...chat, isFramed: false };
  }

  #describeIds({ ids, textStart }: TokenInput): TokenizedText {
    const { text, offsets } = spellTokens(Array.from(ids, (id) => this.#surfaces.bytes(id)));
    return {
      ids,
      textStart,
      textEnd: ids.length,
      pieces: Array.from(ids, (id) => this.#surfaces.piece(id)),
      offsets,
      rendered: text,
    };
  }
}

/** Each text with surrogates that have no partner replaced, as UTF-8 encoders do. Throws InvalidRequest. */
function checkText(...texts: readonly string[]): string[] {
  if (texts.reduce((sum, text) => sum + text.length, 0) > maximumTextLength) {
    throw new SteerscopeError("InvalidRequest", `A text is longer than ${maximumTextLength} characters.`, {
      remedy: "Give shorter texts.",
    });
  }
  return texts.map((text) => text.replace(/\p{Surrogate}/gu, "\uFFFD"));
}

function wellFormed({ prompt, text }: TextInput): TextInput {
  const [clean, cleanPrompt] = checkText(text, ...(prompt === undefined ? [] : [prompt]));
  return { text: clean!, ...(cleanPrompt === undefined ? {} : { prompt: cleanPrompt }) };
}
