/**
 * node scripts/integration.mjs [filter] [--vsix FILE] [--grep TEXT] [--untrusted | --trusted] [--report FILE]
 *
 * Runs test/integration (all files, or those whose name holds the filter) with Mocha inside the extension host of a real
 * VS Code, each file on a copy of the sample workspace. The extension is built from source, or an installed package with --vsix.
 * Files named *.untrusted.test.ts run in a window that is not trusted. Last line: `N passed, N failed`;
 * the same as JSON in the report.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { launchChromium } from "./chromium.mjs";
import { ensureInstalled, root, seconds } from "./install.mjs";
import { copySampleWorkspace } from "./sample-workspace.mjs";
import { bundleTests, integrationTests, stageExtension } from "./test-bundles.mjs";
import { ensureVscodeHost } from "./vscode-host.mjs";
import { developmentExtension, noWelcome, startServer, workbenchUrl } from "./vscode-server.mjs";

const limitMilliseconds = 180_000;
const artifacts = join(root, "test-artifacts");

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    vsix: { type: "string" },
    grep: { type: "string", default: "" },
    report: { type: "string" },
    untrusted: { type: "boolean", default: false },
    trusted: { type: "boolean", default: false },
  },
});

ensureInstalled();
if (!ensureVscodeHost()) process.exit(1);

const counts = { passed: 0, failed: 0 };
const scratch = join(root, ".cache/integration");
mkdirSync(scratch, { recursive: true });
const folder = mkdtempSync(join(scratch, "run-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

const tests = integrationTests(positionals[0]);
const extension = values.vsix === undefined ? join(folder, "extension") : join(root, "test/carrier");
if (values.vsix === undefined && !stageExtension(extension)) process.exit(1);
if (!values.untrusted) await runWindows("trusted", tests.trusted);
if (!values.trusted) await runWindows("untrusted", tests.untrusted);
if (counts.passed + counts.failed === 0) {
  console.error("No test file of that name.");
  counts.failed++;
}
process.exitCode = counts.failed === 0 ? 0 : 1;
if (values.report !== undefined) writeFileSync(values.report, JSON.stringify(counts));
console.log(`${counts.passed} passed, ${counts.failed} failed`);

/** One server; for each file a window on a workspace of its own, so that no test meets what another has left. */
async function runWindows(kind, files) {
  if (files.length === 0) return;
  const started = Date.now();
  const bundles = join(folder, `tests-${kind}`);
  await bundleTests(files, bundles);
  const server = await startServer({
    trust: kind === "trusted",
    isDriven: true,
    ...(values.vsix === undefined ? {} : { vsix: resolve(values.vsix) }),
  });
  const browser = await launchChromium();
  try {
    for (const file of files) await runFile(server, browser, bundles, file.replace(/\.ts$/, ".js"));
  } finally {
    await browser.close();
    await server.stop();
  }
  console.log(`${kind} windows: ${seconds(started)}`);
}

async function runFile(server, browser, bundles, file) {
  console.log(`\n${file}`);
  const logFile = join(folder, `${file}.log`);
  const resultFile = join(folder, `${file}.json`);
  const workspace = mkdtempSync(join(tmpdir(), "steerscope-workspace-"));
  copySampleWorkspace(workspace);
  const follow = followFile(logFile);
  const noise = [];
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  try {
    // VS Code calls these two; they must be there before the page is.
    const ended = new Promise((done) => page.exposeFunction("codeAutomationExit", (code) => done(code)));
    await page.exposeFunction("codeAutomationLog", (type, args) => {
      noise.push(`${type}: ${args.filter((arg) => arg !== "%s").join(" ")}`);
    });
    const environment = {
      STEERSCOPE_TEST_FILE: file,
      STEERSCOPE_TEST_LOG: logFile,
      STEERSCOPE_TEST_RESULT: resultFile,
      STEERSCOPE_TEST_GREP: values.grep,
    };
    await page.goto(
      workbenchUrl(server, workspace, [
        developmentExtension(server, extension),
        ["extensionTestsPath", `vscode-remote://${server.authority}${join(bundles, "index.js")}`],
        ["extensionEnvironment", JSON.stringify(environment)],
        ...noWelcome,
      ]),
    );
    const code = await withLimit(ended, limitMilliseconds);
    if (code === undefined) {
      mkdirSync(artifacts, { recursive: true });
      const picture = join(artifacts, `${file}-timeout.png`);
      await page.screenshot({ path: picture });
      console.error(`No result after ${limitMilliseconds / 1000} s; what VS Code showed: ${picture}`);
    }
    follow.stop();
    if (existsSync(resultFile)) {
      const { passed, failed } = JSON.parse(readFileSync(resultFile, "utf8"));
      counts.passed += passed;
      counts.failed += failed === 0 && code !== 0 ? 1 : failed;
    } else {
      counts.failed++;
      console.error(`${file} gave no result (${code}). Last words of VS Code:`);
      console.error(noise.slice(-40).join("\n"));
    }
  } finally {
    follow.stop();
    await page.close();
    rmSync(workspace, { recursive: true, force: true });
  }
}

/** undefined where the promise takes longer. */
async function withLimit(promise, milliseconds) {
  let timer;
  const timeout = new Promise((done) => {
    timer = setTimeout(() => done(undefined), milliseconds);
  });
  const result = await Promise.race([promise, timeout]);
  clearTimeout(timer);
  return result;
}

/** Prints what is appended to a file, while it is. */
function followFile(file) {
  let printed = 0;
  const print = () => {
    if (!existsSync(file)) return;
    const text = readFileSync(file, "utf8");
    process.stdout.write(text.slice(printed));
    printed = text.length;
  };
  const timer = setInterval(print, 200);
  return {
    stop() {
      clearInterval(timer);
      print();
    },
  };
}
