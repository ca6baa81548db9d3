import { describe, expect, test } from "vitest";
import { ProgressLine } from "../../src/cli/progressLine.ts";
import { projectionTable } from "../../src/cli/projectionTable.ts";
import { bar, csvLine, figure, onScale, printable, size, table, visibleToken } from "../../src/cli/text.ts";

test("what a model writes cannot command the terminal", () => {
  expect(printable("a\x1b[2Jb\x07\u009b31m\r\nc\td")).toBe("a\uFFFD[2Jb\uFFFD\uFFFD31m\uFFFD\nc\td");
  expect(visibleToken(" a\n")).toBe("·a⏎");
});

test("tables are aligned and end without spaces", () => {
  const columns = [
    { title: "name", align: "left" },
    { title: "n", align: "right" },
  ] as const;
  expect(
    table(columns, [
      ["a", "10"],
      ["longer", ""],
    ]),
  ).toBe("name     n\na       10\nlonger\n");
});

test("bars grow by eighths and stay in their width", () => {
  expect(bar(0, 4)).toBe("");
  expect(bar(1 / 32, 4)).toBe("▏");
  expect(bar(0.5, 4)).toBe("██");
  expect(bar(7, 4)).toBe("████");
  expect(bar(-1, 4)).toBe("");
});

test("figures", () => {
  expect([null, 0, 1.23456, 12345.6, 1234567, 0.00001234].map(figure)).toEqual([
    "-",
    "0",
    "1.235",
    "12350",
    "1.23e+6",
    "1.23e-5",
  ]);
  expect([0, 999, 1000, 31_234_567, 2.5e9].map(size)).toEqual(["0 B", "999 B", "1 kB", "31.2 MB", "2.5 GB"]);
});

test("CSV quotes what needs it", () => {
  expect(csvLine(['a"b', "c,d", "\n", 1, null])).toBe('"a""b","c,d","\n",1,\r\n');
});

test("colours: blue below, orange above, white at zero, the ends for what is beyond", () => {
  expect(onScale("x", 0)).toContain("5;231m");
  expect(onScale("x", -2)).toBe(onScale("x", -1));
  expect(onScale("x", 1)).not.toBe(onScale("x", -1));
});

describe("progress", () => {
  const step = (done: number) =>
    ({ kind: "step", stage: "Reading", done, total: 100, unit: "tokens" }) as const;

  function line(isTerminal: boolean) {
    let text = "";
    let now = 0;
    const write = (part: string): void => {
      text += part;
    };
    const progress = new ProgressLine({ write, isTerminal, columns: 80 }, () => now);
    return {
      progress,
      at: (time: number) => {
        now = time;
        return progress;
      },
      take: () => {
        const taken = text;
        text = "";
        return taken;
      },
    };
  }

  test("rate and time left once they can be known; not more often than ten times a second", () => {
    const { at, take } = line(true);
    at(0).update(step(10));
    expect(take()).toBe("\r\x1b[KReading 10/100 tokens");
    at(50).update(step(11));
    expect(take()).toBe("");
    at(1000).update(step(30));
    expect(take()).toBe("\r\x1b[KReading 30/100 tokens, 20/s, 4 s left");
    at(1000).clear();
    expect(take()).toBe("\r\x1b[K");
    at(1000).clear();
    expect(take()).toBe("");
  });

  test("nothing where there is no terminal", () => {
    const { at, take } = line(false);
    at(0).update(step(10));
    at(0).clear();
    expect(take()).toBe("");
  });
});

describe("projections", () => {
  const projections = {
    pieces: ["<s>", " a", "b"],
    ids: Int32Array.of(1, 2, 3),
    textStart: 1,
    layers: Array.from({ length: 30 }, (_, layer) => layer),
    valueAt: (layer: number, token: number) => (token === 0 ? 1000 : layer + token),
  };
  const options = { layers: null, suggested: 7, columns: 50, isColoured: false };

  test("as many layers as fit, first, last and suggested among them", () => {
    const lines = projectionTable(projections, options).split("\n");
    expect(lines[0]).toMatch(/^layer +0 +\*7 +\d+ +\d+ +29$/);
    expect(lines.slice(0, 4).every(({ length }) => length <= 50)).toBe(true);
    expect(lines.at(-2)).toMatch(/^25 layers do not fit/);
  });

  test("layers that were named are all there", () => {
    const text = projectionTable(projections, { ...options, layers: [3, 4] });
    expect(text).toBe(
      "layer        3        4\n<s>       1000     1000\n·a        4.00     5.00\nb         5.00     6.00\n",
    );
  });

  test("the first token does not turn the others white", () => {
    const coloured = projectionTable(projections, { ...options, layers: [3], isColoured: true });
    expect(coloured.split("\n")[3]).toBe(`b     ${onScale("    5.00", 1)}`);
  });
});
