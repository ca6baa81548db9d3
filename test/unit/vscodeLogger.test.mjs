/** What stands in for VS Code's logger in the VS Code that tests start. */
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";

const { createAsyncRotatingLogger } = createRequire(import.meta.url)("../../scripts/vscode-host/spdlog.cjs");

let folder;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "steerscope-logger-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("writes lines from the level on, as the pattern says", async () => {
  const file = join(folder, "deep/x.log");
  const logger = await createAsyncRotatingLogger("x", file, 1000, 2);
  logger.setPattern("%Y-%m-%d %H:%M:%S.%e [%l] %v");
  logger.setLevel(3);
  logger.info("not this");
  logger.warn("100 %v, $& and ü");
  const text = readFileSync(file, "utf8");
  expect(text).toMatch(/^\d{4}(-\d\d){2} \d\d(:\d\d){2}\.\d{3} \[warning\] 100 %v, \$& and ü\n$/);
});

it("writes text alone without formatters", async () => {
  const file = join(folder, "x.log");
  const logger = await createAsyncRotatingLogger("x", file, 1000, 2);
  logger.clearFormatters();
  logger.info("a");
  logger.error("b\n");
  expect(readFileSync(file, "utf8")).toBe("ab\n");
});

it("keeps as many files as it may, none larger than it may be", async () => {
  const logger = await createAsyncRotatingLogger("x", join(folder, "x.log"), 10, 3);
  for (let line = 0; line < 9; line++) logger.info(`line ${line}`);
  const content = (name) => readFileSync(join(folder, name), "utf8");
  expect(readdirSync(folder).sort()).toEqual(["x.1.log", "x.2.log", "x.log"]);
  expect(["x.2.log", "x.1.log", "x.log"].map(content)).toEqual(["line 6\n", "line 7\n", "line 8\n"]);
});
