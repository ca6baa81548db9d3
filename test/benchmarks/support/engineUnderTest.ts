/** The engine as shipped: dist/engine.js in a process of its own, with a cache folder that nothing was put in before. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EngineClient } from "../../../src/client/engineClient.ts";
import type { Engine } from "../../../src/shared/engineProxy.ts";
import { embeddedModels, root, threads } from "./environment.ts";
import { memoryOf, type Memory } from "./memory.ts";

export class EngineUnderTest {
  readonly #client: EngineClient;
  readonly #cacheFolder: string;
  readonly #ownsCache: boolean;

  /** `cacheFolder`: another engine's, to see what a second start finds there. */
  constructor(cacheFolder?: string) {
    this.#ownsCache = cacheFolder === undefined;
    this.#cacheFolder = cacheFolder ?? mkdtempSync(join(tmpdir(), "steerscope-bench-"));
    this.#client = new EngineClient({
      enginePath: join(root, "dist/engine.js"),
      embeddedModels,
      cacheFolder: this.#cacheFolder,
      threads,
    });
  }

  get engine(): Engine {
    return this.#client.engine;
  }

  get cacheFolder(): string {
    return this.#cacheFolder;
  }

  async memory(): Promise<Memory> {
    const { memory } = await this.engine.describe();
    return memoryOf(this.#client.pid!, memory);
  }

  async close(): Promise<void> {
    await this.#client.dispose();
    if (this.#ownsCache) rmSync(this.#cacheFolder, { recursive: true, force: true });
  }
}
