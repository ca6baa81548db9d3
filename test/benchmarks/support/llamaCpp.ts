/** Peer: llama.cpp's own programs on every GGUF file of a folder. Optional: it has to be compiled first. */
import { spawnSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { threads, type Pair } from "./environment.ts";
import { round } from "./rounds.ts";

function ggufFiles(folder: string): string[] {
  return readdirSync(folder).filter((file) => file.endsWith(".gguf"));
}

function run(program: string, args: readonly string[], folder: string): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 64 * 1024 ** 2,
  });
  if (status !== 0) throw new Error(`${program} failed: ${error?.message ?? stderr.slice(-1000)}`);
  return stdout;
}

/** Milliseconds per token of llama-bench, by file. */
export function llamaBench(binaries: string, weights: string, newTokens: number): Record<string, number> {
  return Object.fromEntries(
    ggufFiles(weights).map((file) => {
      const args = ["-m", file, "-t", String(threads), "-p", "0", "-n", String(newTokens), "-o", "json"];
      const [result] = JSON.parse(run(join(binaries, "llama-bench"), args, weights)) as { avg_ns: number }[];
      return [file, round(result!.avg_ns / 1e6 / newTokens)];
    }),
  );
}

/** A run of cvector-generator for each file: seconds, loading included (the program does not tell them apart). */
export function llamaVectorRuns(
  binaries: string,
  weights: string,
  pairs: readonly Pair[],
  scratch: string,
): ReadonlyMap<string, () => Promise<{ readonly seconds: number }>> {
  const side = (name: keyof Pair): string => {
    const path = join(scratch, `${name}.txt`);
    // One text a line; the program turns \n back into a line break.
    writeFileSync(path, pairs.map((pair) => `${pair[name].replaceAll("\n", "\\n")}\n`).join(""));
    return path;
  };
  const args = ["--positive-file", side("positive"), "--negative-file", side("negative"), "--method", "mean"];
  const generator = join(binaries, "llama-cvector-generator");
  return new Map(
    ggufFiles(weights).map((file) => [
      `llama.cpp ${file}`,
      () => {
        const started = performance.now();
        run(
          generator,
          ["-m", file, "-t", String(threads), ...args, "-o", join(scratch, "vector.gguf")],
          weights,
        );
        return Promise.resolve({ seconds: (performance.now() - started) / 1000 });
      },
    ]),
  );
}
