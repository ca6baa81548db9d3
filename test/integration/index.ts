/** What VS Code calls to run one file of tests with Mocha. Rejects where one fails. */
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "node:util";
import Mocha from "mocha";

/** Bundle of the tests, beside this one. */
const testFile = process.env["STEERSCOPE_TEST_FILE"]!;
/** File for the report and for what tests print; without it both go to the console. */
const logFile = process.env["STEERSCOPE_TEST_LOG"];
/** File for the counts, as JSON. */
const resultFile = process.env["STEERSCOPE_TEST_RESULT"];

function print(...args: unknown[]): void {
  if (logFile === undefined) console.info(...args);
  else appendFileSync(logFile, `${format(...args)}\n`);
}

export async function run(): Promise<void> {
  // VS Code's own console cannot be assigned to.
  if (logFile !== undefined)
    globalThis.console = Object.create(console, { log: { value: print } }) as Console;
  Mocha.reporters.Base.consoleLog = print;
  const grep = process.env["STEERSCOPE_TEST_GREP"];
  const mocha = new Mocha({
    ui: "bdd",
    timeout: 60_000,
    color: false,
    ...(grep === undefined || grep === "" ? {} : { grep }),
  });
  mocha.addFile(join(__dirname, testFile));
  const stats = await new Promise<Mocha.Stats>((resolve) => {
    const runner = mocha.run(() => {
      resolve(runner.stats!);
    });
  });
  if (resultFile !== undefined) {
    writeFileSync(resultFile, JSON.stringify({ passed: stats.passes, failed: stats.failures }));
  }
  if (stats.failures > 0) throw new Error(`${stats.failures} tests failed`);
  if (stats.passes === 0) throw new Error("No test ran");
}
