/** The least time that a token can take: every weight is read once, at the rate at which this machine reads memory. */
import { spawnSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { root, threads, type Skip } from "./environment.ts";

/** Measures bytes read per second; or says why it cannot. */
export function memoryReader(): (() => Promise<number>) | Skip {
  const program = join(root, ".cache/bench/memoryRead");
  const source = join(root, "test/benchmarks/peers/memoryRead.c");
  const compiler = process.env["CC"] ?? "cc";
  const { status } = spawnSync(compiler, ["-O3", "-march=native", "-fopenmp", source, "-o", program]);
  if (status !== 0) {
    return { name: "memory limit", skipped: `${compiler} cannot compile memoryRead.c (it needs OpenMP)` };
  }
  return () => {
    const run = spawnSync(program, {
      encoding: "utf8",
      env: { ...process.env, OMP_NUM_THREADS: String(threads) },
    });
    return run.status === 0
      ? Promise.resolve(Number(run.stdout))
      : Promise.reject(new Error("memoryRead failed"));
  };
}

/**
 * Bytes of weights that one token reads, for a folder of safetensors in the type they are computed in and with tied
 * embeddings: all of them, since the table is read whole as the output head. (The header is some kilobytes of it.)
 */
export function weightBytesPerToken(folder: string): number {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".safetensors"))
    .reduce((total, file) => total + statSync(join(folder, file)).size, 0);
}
