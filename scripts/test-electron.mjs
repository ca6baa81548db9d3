/**
 * node scripts/test-electron.mjs [filter] [--version stable|1.93.0|...] [--code PATH] [--vsix FILE]
 *
 * The tests of scripts/integration.mjs in the desktop VS Code, for Linux (under xvfb-run), macOS and Windows: downloads VS Code
 * with @vscode/test-electron, or takes the executable at PATH. The extension is the one in dist/, or with --vsix an installed package.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ensureInstalled, root, runNode } from "./install.mjs";
import { copySampleWorkspace } from "./sample-workspace.mjs";
import { bundleTests, integrationTests } from "./test-bundles.mjs";
import { quietSettings, untrustedSettings } from "./vscode-settings.mjs";

/** For one file; what takes longer hangs. */
const limitMilliseconds = 300_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    version: { type: "string", default: "stable" },
    code: { type: "string" },
    vsix: { type: "string" },
  },
});
ensureInstalled();
if (values.vsix === undefined && !runNode("scripts/build.mjs")) process.exit(1);
const { downloadAndUnzipVSCode, resolveCliArgsFromVSCodeExecutablePath } =
  await import("@vscode/test-electron");
const executable =
  values.code ??
  (await downloadAndUnzipVSCode({ version: values.version, cachePath: join(root, ".cache/vscode-test") }));

// A short path: the sockets of VS Code lie in it, and their names are bounded.
const scratch = mkdtempSync(join(tmpdir(), "steer-"));
process.once("exit", () =>
  rmSync(scratch, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }),
);
const extensions = join(scratch, "extensions");
if (values.vsix !== undefined && !installPackage(resolve(values.vsix))) process.exit(1);

const counts = { passed: 0, failed: 0 };
const tests = integrationTests(positionals[0]);
await runWindows("trusted", tests.trusted);
await runWindows("untrusted", tests.untrusted);
process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1;
console.log(`${counts.passed} passed, ${counts.failed} failed`);

function installPackage(vsix) {
  const [command, ...args] = resolveCliArgsFromVSCodeExecutablePath(executable, {
    reuseMachineInstall: true,
  });
  const all = [...args, "--install-extension", vsix, "--force"];
  all.push(`--extensions-dir=${extensions}`, `--user-data-dir=${join(scratch, "install")}`);
  // On Windows it is a .cmd file, which only a shell can start.
  const isWindows = process.platform === "win32";
  const quoted = (words) => (isWindows ? words.map((word) => `"${word}"`) : words);
  const [program, ...rest] = quoted([command, ...all]);
  const { status, error } = spawnSync(program, rest, {
    stdio: "inherit",
    shell: isWindows,
    env: environment(),
  });
  if (status !== 0) console.error(`VS Code could not install ${vsix}. ${error?.message ?? ""}`);
  return status === 0;
}

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
  const folder = mkdtempSync(join(scratch, "w-"));
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
        `--extensionDevelopmentPath=${values.vsix === undefined ? root : join(root, "test/carrier")}`,
        `--extensionTestsPath=${join(bundles, "index.js")}`,
        `--user-data-dir=${userData}`,
        `--extensions-dir=${extensions}`,
        ...(kind === "trusted" ? ["--disable-workspace-trust"] : []),
        ...["--no-sandbox", "--disable-gpu-sandbox", "--disable-updates"],
        ...["--skip-welcome", "--skip-release-notes"],
        // Installed ones alone, not that under development.
        ...(values.vsix === undefined ? ["--disable-extensions"] : []),
      ],
      { STEERSCOPE_TEST_FILE: file, STEERSCOPE_TEST_RESULT: resultFile },
    );
    count(resultFile, code);
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

/** Without what a terminal of VS Code sets, which would change what the executable is. */
function environment(more = {}) {
  const env = { ...process.env, ...more };
  for (const name of Object.keys(env)) if (/^(VSCODE_|ELECTRON_)/.test(name)) delete env[name];
  return env;
}

/** Exit code of VS Code; null where it had to be ended. */
function run(args, more) {
  return new Promise((done, reject) => {
    const child = spawn(executable, args, {
      env: environment(more),
      stdio: ["ignore", "inherit", "inherit"],
      timeout: limitMilliseconds,
      killSignal: "SIGKILL",
    });
    child.once("error", reject);
    child.once("exit", done);
  });
}

function count(resultFile, code) {
  try {
    const { passed, failed } = JSON.parse(readFileSync(resultFile, "utf8"));
    console.log(`${passed} passed, ${failed} failed`);
    counts.passed += passed;
    counts.failed += failed === 0 && code !== 0 ? 1 : failed;
  } catch {
    console.error(`VS Code ended with ${code} and without a result.`);
    counts.failed++;
  }
}
