/** The package that the end-to-end tests install: STEERSCOPE_VSIX, else one made now. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { root, runNode } from "../../../scripts/install.mjs";
import { ensureVscodeHost } from "../../../scripts/vscode-host.mjs";

export function setup() {
  if (!ensureVscodeHost()) throw new Error("There is no VS Code to test in.");
  if (process.env.STEERSCOPE_VSIX !== undefined) return;
  const folder = join(root, ".cache/e2e-package");
  rmSync(folder, { recursive: true, force: true });
  if (!runNode("scripts/package.mjs", ["--out", folder])) throw new Error("There is no package to test.");
  process.env.STEERSCOPE_VSIX = join(folder, readdirSync(folder)[0]);
}
