import { expect, test } from "vitest";
import { CrashWindow } from "../../src/host/crashWindow.ts";

test("the third crash within two minutes blocks, until it is forgotten", () => {
  const crashes = new CrashWindow();
  crashes.add(0);
  crashes.add(1000);
  expect(crashes.isBlocked).toBe(false);
  crashes.add(119_999);
  expect(crashes.isBlocked).toBe(true);
  crashes.forget();
  expect(crashes.isBlocked).toBe(false);
  crashes.add(120_000);
  crashes.add(120_001);
  expect(crashes.isBlocked).toBe(false);
});

test("crashes that lie further apart never block", () => {
  const crashes = new CrashWindow();
  for (let minute = 0; minute < 20; minute++) crashes.add(minute * 60_001);
  expect(crashes.isBlocked).toBe(false);
});

test("the second crash in a row makes the next start wait, as long as is left of the pause", () => {
  const crashes = new CrashWindow({
    maximum: 4,
    windowMilliseconds: 1000,
    pausesMilliseconds: [0, 200, 500],
  });
  expect(crashes.pauseAt(0)).toBe(0);
  crashes.add(0);
  expect(crashes.pauseAt(0)).toBe(0);
  crashes.add(100);
  expect(crashes.pauseAt(100)).toBe(200);
  expect(crashes.pauseAt(250)).toBe(50);
  expect(crashes.pauseAt(300)).toBe(0);
  crashes.add(400);
  expect(crashes.pauseAt(400)).toBe(500);
  crashes.forget();
  expect(crashes.pauseAt(400)).toBe(0);
});

test("a crash of long ago does not lengthen the pause", () => {
  const crashes = new CrashWindow({ maximum: 4, windowMilliseconds: 1000, pausesMilliseconds: [0, 200] });
  crashes.add(0);
  crashes.add(1500);
  expect(crashes.pauseAt(1500)).toBe(0);
});
