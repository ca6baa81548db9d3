/** Every text has its translation; scripts/l10n.mjs knows how to find them. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const repository = join(import.meta.dirname, "../..");

test("every text of the host and of the manifest is translated, and nothing else is", () => {
  const run = spawnSync(process.execPath, ["scripts/l10n.mjs", "--check"], {
    cwd: repository,
    encoding: "utf8",
  });
  expect(run.stderr).toBe("");
  expect(run.stdout).toBe("All texts are translated.\n");
});
