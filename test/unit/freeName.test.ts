import { expect, test } from "vitest";
import { freeName } from "../../src/host/freeName.ts";

test("a name is kept while it is free, else numbered", () => {
  expect(freeName("mood", ["other"])).toBe("mood");
  expect(freeName("mood", ["mood", "mood-2", "mood-4"])).toBe("mood-3");
});
