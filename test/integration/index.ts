/** What VS Code calls to run the tests: Mocha over every *.test.js beside this bundle. Rejects where one fails. */
import { appendFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "node:util";
import Mocha from "mocha";

/** File for the report and for what tests print; without it both go to the console. */
const logFile = process.env["STEERSCOPE_TEST_LOG"];
/** File for the counts, as JSON. */
const resultFile = process.env["STEERSCOPE_TEST_RESULT"];

function print(...args: unknown[]): void {
  if (logFile === undefined) console.info(...args);
  else appendFileSync(logFile, `${format(...args)}\n`);
}

export async function run(): Promise<void> {
  if (logFile !== undefined) console.log = print;
  Mocha.reporters.Base.consoleLog = print;
  const grep = process.env["STEERSCOPE_TEST_GREP"];
  const mocha = new Mocha({
    ui: "bdd",
    timeout: 60_000,
    color: false,
    ...(grep === undefined || grep === "" ? {} : { grep }),
  });
  for (const file of readdirSync(__dirname).sort()) {
    if (file.endsWith(".test.js")) mocha.addFile(join(__dirname, file));
  }
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
