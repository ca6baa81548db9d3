/** Against the tokenizers and transformers libraries: test/fixtures/tokenizers/golden.json, made by make.py there. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { loadTokenizer, type TextTokenizer } from "../../src/engine/text/tokenizer.ts";
import type { TokenizedText } from "../../src/shared/engineContract.ts";
import { isSteerscopeError } from "../../src/shared/errors.ts";
import type { TextInput } from "../../src/shared/tokenInput.ts";

interface Encoded {
  readonly ids: readonly number[];
  readonly offsets: readonly (readonly number[])[];
  readonly decoded: string;
}

interface Golden {
  readonly texts: readonly string[];
  readonly composed: readonly string[];
  readonly tokenizers: Readonly<
    Record<
      string,
      {
        readonly texts: readonly Encoded[];
        readonly composed: readonly Omit<Encoded, "offsets">[];
        readonly chat: readonly {
          readonly input: TextInput;
          readonly rendered: string;
          readonly ids: readonly number[];
        }[];
      }
    >
  >;
}

const folder = join(import.meta.dirname, "../fixtures/tokenizers");
const golden = JSON.parse(readFileSync(join(folder, "golden.json"), "utf8")) as Golden;
const names = Object.keys(golden.tokenizers);
const bySpaceMark = ["gemma", "mistral"];

function spans({ offsets }: TokenizedText): number[][] {
  return Array.from({ length: offsets.length / 2 }, (_, i) => [offsets[2 * i]!, offsets[2 * i + 1]!]);
}

const anyText = fc.string({ unit: "binary", maxLength: 40 });
const awkwardText = fc
  .array(
    fc.constantFrom(
      ...Array.from("ab  ,.'\n\t1½é\u0301🙂👍🏽日한ﬁſİΣ\u00a0\u200d\ufeff\u0085"),
      "the ",
      "<|im_end|>",
      "<s>",
      "\ud83d",
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(""));

describe.each(names)("tokenizer of the %s kind", (name) => {
  const expected = golden.tokenizers[name]!;
  let tokenizer: TextTokenizer;
  beforeAll(async () => {
    tokenizer = await loadTokenizer(join(folder, name));
  });

  it.each(golden.texts.map((text, i) => ({ text, ...expected.texts[i]! })))(
    "gives the library's ids, offsets and text for $text",
    ({ text, ids, offsets, decoded }) => {
      const encoded = tokenizer.encode({ text }, "none");
      expect([...encoded.ids]).toEqual(ids);
      expect(spans(encoded)).toEqual(offsets);
      expect(encoded.rendered).toBe(text);
      expect(tokenizer.decode(encoded.ids)).toBe(decoded);
    },
  );

  it.each(golden.composed.map((text, i) => ({ text, ...expected.composed[i]! })))(
    "gives the library's ids and text for $text",
    ({ text, ids, decoded }) => {
      const encoded = tokenizer.encode({ text }, "none");
      expect([...encoded.ids]).toEqual(ids);
      expect(tokenizer.decode(encoded.ids)).toBe(decoded);
    },
  );

  it.each(expected.chat)("renders the chat of $input as transformers does", ({ input, rendered, ids }) => {
    const encoded = tokenizer.encode(input, "chat");
    expect(encoded.rendered).toBe(rendered);
    expect([...encoded.ids]).toEqual(ids);
    const [from, to] = spans(encoded)[encoded.textStart]!;
    const place =
      input.prompt === undefined
        ? rendered.lastIndexOf(input.text.trim())
        : rendered.length - input.text.length;
    expect(from!).toBeLessThanOrEqual(place);
    expect(to!).toBeGreaterThan(input.text === "  padded  " ? place - 2 : place);
    for (const [, end] of spans(encoded).slice(0, encoded.textStart)) expect(end!).toBeLessThanOrEqual(place);
    // Some templates trim what they are given.
    const shown = rendered.includes(input.text) ? input.text : input.text.trim();
    const end = rendered.lastIndexOf(shown) + shown.length;
    for (const [token, [start]] of spans(encoded).entries()) {
      if (token >= encoded.textStart) expect(token < encoded.textEnd).toBe(start! < end);
    }
    // Without a prompt the template's opening of the answer stands behind the text; with one, nothing does.
    expect(encoded.textEnd < encoded.ids.length).toBe(input.prompt === undefined);
  });

  it("covers any text, in order, with whole characters", () => {
    fc.assert(
      fc.property(fc.oneof(anyText, awkwardText), (text) => {
        const { offsets, rendered, ids, textStart } = tokenizer.encode({ text }, "none");
        expect(rendered).toBe(text.replace(/\p{Surrogate}/gu, "\uFFFD"));
        let covered = 0;
        let lastFrom = 0;
        for (let i = 0; i < ids.length; i++) {
          const from = offsets[2 * i]!;
          const to = offsets[2 * i + 1]!;
          expect(from).toBeGreaterThanOrEqual(lastFrom);
          expect(from).toBeLessThanOrEqual(covered);
          expect(to).toBeGreaterThanOrEqual(covered);
          for (const at of [from, to]) expect(/^[\uDC00-\uDFFF]/.test(rendered.slice(at))).toBe(false);
          covered = to;
          lastFrom = from;
        }
        expect(covered).toBe(ids.length > textStart ? rendered.length : 0);
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  it("streams what it decodes, and never half a character", () => {
    fc.assert(
      fc.property(awkwardText, awkwardText, (prompt, text) => {
        const promptIds = tokenizer.encode({ text: prompt }, "none").ids;
        const ids = tokenizer.encodeContinuation(text);
        const stream = tokenizer.stream(promptIds);
        let streamed = "";
        for (const id of ids) {
          streamed += stream.push(id);
          expect(/[\uD800-\uDBFF]$/.test(streamed)).toBe(false);
        }
        streamed += stream.end();
        expect(tokenizer.decode(promptIds) + streamed).toBe(tokenizer.decode([...promptIds, ...ids]));
      }),
      { seed: 5, numRuns: 300 },
    );
  });

  it("streams any ids to what they decode to", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(tokenizer.vocabularySize + 5), { maxLength: 80 }), (ids) => {
        const stream = tokenizer.stream([]);
        const streamed = ids.map((id) => stream.push(id)).join("") + stream.end();
        expect(streamed).toBe(tokenizer.decode(ids));
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  it("marks the first token that reaches into the text", () => {
    fc.assert(
      fc.property(awkwardText, awkwardText, (prompt, text) => {
        const encoded = tokenizer.encode({ prompt, text }, "none");
        const whole = tokenizer.encode({ text: encoded.rendered }, "none");
        expect(encoded.ids).toEqual(whole.ids);
        const reaches = spans(encoded).findIndex(([, to]) => to! > prompt.length);
        expect(encoded.textStart).toBe(reaches < 0 ? encoded.ids.length : reaches);
        const tail = spans(encoded).filter(([from]) => from! >= encoded.rendered.length).length;
        expect(encoded.textEnd).toBe(Math.max(encoded.textStart, encoded.ids.length - tail));
      }),
      { seed: 11, numRuns: 200 },
    );
  });

  it("continues a text with neither special tokens nor a space in front", () => {
    const continued = tokenizer.encodeContinuation("two");
    expect(Array.from(continued, (id) => tokenizer.piece(id)).join("")).toBe("two");
    const spaced = tokenizer.encodeContinuation(" two");
    expect(Array.from(spaced, (id) => tokenizer.piece(id)).join("")).toBe(" two");
    expect(tokenizer.encodeContinuation("")).toHaveLength(0);
  });

  it("describes token ids that it is given", () => {
    const { ids } = tokenizer.encode({ text: "a 🙂 b" }, "none");
    const described = tokenizer.encode({ ids, textStart: 2 }, "none");
    expect(described.ids).toBe(ids);
    expect([described.textStart, described.textEnd]).toEqual([2, ids.length]);
    expect(described.pieces).toEqual(Array.from(ids, (id) => tokenizer.piece(id)));
    expect(described.rendered).toContain("a 🙂 b");
    expect(described.offsets.at(-1)).toBe(described.rendered.length);
  });

  it("refuses a chat without a template", () => {
    if (tokenizer.hasChatTemplate) return;
    const attempt = (): TokenizedText => tokenizer.encode({ text: "hi" }, "chat");
    expect(attempt).toThrow(expect.objectContaining({ kind: "InvalidRequest" }) as Error);
    expect(() => {
      try {
        attempt();
      } catch (error) {
        if (isSteerscopeError(error)) expect(error.remedy).toContain("--template none");
        throw error;
      }
    }).toThrow();
  });
});

describe("pieces", () => {
  it.each(bySpaceMark)("shows bytes that are no character (%s)", async (name) => {
    const tokenizer = await loadTokenizer(join(folder, name));
    expect(tokenizer.piece(3 + 0xf0)).toBe("<0xF0>");
    expect(tokenizer.piece(3 + 0x41)).toBe("A");
    expect(tokenizer.piece(1_000_000)).toBe("<1000000>");
  });

  it("spells each token of a text as its stretch of the text, where characters are whole", async () => {
    const tokenizer = await loadTokenizer(join(folder, "gpt2"));
    const { pieces, rendered, ...encoded } = tokenizer.encode({ text: "Once, a cat's hat!\n" }, "none");
    expect(pieces).toEqual(
      spans({ pieces, rendered, ...encoded }).map(([from, to]) => rendered.slice(from, to)),
    );
  });
});
