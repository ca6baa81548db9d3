/**
 * npm start [-- --port N] [-- --server]
 *
 * Opens VS Code with the extension and a copy of the sample workspace (.cache/workspace, kept between starts): the desktop
 * `code` where one is on the PATH, else (or with --port or --server) a VS Code server on 127.0.0.1 until Ctrl-C.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureInstalled, root, runNode, seconds } from "./install.mjs";
import { copySampleWorkspace } from "./sample-workspace.mjs";

/** Tried first, so that the address stays the same from one start to the next. */
const usualPort = 3939;

const { values } = parseArgs({
  options: { port: { type: "string" }, server: { type: "boolean", default: false } },
});
const port = values.port === undefined ? undefined : Number(values.port);
if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536)) {
  console.error(`${values.port} is not a port.`);
  process.exit(2);
}

ensureInstalled();
const workspace = join(root, ".cache/workspace");
if (!existsSync(workspace)) copySampleWorkspace(workspace);
const isServer = port !== undefined || values.server || !hasDesktop();
if (isServer) await startInBrowser();
else startOnDesktop();

/** Inside a remote window `code` is there as well, but cannot open development extensions. */
function hasDesktop() {
  if (process.env.VSCODE_IPC_HOOK_CLI !== undefined) return false;
  return code(["--version"], "ignore");
}

function code(args, stdio) {
  const isWindows = process.platform === "win32";
  const safe = isWindows ? args.map((arg) => `"${arg}"`) : args;
  return spawnSync("code", safe, { stdio, shell: isWindows }).status === 0;
}

function startOnDesktop() {
  if (!runNode("scripts/build.mjs")) process.exit(1);
  console.log("Opening VS Code.");
  if (code(["--new-window", `--extensionDevelopmentPath=${root}`, workspace], "inherit")) return;
  console.error("`code` failed. `npm start -- --server` opens VS Code in a browser instead.");
  process.exit(1);
}

async function startInBrowser() {
  const { ensureVscodeHost } = await import("./vscode-host.mjs");
  const { startServer } = await import("./vscode-server.mjs");
  if (!ensureVscodeHost()) process.exit(1);
  const packages = join(root, ".cache/start");
  rmSync(packages, { recursive: true, force: true });
  console.log("Packaging the extension; this takes some ten seconds.");
  if (!runNode("scripts/package.mjs", ["--out", packages])) process.exit(1);
  const started = Date.now();
  const server = await startServer({
    data: join(root, ".cache/vscode"),
    vsix: join(packages, readdirSync(packages)[0]),
    port: port ?? (await portOrAny(usualPort)),
    defaultFolder: workspace,
    settings: { "workbench.startupEditor": "readme" },
  });
  console.log(
    `VS Code with Steerscope started in ${seconds(started)}. Open it in a browser on this machine:`,
  );
  console.log(`\n  ${server.url}/\n`);
  console.log("Ctrl-C ends it. The workspace is a copy of examples/workspace in .cache/workspace.");
}

/** `wanted` where it is free, else 0. */
function portOrAny(wanted) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(0));
    probe.listen(wanted, "127.0.0.1", () => probe.close(() => resolve(wanted)));
  });
}
