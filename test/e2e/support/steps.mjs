/** Set-up of a `describe`, or a file, whose tests share one window. */
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { openWindow } from "./window.mjs";

/** What `openWindow` gives, there from the first test to the last. Of a test that fails a picture is kept. */
export function useWindow(theme, pictureName) {
  const window = {};
  beforeAll(async () => {
    Object.assign(window, await openWindow(theme));
  });
  afterAll(() => window.close?.());
  afterEach(async ({ task }) => {
    if (task.result?.state === "fail")
      await window.picture(`${pictureName}-failed-${task.name.replaceAll(/\W+/g, "-")}`);
  });
  return window;
}

/** For tests that each build on the one before: after one that fails the others are skipped. */
export function skipAfterFailure() {
  let isBroken = false;
  beforeEach(({ skip }) => {
    if (isBroken) skip();
  });
  afterEach(({ task }) => {
    isBroken ||= task.result?.state === "fail";
  });
}
