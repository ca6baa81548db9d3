import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findOrigin, originHash, shiftSpan, TextLines, type Span } from "../../src/host/originRange.ts";

const text = "one two three";
const two: Span = { start: 4, end: 7 };

function edited(offset: number, length: number, insert: string): string {
  const after = text.slice(0, offset) + insert + text.slice(offset + length);
  const { start, end } = shiftSpan(two, { rangeOffset: offset, rangeLength: length, text: insert });
  return after.slice(start, end);
}

describe("a span under edits", () => {
  test.each([
    ["typed before", 0, 0, "zero ", "two"],
    ["removed before", 0, 4, "", "two"],
    ["typed behind", 13, 0, " four", "two"],
    ["typed at the start", 4, 0, "x", "two"],
    ["typed at the end", 7, 0, "x", "two"],
    ["typed inside", 5, 0, "--", "t--wo"],
    ["removed inside", 5, 1, "", "to"],
    ["replaced as a whole", 4, 3, "deux", "deux"],
    ["replaced over the start", 2, 3, "X", "wo"],
    ["replaced over the end", 6, 3, "X", "tw"],
    ["removed with its surroundings", 2, 8, "", ""],
  ])("%s", (_, offset, length, insert, expected) => {
    expect(edited(offset, length, insert)).toBe(expected);
  });

  test("edits that do not touch it never change its text", () => {
    const edit = fc.record({ at: fc.nat(4), length: fc.nat(4), insert: fc.string(), isBehind: fc.boolean() });
    fc.assert(
      fc.property(fc.array(edit), (edits) => {
        let current = text;
        let span = two;
        for (const { at, length, insert, isBehind } of edits) {
          const offset = isBehind ? Math.min(span.end + at, current.length) : Math.min(at, span.start);
          const removed = Math.min(length, (isBehind ? current.length : span.start) - offset);
          current = current.slice(0, offset) + insert + current.slice(offset + removed);
          span = shiftSpan(span, { rangeOffset: offset, rangeLength: removed, text: insert });
        }
        expect(current.slice(span.start, span.end)).toBe("two");
      }),
    );
  });
});

test("offsets and positions with every line end of the editor", () => {
  const lines = new TextLines("a\r\nbc\n\rd");
  expect([0, 1, 3, 5, 6, 7, 8].map((offset) => lines.positionAt(offset).join(":"))).toEqual([
    "0:0",
    "0:1",
    "1:0",
    "1:2",
    "2:0",
    "3:0",
    "3:1",
  ]);
  expect(lines.offsetAt(0, 99)).toBe(1);
  expect(lines.offsetAt(1, 99)).toBe(5);
  expect(lines.offsetAt(9, 0)).toBe(8);
});

describe("finding an origin", () => {
  const source = { uri: "a.txt", range: [0, 4, 0, 7] as const, sha256: originHash("two") };
  const found = (content: string): string => {
    const lines = new TextLines(content);
    const { span, isStale } = findOrigin(lines, source, "two");
    return `${isStale ? "stale" : "same"} ${span === null ? "nowhere" : span.start}`;
  };

  test("at its range", () => {
    expect(found(text)).toBe("same 4");
  });
  test("elsewhere, the nearest", () => {
    expect(found("two   two two")).toBe("same 6");
  });
  test("nowhere: the old range, stale", () => {
    expect(found("one 2 three")).toBe("stale 4");
    expect(found("")).toBe("stale 0");
  });
  test("other line ends are no change", () => {
    const twoLines = { uri: "a", range: [0, 0, 1, 1] as const, sha256: originHash("a\nb") };
    expect(findOrigin(new TextLines("a\r\nb"), twoLines, "a\nb").isStale).toBe(false);
    expect(findOrigin(new TextLines("\r\na\r\nb"), twoLines, "a\nb")).toEqual({
      span: { start: 2, end: 6 },
      isStale: false,
    });
  });
  test("an example that was rewritten is not searched for by its new text", () => {
    expect(findOrigin(new TextLines("deux"), source, "deux").isStale).toBe(true);
  });
});
