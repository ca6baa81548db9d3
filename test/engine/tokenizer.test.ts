/** The embedded model's tokenizer against llama2.c's own way of making tokens, written here from its run.c. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { loadTokenizer, type TextTokenizer } from "../../src/engine/text/tokenizer.ts";
import { buildEmbeddedModel, llama2Data } from "./support/embeddedModel.ts";

const fixtures = join(import.meta.dirname, "../fixtures");
const readJson = (path: string): unknown => JSON.parse(readFileSync(join(fixtures, path), "utf8"));
const stories = readJson("tinystories-1000.json") as string[];
const reference = readJson("stories15m/reference.json") as {
  prompts: { text: string; ids: number[]; greedy: number[] }[];
};

/** Ids 3..258 are bytes; in this file they are spelled like printable characters and must not be found by spelling. */
const firstByte = 3;
const bytes = 256;
const begin = 1;
const absent = -1;

/** llama2.c run.c, build_tokenizer and encode: a greedy merge over scores, here with a map instead of a sorted array. */
class GreedyMerge {
  readonly #spellings: string[] = [];
  readonly #scores: number[] = [];
  readonly #ids = new Map<string, number>();
  readonly #pairs = new Map<number, number>();

  constructor(file: Buffer) {
    for (let at = 4; at < file.length;) {
      const score = file.readFloatLE(at);
      const length = file.readInt32LE(at + 4);
      const spelling = file.toString("utf8", at + 8, at + 8 + length);
      const id = this.#spellings.length;
      if (id >= firstByte + bytes) this.#ids.set(spelling, id);
      this.#spellings.push(spelling);
      this.#scores.push(score);
      at += 8 + length;
    }
  }

  encode(text: string): number[] {
    const tokens: number[] = [begin];
    if (text !== "") tokens.push(this.#ids.get(" ")!);
    for (const character of text) {
      const id = this.#ids.get(character);
      if (id === undefined) tokens.push(...Array.from(Buffer.from(character), (byte) => byte + firstByte));
      else tokens.push(id);
    }
    for (;;) {
      let best = -1e10;
      let bestAt = -1;
      let bestId = -1;
      for (let i = 0; i + 1 < tokens.length; i++) {
        const id = this.#joined(tokens[i]!, tokens[i + 1]!);
        if (id !== absent && this.#scores[id]! > best) {
          best = this.#scores[id]!;
          bestAt = i;
          bestId = id;
        }
      }
      if (bestAt < 0) return tokens;
      tokens.splice(bestAt, 2, bestId);
    }
  }

  /** The token of two tokens' joined spelling; looked up once a pair, since each round asks for every pair again. */
  #joined(left: number, right: number): number {
    const key = left * this.#spellings.length + right;
    let id = this.#pairs.get(key);
    if (id === undefined) {
      // Bytes and special tokens join with nothing.
      const isSpelled = Math.min(left, right) >= firstByte + bytes;
      id =
        (isSpelled ? this.#ids.get(this.#spellings[left]! + this.#spellings[right]!) : undefined) ?? absent;
      this.#pairs.set(key, id);
    }
    return id;
  }
}

describe("tokenizer of the embedded model", () => {
  let tokenizer: TextTokenizer;
  const greedy = new GreedyMerge(llama2Data().tokenizer);
  const encode = (text: string): number[] => [...tokenizer.encode({ text }, "none").ids];
  beforeAll(async () => {
    buildEmbeddedModel();
    tokenizer = await loadTokenizer(join(import.meta.dirname, "../../models/stories15m"));
  });

  it("agrees with greedy merging on 1,000 stories, and gives them back", () => {
    expect(stories).toHaveLength(1000);
    for (const story of stories) {
      const ids = encode(story);
      expect(ids).toEqual(greedy.encode(story));
      expect(tokenizer.decode(ids)).toBe(story);
    }
  });

  it.each([
    "",
    " ",
    "  ",
    "\n",
    "\n\n \n",
    "\t",
    "🙂",
    "👨‍👩‍👧‍👦 🇩🇪",
    "日本語 한국어 العربية",
    "café cafe\u0301",
    "—“quoted”…",
    "e".repeat(200),
    "\u0000\u0001\u007f\u00ff",
    "<0x0A>",
    "don't    do\r\nthat",
  ])("agrees with greedy merging on %j", (text) => {
    expect(encode(text)).toEqual(greedy.encode(text));
    expect(tokenizer.decode(encode(text))).toBe(text);
  });

  it("agrees with greedy merging on every run of spaces, alone and between words", () => {
    for (let length = 1; length <= 70; length++) {
      const run = " ".repeat(length);
      for (const text of [run, `a${run}b`, `${run}the`, `the${run}`, `a${run}.\n${run}x`]) {
        expect(encode(text)).toEqual(greedy.encode(text));
      }
    }
  });

  it("agrees with greedy merging on random text", () => {
    // U+2581 is left out: tokenizers of this kind cannot tell it from a space.
    const character = fc
      .string({ unit: "binary", minLength: 1, maxLength: 1 })
      .filter((one) => one !== "\u2581");
    const awkward = fc.constantFrom(
      ...Array.from("aaeehinorst   --==..''\n"),
      "the",
      " and",
      "ing",
      "=====",
      "....",
      "é",
      "日",
    );
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 5, arbitrary: awkward }, character), { maxLength: 60 }),
        (parts) => {
          const text = parts.join("").replace(/\p{Surrogate}/gu, "\uFFFD");
          if (/<s>|<\/s>|<unk>/.test(text)) return;
          expect(encode(text)).toEqual(greedy.encode(text));
        },
      ),
      { seed: 17, numRuns: 2000 },
    );
  });

  it("gives the reference's ids and the text of its continuations", () => {
    for (const { text, ids } of reference.prompts) {
      expect(encode(text)).toEqual(ids);
      expect(tokenizer.decode(ids)).toBe(text);
    }
  });

  it("describes itself", () => {
    expect(tokenizer).toMatchObject({
      vocabularySize: 32000,
      beginOfSequenceId: begin,
      hasChatTemplate: false,
    });
  });
});
