/** Copies of the sample workspace: tests and people may change them. */
import { cpSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { root } from "./install.mjs";

const sample = join(root, "examples/workspace");

/** Copies the sample workspace into `folder` (made where missing). */
export function copySampleWorkspace(folder) {
  mkdirSync(folder, { recursive: true });
  if (existsSync(sample)) cpSync(sample, folder, { recursive: true });
}
