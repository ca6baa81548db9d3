import { expect, test } from "vitest";
import { escapeMarkdown } from "../../src/host/escapeMarkdown.ts";

test("what would be markup is text, on one line", () => {
  expect(escapeMarkdown("[a](command:x)\n\n# <b> `c` | https://x.y")).toBe(
    "\\[a\\]\\(command\\:x\\) \\# \\<b\\> \\`c\\` \\| https\\://x\\.y",
  );
  expect(escapeMarkdown("mean(p) - mean(n), größe")).toBe("mean\\(p\\) \\- mean\\(n\\), größe");
});
