/**
 * Installs what is missing. Plain Node without dependencies, and no syntax or API newer than Node 14, so that an old Node
 * gets to read the sentence about itself.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const oldestNode = 20;

/** Ends the process where `install` cannot do its work. */
export function ensureInstalled() {
  if (!install()) process.exit(1);
}

/**
 * True when all packages of `folder`, the project's own unless given, are in place; else it has said what is wrong: Node
 * too old, or no network. `cost`: what people are told to expect of the first time.
 */
export function install(folder = root, what = "packages", cost = "takes about a minute") {
  const major = Number(process.versions.node.split(".")[0]);
  if (major < oldestNode) {
    console.error(
      `Steerscope needs Node ${oldestNode} or newer; this is ${process.version}. Get it from https://nodejs.org.`,
    );
    return false;
  }
  const lock = readPackages(join(folder, "package-lock.json"));
  if (lock !== null && isInstalled(folder, lock)) return true;
  const command = lock === null ? "install" : "ci";
  console.log(`Installing ${what} with npm ${command}; the first time this ${cost}.`);
  const started = Date.now();
  // NODE_ENV=production would leave out what the build needs.
  const done = runNpm([command, "--include=dev", "--no-audit", "--no-fund"], { cwd: folder });
  if (!done) {
    console.error(
      `npm ${command} failed. It needs the npm registry once; check the network and run the command again.`,
    );
    return false;
  }
  console.log(`Installed in ${seconds(started)}.`);
  return true;
}

/** Runs Node on a script of this project or of a package, from the project's root; true where it ended with 0. */
export function runNode(script, args = [], options = {}) {
  return runs(process.execPath, [script, ...args], options);
}

/** Time since `started` (milliseconds since 1970), for people. */
export function seconds(started) {
  return `${((Date.now() - started) / 1000).toFixed(1)} s`;
}

function runNpm(args, options) {
  const npm = process.env.npm_execpath;
  if (npm !== undefined && npm.endsWith("npm-cli.js")) return runNode(npm, args, options);
  // On Windows npm is a .cmd file, which only a shell can start.
  return runs("npm", args, { ...options, shell: process.platform === "win32" });
}

function runs(command, args, options) {
  const stdio = ["ignore", "inherit", "inherit"];
  return spawnSync(command, args, { cwd: root, stdio, ...options }).status === 0;
}

/** The packages of a lock file by folder, or null where there is no such file. */
function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages;
  } catch (error) {
    return null;
  }
}

/** Whether npm has put everything that the lock names in place. Optional packages are those of other platforms. */
function isInstalled(folder, lock) {
  const installed = readPackages(join(folder, "node_modules/.package-lock.json"));
  if (installed === null) return false;
  return Object.entries(lock).every(([path, { version, optional }]) => {
    if (path === "") return true;
    const found = installed[path];
    return found === undefined ? optional === true : found.version === version;
  });
}
