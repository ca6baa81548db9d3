/** The real engine in this process, with folders of its own, for tests. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import type {
  EngineMethod,
  EngineRequest,
  EngineResult,
  Progress,
  Steering,
} from "../../../src/shared/engineContract.ts";
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
  /** Empty at first, for the models that tests make; deleted with the engine. */
  readonly folder: string;
  call<M extends EngineMethod>(
    method: M,
    request: EngineRequest<M>,
    options?: { readonly signal?: AbortSignal; readonly onProgress?: (progress: Progress) => void },
  ): Promise<EngineResult<M>>;
}

/** An engine from the first to the last test of the file or the `describe` that calls this. */
export function useTestEngine(): TestEngine {
  let opened: ReturnType<typeof openTestEngine> | undefined;
  beforeAll(() => {
    opened = openTestEngine();
  });
  afterAll(() => opened?.dispose());
  return {
    get folder() {
      return opened!.folder;
    },
    call: (...request) => opened!.call(...request),
  };
}

function openTestEngine(): TestEngine & { dispose(): Promise<void> } {
  const base = mkdtempSync(join(tmpdir(), "steerscope-test-"));
  const folder = join(base, "models");
  mkdirSync(folder);
  const engine = createLocalEngine({ embeddedModels, cacheFolder: join(base, "cache"), threads: 2 });
  return {
    folder,
    call: (method, request, options = {}) =>
      engine[method](request, {
        signal: options.signal ?? new AbortController().signal,
        progress: options.onProgress ?? (() => undefined),
      }),
    dispose: async () => {
      await engine.unload(undefined, { signal: new AbortController().signal, progress: () => undefined });
      rmSync(base, { recursive: true, force: true });
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
