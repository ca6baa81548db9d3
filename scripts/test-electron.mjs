/**
 * node scripts/test-electron.mjs [filter] [--version stable|1.93.0|...] [--code PATH]
 *
 * The tests of scripts/integration.mjs in the desktop VS Code, for Linux (under xvfb-run), macOS and Windows: downloads VS Code
 * with @vscode/test-electron, or takes the executable at PATH.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureInstalled, root, runNode } from "./install.mjs";
import { copySampleWorkspace } from "./sample-workspace.mjs";
import { bundleTests, integrationTests } from "./test-bundles.mjs";
import { quietSettings, untrustedSettings } from "./vscode-settings.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { version: { type: "string", default: "stable" }, code: { type: "string" } },
});
ensureInstalled();
if (!runNode("scripts/build.mjs")) process.exit(1);
const { downloadAndUnzipVSCode } = await import("@vscode/test-electron");
const executable =
  values.code ??
  (await downloadAndUnzipVSCode({ version: values.version, cachePath: join(root, ".cache/vscode-test") }));

const counts = { passed: 0, failed: 0 };
const tests = integrationTests(positionals[0]);
await runWindows("trusted", tests.trusted);
await runWindows("untrusted", tests.untrusted);
process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1;
console.log(`${counts.passed} passed, ${counts.failed} failed`);

/** A VS Code of its own for each file, as in scripts/integration.mjs. */
async function runWindows(kind, files) {
  if (files.length === 0) return;
  const bundles = join(root, ".cache/electron", kind);
  rmSync(bundles, { recursive: true, force: true });
  await bundleTests(files, bundles);
  for (const file of files) await runFile(kind, bundles, file.replace(/\.ts$/, ".js"));
}

async function runFile(kind, bundles, file) {
  console.log(`\n${file}`);
  // A short path: the sockets of VS Code lie in it, and their names are bounded.
  const folder = mkdtempSync(join(tmpdir(), "steer-"));
  const workspace = join(folder, "workspace");
  copySampleWorkspace(workspace);
  const userData = join(folder, "data");
  mkdirSync(join(userData, "User"), { recursive: true });
  const settings = { ...quietSettings, ...(kind === "trusted" ? {} : untrustedSettings) };
  writeFileSync(join(userData, "User/settings.json"), JSON.stringify(settings));
  const resultFile = join(folder, "result.json");
  try {
    const code = await run(
      [
        workspace,
        `--extensionDevelopmentPath=${root}`,
        `--extensionTestsPath=${join(bundles, "index.js")}`,
        `--user-data-dir=${userData}`,
        `--extensions-dir=${join(folder, "extensions")}`,
        ...(kind === "trusted" ? ["--disable-workspace-trust"] : []),
        ...["--no-sandbox", "--disable-gpu-sandbox", "--disable-updates"],
        ...["--skip-welcome", "--skip-release-notes", "--disable-extensions"],
      ],
      { STEERSCOPE_TEST_FILE: file, STEERSCOPE_TEST_RESULT: resultFile },
    );
    count(resultFile, code);
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

function run(args, extraEnvironment) {
  const env = { ...process.env, ...extraEnvironment };
  // From a terminal of VS Code these would change what the executable is.
  for (const name of Object.keys(env)) if (/^(VSCODE_|ELECTRON_)/.test(name)) delete env[name];
  return new Promise((resolve, reject) => {
    const child = spawn(executable, args, { env, stdio: ["ignore", "inherit", "inherit"] });
    child.once("error", reject);
    child.once("exit", resolve);
  });
}

function count(resultFile, code) {
  try {
    const { passed, failed } = JSON.parse(readFileSync(resultFile, "utf8"));
    counts.passed += passed;
    counts.failed += failed === 0 && code !== 0 ? 1 : failed;
  } catch {
    console.error(`VS Code ended with ${code} and without a result.`);
    counts.failed++;
  }
}
