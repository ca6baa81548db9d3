import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  changeRegion,
  colourScale,
  colourStep,
  isInside,
  plainText,
  regionOf,
  tokenCells,
  tokenWindows,
  type Region,
} from "../../src/host/editor/inspectedText.ts";

/** A region over `text` at `start` whose tokens are its words, each with the space before it. */
function wordRegion(text: string, start: number, projections: number[]): Region {
  const words = Array.from(text.matchAll(/ ?[^ ]+/g));
  const offsets = Int32Array.from(words.flatMap(({ index, 0: word }) => [index, index + word.length]));
  const documentText = plainText(text, start);
  return {
    ...regionOf(documentText),
    cells: tokenCells(documentText, offsets, words.length),
    pieces: words.map(([word]) => word),
    projections: Float32Array.from(projections),
    sink: 0,
  };
}

describe("texts of a document", () => {
  it("give the model line feeds and keep their places", () => {
    const { text, offsets } = plainText("a\r\nb\nc", 10);
    expect(text).toBe("a\nb\nc");
    expect([...offsets]).toEqual([10, 12, 13, 14, 15, 16]);
  });

  it("have a cell for each token that stands for something, one for tokens that share a character", () => {
    const text = { ...plainText("I 🙂!", 100), prompt: "Q: " };
    // Special token, the prompt, "I", three tokens of the emoji's bytes with the space, "!".
    const offsets = Int32Array.from([0, 0, 0, 3, 3, 4, 4, 7, 5, 7, 5, 7, 7, 8]);
    expect(tokenCells(text, offsets, 7)).toEqual([
      { from: 100, to: 101, first: 2, end: 3 },
      { from: 101, to: 104, first: 3, end: 6 },
      { from: 104, to: 105, first: 6, end: 7 },
    ]);
    expect(tokenCells(text, offsets, 3)).toHaveLength(1);
  });
});

describe("colours", () => {
  it("leave the first token out of the scale and step by percentiles of size", () => {
    const region = wordRegion("a b c d e f", 0, [1000, 1, -2, 3, -4, 5]);
    const scale = colourScale([region], 0)!;
    expect(scale).toEqual([3, 4, 4.6]);
    expect([1, -3, 4, -4.6, 0, -1000].map((value) => colourStep(value, scale))).toEqual([
      0, -1, 2, -3, 0, -3,
    ]);
  });

  it("are none where every projection is zero, or only the first token is there", () => {
    expect(colourScale([wordRegion("a b c", 0, [5, 0, 0])], 0)).toBeNull();
    expect(colourScale([wordRegion("a", 0, [5])], 0)).toBeNull();
    expect(colourScale([], 0)).toBeNull();
  });

  it("come from the layer that is asked for", () => {
    const region = wordRegion("a b", 0, [0, 1, 0, -7]);
    expect(colourScale([region], 0)).toEqual([1, 1, 1]);
    expect(colourScale([region], 1)).toEqual([7, 7, 7]);
  });
});

describe("a change of the document", () => {
  const region = wordRegion("one two three", 10, [1, 2, 3]);
  const places = (changed: Region | null) => changed?.cells.map(({ from, to }) => [from, to]);

  it("behind the region, or at its end, changes nothing", () => {
    expect(changeRegion(region, { offset: 23, removed: 0, inserted: 5 }, 23)).toBe(region);
  });

  it("before it, or at its start, moves it", () => {
    for (const offset of [2, 10]) {
      const moved = changeRegion(region, { offset, removed: 0, inserted: 3 }, offset);
      expect([moved!.from, moved!.to]).toEqual([13, 26]);
      expect(places(moved)).toEqual([
        [13, 16],
        [16, 20],
        [20, 26],
      ]);
    }
  });

  it("inside takes the touched word and all that follows", () => {
    // "one twXo three": the last space before it is at 13.
    const changed = changeRegion(region, { offset: 16, removed: 0, inserted: 1 }, 13);
    expect([changed!.from, changed!.to]).toEqual([10, 24]);
    expect(places(changed)).toEqual([[10, 13]]);
  });

  it("at the ends of a whole document is inside", () => {
    const whole: Region = { ...wordRegion("one two three", 0, [1, 2, 3]), isWhole: true };
    const inFront = changeRegion(whole, { offset: 0, removed: 0, inserted: 4 }, -1);
    expect([inFront!.from, inFront!.to, inFront!.cells]).toEqual([0, 17, []]);
    const behind = { offset: 13, removed: 0, inserted: 6 };
    expect(isInside(whole, behind)).toBe(true);
    // "one two three four": the last space before the change is at 7.
    const longer = changeRegion(whole, behind, 7);
    expect([longer!.from, longer!.to]).toEqual([0, 19]);
    expect(places(longer)).toEqual([
      [0, 3],
      [3, 7],
    ]);
    expect(changeRegion(whole, { offset: 0, removed: 13, inserted: 0 }, -1)).toBeNull();
  });

  it("over a boundary takes the region", () => {
    expect(changeRegion(region, { offset: 8, removed: 4, inserted: 0 }, 0)).toBeNull();
    expect(changeRegion(region, { offset: 20, removed: 4, inserted: 0 }, 0)).toBeNull();
    expect(changeRegion(region, { offset: 10, removed: 13, inserted: 0 }, 0)).toBeNull();
  });

  it("never leaves a cell on other text than its own", { timeout: 60_000 }, () => {
    const text = "one two three four";
    fc.assert(
      fc.property(fc.nat(40), fc.nat(12), fc.stringMatching(/^[a-z ]{0,6}$/), (offset, removed, inserted) => {
        const document = `before ${text} behind it all the rest`;
        const start = "before ".length;
        const before = wordRegion(text, start, [1, 2, 3, 4]);
        const keepUntil = Math.max(0, document.slice(0, offset).lastIndexOf(" "));
        const after = document.slice(0, offset) + inserted + document.slice(offset + removed);
        const changed = changeRegion(before, { offset, removed, inserted: inserted.length }, keepUntil);
        for (const cell of changed?.cells ?? []) {
          expect(after.slice(cell.from, cell.to)).toBe(before.pieces[cell.first]);
        }
      }),
      { seed: 4, numRuns: 150 },
    );
  });
});

describe("windows over long texts", () => {
  it("are one where the text fits", () => {
    expect(tokenWindows(256, 1, 256)).toEqual([{ start: 1, end: 256, keepFrom: 0 }]);
  });

  it(
    "cover every token once, each with half a context before it where there is one",
    { timeout: 60_000 },
    () => {
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 3000 }),
          fc.nat(1),
          fc.integer({ min: 4, max: 300 }),
          (tokens, special, context) => {
            fc.pre(tokens > special);
            let next = 0;
            for (const { start, end, keepFrom } of tokenWindows(tokens, special, context)) {
              expect(keepFrom).toBe(next);
              expect(end).toBeGreaterThan(keepFrom);
              expect(special + end - start).toBeLessThanOrEqual(context);
              if (keepFrom > 0)
                expect(keepFrom - start).toBeGreaterThanOrEqual(Math.floor((context - special) / 2));
              next = end;
            }
            expect(next).toBe(tokens);
          },
        ),
        { seed: 4, numRuns: 150 },
      );
    },
  );
});
