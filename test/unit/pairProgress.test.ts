import { expect, test } from "vitest";
import { pairProgress } from "../../src/host/pairProgress.ts";

test("counts pairs by tokens and says seconds by the rate since the start", () => {
  const update = pairProgress(10);
  expect(update(0, 1000, 5000)).toEqual({ current: 1, total: 10, secondsLeft: null });
  expect(update(50, 1000, 5500)).toEqual({ current: 1, total: 10, secondsLeft: null });
  expect(update(250, 1000, 7000)).toEqual({ current: 3, total: 10, secondsLeft: 6 });
  expect(update(1000, 1000, 13_000)).toEqual({ current: 10, total: 10, secondsLeft: 0 });
});

test("tokens that were there before the first report do not count as speed", () => {
  const update = pairProgress(4);
  update(800, 1000, 0);
  expect(update(900, 1000, 2000).secondsLeft).toBe(2);
});

test("nothing to read is nothing to divide by", () => {
  expect(pairProgress(1)(0, 0, 0)).toEqual({ current: 1, total: 1, secondsLeft: null });
});

test("a small rise is not shown, a large one is", () => {
  const update = pairProgress(10);
  update(0, 1000, 0);
  expect(update(100, 1000, 10_000).secondsLeft).toBe(90);
  expect(update(110, 1000, 11_500).secondsLeft).toBe(90);
  expect(update(120, 1000, 20_000).secondsLeft).toBe(147);
  expect(update(500, 1000, 30_000).secondsLeft).toBe(30);
});
