/**
 * Everything that must hold, step by step: `npm test`. Goes on after a failing step. The last line is
 * `N passed, N failed`: tests, and each other step as one.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { install, runNode, seconds } from "./install.mjs";

const counts = { passed: 0, failed: 0 };
const failures = [];

function count(name, passed, failed) {
  counts.passed += passed;
  counts.failed += failed;
  if (failed > 0) failures.push(name);
}

/** `run` returns how many passed and failed. */
function step(name, run) {
  console.log(`\n=== ${name}`);
  const started = Date.now();
  const { passed, failed } = run();
  count(name, passed, failed);
  console.log(`=== ${name}: ${failed === 0 ? "passed" : "FAILED"} in ${seconds(started)}`);
}

/** A step that passes or fails as a whole. */
function single(name, run) {
  step(name, () => (run() ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }));
}

function tool(name, script, args = []) {
  single(name, () => runNode(script, args));
}

function vitest(project) {
  step(`${project} tests`, () => {
    const folder = mkdtempSync(join(tmpdir(), "steerscope-tests-"));
    try {
      const report = join(folder, "report.json");
      const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
      const ended = runNode("node_modules/vitest/vitest.mjs", ["run", "--project", project, ...reporters]);
      return readReport(report, ended);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

function readReport(file, ended) {
  let report;
  try {
    report = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    console.log("vitest wrote no report.");
    return { passed: 0, failed: 1 };
  }
  const broken = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === "failed" && !assertionResults.some((result) => result.status === "failed"),
  );
  for (const { name, message } of broken) console.log(`${name}: ${message}`);
  const failed = report.numFailedTests + broken.length;
  // An error outside any test, or no test at all, shows in vitest's exit code only.
  return { passed: report.numPassedTests, failed: failed === 0 && !ended ? 1 : failed };
}

single("install", install);
// Without packages no other step can say anything.
if (counts.failed === 0) {
  tool("build", "scripts/build.mjs");
  tool("types", "node_modules/typescript/bin/tsc", ["--noEmit"]);
  tool("lint", "node_modules/eslint/bin/eslint.js", ["--max-warnings=0", "."]);
  tool("format", "node_modules/prettier/bin/prettier.cjs", ["--check", "--log-level=warn", "."]);
  tool("unused code", "node_modules/knip/bin/knip.js", ["--no-progress"]);
  vitest("unit");
  vitest("engine");
}

console.log(failures.length === 0 ? "" : `\nFailed: ${failures.join(", ")}`);
process.exitCode = counts.failed === 0 ? 0 : 1;
console.log(`${counts.passed} passed, ${counts.failed} failed`);
