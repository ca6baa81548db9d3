/** The real engine process, killed at random moments of real work: what waits is told, nothing is damaged, work goes on. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EngineClient } from "../../src/client/engineClient.ts";
import { greedySampling, type EngineResult } from "../../src/shared/engineContract.ts";
import { SeededRandom } from "../../src/steering/random.ts";
import { builtFile, embeddedModels, largestDifference, repository } from "./support/engine.ts";

const kills = 50;
const enginePath = builtFile("engine.js");
const stories = (
  JSON.parse(readFileSync(join(repository, "test/fixtures/tinystories-1000.json"), "utf8")) as string[]
)
  .slice(0, 24)
  .map((text) => ({ text: text.slice(0, 300) }));
const capture = {
  inputs: stories,
  template: "none",
  position: { kind: "last", back: 0 },
  withEmbedding: false,
} as const;
const generate = {
  input: { text: "Once upon a time" },
  template: "none",
  variants: [null],
  sampling: { ...greedySampling, maxTokens: 40 },
} as const;

describe("killing the engine", () => {
  let client: EngineClient;
  let cacheFolder: string;
  let expectedRows: Float32Array;
  let expectedText: string;
  beforeAll(async () => {
    cacheFolder = mkdtempSync(join(tmpdir(), "steerscope-kill-"));
    client = new EngineClient({ enginePath, embeddedModels, cacheFolder, threads: 2 });
    await client.engine.load({ model: "stories15m" });
    expectedRows = (await client.engine.capture(capture)).activations;
    expectedText = (await client.engine.generate(generate)).completions[0]!.text;
  });
  afterAll(async () => {
    await client.dispose();
    rmSync(cacheFolder, { recursive: true, force: true });
  });

  it(`${kills} times during capture and generation`, async () => {
    const random = new SeededRandom(2026);
    let crashes = 0;
    for (let round = 0; round < kills; round++) {
      await client.engine.clearCaches(undefined);
      const { processId } = await client.engine.hello(undefined);
      const isCapture = round % 2 === 0;
      const job: Promise<EngineResult<"capture" | "generate">> = isCapture
        ? client.engine.capture(capture)
        : client.engine.generate(generate);
      const outcome = job.then(
        () => "finished",
        (error: unknown) => (error as { kind?: string }).kind,
      );
      await delay(random.uniform() * 400);
      process.kill(processId, "SIGKILL");
      const result = await outcome;
      expect(["finished", "EngineCrashed"]).toContain(result);
      if (result === "EngineCrashed") crashes++;
      // The next call starts a fresh process with the same model and finds whatever the cache kept sound.
      if (isCapture) {
        const { activations } = await client.engine.capture(capture);
        expect(largestDifference(activations, expectedRows)).toBeLessThan(1e-4);
      } else {
        expect((await client.engine.generate(generate)).completions[0]!.text).toBe(expectedText);
      }
    }
    expect(crashes).toBeGreaterThan(kills / 5);
  }, 600_000);
});
