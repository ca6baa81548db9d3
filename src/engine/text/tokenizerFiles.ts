/**
 * Reads the tokenizer files of a model folder. They come from anywhere, so sizes and counts are bounded and the shape is
 * checked before anything is built from them; nothing outside the folder is read.
 */
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { SteerscopeError } from "../../shared/errors.ts";

export type Json = Readonly<Record<string, unknown>>;

export interface AddedToken {
  readonly id: number;
  readonly content: string;
}

export interface TokenizerFiles {
  readonly tokenizer: Json;
  readonly config: Json;
  readonly addedTokens: readonly AddedToken[];
  /** The vocabulary's spelling of each id, added tokens included; ids without a token are missing. */
  readonly spellings: ReadonlyMap<number, string>;
  readonly hash: string;
}

/** The largest known (Gemma) is 33 MB. */
const maximumTokenizerBytes = 128 * 1024 * 1024;
const maximumConfigBytes = 16 * 1024 * 1024;
const maximumTemplateBytes = 1024 * 1024;
/** The largest known vocabulary has 262,208. */
const maximumTokens = 2_000_000;
const maximumId = 2 ** 24;

const modelTypes = ["BPE", "Unigram", "WordPiece"];

export function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function corrupt(name: string, what: string, cause?: unknown): SteerscopeError {
  return new SteerscopeError("ModelCorrupt", `${name} cannot be used: ${what}.`, {
    remedy: "Download the model's tokenizer files again.",
    cause,
  });
}

/** The file's bytes; null where it does not exist. Throws ModelCorrupt. */
async function readBounded(folder: string, name: string, maximumBytes: number): Promise<Buffer | null> {
  const path = join(folder, name);
  try {
    const { size } = await stat(path);
    if (size > maximumBytes) throw corrupt(name, `it is larger than ${maximumBytes} bytes`);
    return await readFile(path);
  } catch (error) {
    if (error instanceof SteerscopeError) throw error;
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw corrupt(name, error instanceof Error ? error.message : String(error), error);
  }
}

function parse(name: string, bytes: Buffer): Json {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw corrupt(name, "it is not JSON", error);
  }
  if (!isRecord(value)) throw corrupt(name, "it is not a JSON object");
  return value;
}

function isTokenId(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value < maximumId;
}

/** [spelling, id] pairs: a record of ids, or Unigram's list of [spelling, score]. */
function vocabularyEntries(vocabulary: unknown): [string, unknown][] {
  if (isRecord(vocabulary)) return Object.entries(vocabulary);
  if (!Array.isArray(vocabulary)) throw corrupt("tokenizer.json", "it has no vocabulary");
  return vocabulary.map((entry: unknown, id) => {
    const [spelling, score] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (typeof spelling !== "string" || typeof score !== "number") {
      throw corrupt("tokenizer.json", `entry ${id} of the vocabulary is not a spelling and a score`);
    }
    return [spelling, id];
  });
}

function readAddedTokens(tokenizer: Json): AddedToken[] {
  const list = tokenizer["added_tokens"];
  if (!Array.isArray(list) || list.length > maximumTokens) {
    throw corrupt("tokenizer.json", "added_tokens is not a list of tokens");
  }
  return list.map((token: unknown) => {
    if (!isRecord(token) || !isTokenId(token["id"]) || typeof token["content"] !== "string") {
      throw corrupt("tokenizer.json", "added_tokens holds something that is not a token");
    }
    return { id: token["id"], content: token["content"] };
  });
}

function readSpellings(tokenizer: Json, addedTokens: readonly AddedToken[]): Map<number, string> {
  const model = tokenizer["model"];
  if (!isRecord(model)) throw corrupt("tokenizer.json", "it has no model");
  const type = model["type"];
  if (type !== undefined && (typeof type !== "string" || !modelTypes.includes(type))) {
    throw new SteerscopeError(
      "ModelUnsupported",
      `Tokenizers of the kind ${JSON.stringify(type)} are not supported.`,
      {
        remedy: "Give token ids instead of text, or use a model whose tokenizer is BPE or Unigram.",
      },
    );
  }
  const entries = vocabularyEntries(model["vocab"]);
  if (entries.length > maximumTokens) {
    throw corrupt("tokenizer.json", `it has more than ${maximumTokens} tokens`);
  }
  if (type === "BPE" && !Array.isArray(model["merges"])) throw corrupt("tokenizer.json", "it has no merges");
  const spellings = new Map<number, string>();
  for (const [spelling, id] of entries) {
    if (!isTokenId(id)) throw corrupt("tokenizer.json", `the id of "${spelling}" is not a token id`);
    spellings.set(id, spelling);
  }
  for (const { id, content } of addedTokens) spellings.set(id, content);
  return spellings;
}

/**
 * The chat template of a folder: a file of its own wins over tokenizer_config.json, as in transformers (4.43 and later
 * write chat_template.jinja, some multimodal models chat_template.json).
 */
async function readChatTemplate(folder: string, hashed: Buffer[]): Promise<unknown> {
  const jinja = await readBounded(folder, "chat_template.jinja", maximumTemplateBytes);
  if (jinja !== null) {
    hashed.push(jinja);
    return jinja.toString("utf8");
  }
  const json = await readBounded(folder, "chat_template.json", maximumTemplateBytes);
  if (json === null) return undefined;
  hashed.push(json);
  return parse("chat_template.json", json)["chat_template"];
}

/** Reads and checks a folder's tokenizer. Throws ModelCorrupt, or ModelUnsupported for a kind of tokenizer we do not know. */
export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
  const tokenizerBytes = await readBounded(folder, "tokenizer.json", maximumTokenizerBytes);
  if (tokenizerBytes === null) throw corrupt("tokenizer.json", "the folder does not have it");
  const configBytes =
    (await readBounded(folder, "tokenizer_config.json", maximumConfigBytes)) ?? Buffer.from("{}");
  const hashed = [tokenizerBytes, configBytes];
  const ownTemplate = await readChatTemplate(folder, hashed);

  const tokenizer = parse("tokenizer.json", tokenizerBytes);
  const config = parse("tokenizer_config.json", configBytes);
  const addedTokens = readAddedTokens(tokenizer);
  const hash = createHash("sha256");
  // The length keeps two files from passing for one another's bytes.
  for (const bytes of hashed) hash.update(`${bytes.length}:`).update(bytes);
  return {
    tokenizer,
    config: ownTemplate === undefined ? config : { ...config, chat_template: ownTemplate },
    addedTokens,
    spellings: readSpellings(tokenizer, addedTokens),
    hash: hash.digest("hex"),
  };
}
