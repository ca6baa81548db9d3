/** The real engine in this process, with a cache folder of its own, for tests. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type {
  EngineMethod,
  EngineRequest,
  EngineResult,
  Progress,
  Steering,
} from "../../../src/shared/engineContract.ts";
import type { AsyncEngine } from "../../../src/engine/asyncEngine.ts";
import { createLocalEngine } from "../../../src/engine/localEngine.ts";

export const repository = join(import.meta.dirname, "../../..");
export const fixtures = join(repository, "test/fixtures");
export const embeddedModels = join(repository, "models");

/** A bundle of dist/; builds where there is none, as outside `npm test`. */
export function builtFile(name: string): string {
  const path = join(repository, "dist", name);
  if (!existsSync(path)) {
    execFileSync(process.execPath, [join(repository, "scripts/build.mjs")], { stdio: "ignore" });
  }
  return path;
}

export interface TestEngine {
  readonly engine: AsyncEngine;
  readonly cacheFolder: string;
  call<M extends EngineMethod>(
    method: M,
    request: EngineRequest<M>,
    options?: { readonly signal?: AbortSignal; readonly onProgress?: (progress: Progress) => void },
  ): Promise<EngineResult<M>>;
  dispose(): Promise<void>;
}

export function openTestEngine(): TestEngine {
  const cacheFolder = mkdtempSync(join(tmpdir(), "steerscope-test-"));
  const engine = createLocalEngine({ embeddedModels, cacheFolder, threads: 2 });
  return {
    engine,
    cacheFolder,
    call: (method, request, options = {}) =>
      engine[method](request, {
        signal: options.signal ?? new AbortController().signal,
        progress: options.onProgress ?? (() => undefined),
      }),
    dispose: async () => {
      await engine.unload(undefined, { signal: new AbortController().signal, progress: () => undefined });
      rmSync(cacheFolder, { recursive: true, force: true });
    },
  };
}

export interface ReferenceTensor {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** What PyTorch computes for a fixture (test/fixtures/decoder-graphs/README.md). */
export function readReference(folder: string): Readonly<Record<string, ReferenceTensor>> {
  return JSON.parse(readFileSync(join(folder, "reference.json"), "utf8")) as Record<string, ReferenceTensor>;
}

/** `vector` added to the output of block `layer` at every token. */
export function steerEverywhere(layer: number, vector: ArrayLike<number>, strength = 1): Steering {
  return { terms: [{ layer, vector: Float32Array.from(vector), strength }], scope: "all" };
}

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`lengths differ: ${a.length} and ${b.length}`);
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}
