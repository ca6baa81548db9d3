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
