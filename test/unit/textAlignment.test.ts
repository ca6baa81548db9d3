import { describe, expect, it } from "vitest";
import { alignTokens, spellTokens } from "../../src/engine/text/alignTokens.ts";

const utf8 = new TextEncoder();

/** Offsets of tokens that spell `spelled` (null: a token of unknown text), laid along `text`. */
function align(spelled: readonly (string | null)[], text: string): string[] {
  const offsets = alignTokens(
    spelled.map((spelling) => (spelling === null ? null : utf8.encode(spelling))),
    text,
  );
  return spelled.map((_, i) => `${offsets[2 * i]}-${offsets[2 * i + 1]}`);
}

describe("alignTokens", () => {
  it("follows tokens that spell the text", () => {
    expect(align(["On", "ce", " upon"], "Once upon")).toEqual(["0-2", "2-4", "4-9"]);
  });

  it("gives a space put in front to what follows", () => {
    expect(align([" Once", " upon"], "Once upon")).toEqual(["0-4", "4-9"]);
    expect(align([" ", "🙂"], "🙂")).toEqual(["0-2", "0-2"]);
    expect(align(["  ", " two"], "  two")).toEqual(["0-1", "1-5"]);
  });

  it("gives tokens of one character all of it", () => {
    const [first, second, third, fourth] = utf8.encode("🙂");
    const pieces = [[first!], [second!, third!], [fourth!]].map((bytes) => Uint8Array.from(bytes));
    expect([...alignTokens([...pieces, utf8.encode("a")], "🙂a")]).toEqual([0, 2, 0, 2, 0, 2, 2, 3]);
  });

  it("matches composed and decomposed characters", () => {
    expect(align(["caf", "é", "!"], "cafe\u0301!")).toEqual(["0-3", "3-5", "5-6"]);
    expect(align(["e\u0301", "!"], "é!")).toEqual(["0-1", "1-2"]);
    expect(align(["ệ", "x"], "e\u0323\u0302x")).toEqual(["0-3", "3-4"]);
  });

  it("matches compatibility forms and letters of another case", () => {
    expect(align(["f", "i", "sh"], "ﬁsh")).toEqual(["0-1", "0-1", "1-3"]);
    expect(align(["hello", " world"], "Hello\u00a0WORLD")).toEqual(["0-5", "5-11"]);
  });

  it("gives what the tokenizer dropped to the neighbours", () => {
    expect(align(["a", "b"], "  a b  ")).toEqual(["0-3", "3-7"]);
    expect(align(["e", "x"], "e\u0301x")).toEqual(["0-1", "1-3"]);
  });

  it("gives an unknown token what lies before the next known one", () => {
    expect(align(["a ", null, " b"], "a ☃☃ b")).toEqual(["0-2", "2-4", "4-6"]);
    expect(align([null], "☃☃")).toEqual(["0-2"]);
  });

  it("leaves tokens without text empty", () => {
    expect(align(["a", "", "b"], "ab")).toEqual(["0-1", "1-1", "1-2"]);
    expect(align([], "")).toEqual([]);
  });

  it("stays in order and covers the text where the two have nothing in common", () => {
    const offsets = alignTokens([utf8.encode("xyz"), utf8.encode("uvw")], "日本語テキ");
    expect(offsets[0]).toBe(0);
    expect(offsets[1]!).toBeLessThanOrEqual(offsets[3]!);
    expect(offsets[3]).toBe(5);
  });

  it("keeps a byte order mark", () => {
    expect(align(["\ufeff", "x"], "\ufeffx")).toEqual(["0-1", "1-2"]);
  });
});

describe("spellTokens", () => {
  it("spells bytes that form no character as U+FFFD", () => {
    const { text, offsets } = spellTokens([Uint8Array.of(0x61, 0xf0), Uint8Array.of(0x9f), utf8.encode("b")]);
    expect(text).toBe("a\uFFFD\uFFFDb");
    expect([...offsets]).toEqual([0, 2, 2, 3, 3, 4]);
  });
});
