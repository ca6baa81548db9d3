/**
 * The real engine process and the real command line, killed at random moments of running jobs: what waits is told, nothing
 * is damaged, work goes on. A kill that comes after the end of its job does not count and is tried again.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EngineClient } from "../../src/client/engineClient.ts";
import { pairExamples, parseExampleSet } from "../../src/formats/exampleSet.ts";
import { parseVectorFile } from "../../src/formats/vectorFile.ts";
import { greedySampling } from "../../src/shared/engineContract.ts";
import { SeededRandom } from "../../src/steering/random.ts";
import { builtFile, embeddedModels, largestDifference, repository } from "./support/engine.ts";

const engineKills = 36;
const commandKills = 14;
const timeout = 300_000;
/** Each attempt comes earlier in the job than the one before. */
const maximumAttempts = 12;

const enginePath = builtFile("engine.js");
const cli = builtFile("cli.js");
const examples = join(repository, "examples/sets/happy-sad.jsonl");

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "steerscope-kill-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Kills a job of `milliseconds` at a random moment, again and earlier until it was still running. `attempt` answers whether it was. */
async function hit(
  random: SeededRandom,
  milliseconds: number,
  attempt: (moment: number) => Promise<boolean>,
): Promise<void> {
  for (let left = maximumAttempts; left > 0; left--) {
    if (await attempt(random.uniform() * milliseconds * (left / maximumAttempts))) return;
  }
  throw new Error("no kill came before the end of its job");
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return performance.now() - started;
}

describe("killing the engine", () => {
  const { positive, negative, pairs } = pairExamples(
    parseExampleSet(readFileSync(examples, "utf8"), "examples"),
  );
  const count = 24;
  const vectorRequest = {
    positive: positive.slice(0, count),
    negative: negative.slice(0, count),
    pairs: pairs.slice(0, 2 * count),
    template: "none",
    position: { kind: "last", back: 0 },
    method: "mean-difference",
    unit: false,
    seed: 1,
  } as const;
  const textRequest = {
    input: { text: "Once upon a time" },
    template: "none",
    variants: [null],
    sampling: { ...greedySampling, maxTokens: 40 },
  } as const;
  let client: EngineClient;
  beforeAll(async () => {
    client = new EngineClient({
      enginePath,
      embeddedModels,
      cacheFolder: join(folder, "engine-cache"),
      threads: 2,
    });
    await client.engine.load({ model: "stories15m" });
  });
  afterAll(() => client.dispose());

  const vectors = async (): Promise<Float32Array> =>
    (await client.engine.computeVector(vectorRequest)).vectors;
  const text = async (): Promise<string> => (await client.engine.generate(textRequest)).completions[0]!.text;

  it(`${engineKills} times while it computes vectors and text`, { timeout }, async () => {
    const random = new SeededRandom(2026);
    let expectedVectors = new Float32Array(0);
    let expectedText = "";
    const durations = [
      await timed(async () => {
        expectedVectors = Float32Array.from(await vectors());
      }),
      await timed(async () => {
        expectedText = await text();
      }),
    ];
    for (let round = 0; round < engineKills; round++) {
      const isVector = round % 2 === 0;
      await hit(random, durations[round % 2]!, async (moment) => {
        await client.engine.clearCaches();
        const { processId } = await client.engine.hello();
        const outcome = (isVector ? vectors() : text()).then(
          () => "finished",
          (error: unknown) => (error as { kind?: string }).kind,
        );
        await delay(moment);
        process.kill(processId, "SIGKILL");
        const result = await outcome;
        expect(["finished", "EngineCrashed"]).toContain(result);
        return result === "EngineCrashed";
      });
      // The next call starts a fresh process with the same model and finds whatever the cache kept sound.
      if (isVector) expect(largestDifference(await vectors(), expectedVectors)).toBeLessThan(1e-4);
      else expect(await text()).toBe(expectedText);
    }
  });
});

describe("killing the command line", () => {
  let place = "";
  let out = "";
  beforeAll(() => {
    place = join(folder, "results");
    mkdirSync(place);
    out = join(place, "vector.safetensors");
  });

  /** Computes a vector file; `kill` decides when to end that. Answers with the signal that ended it, null for none. */
  function compute(
    method: string,
    kill: (now: () => void) => void = () => undefined,
  ): Promise<string | null> {
    return new Promise((resolve) => {
      const argv = ["compute", examples, "--method", method, "--out", out];
      const child = spawn(process.execPath, [cli, ...argv, "--cache-folder", join(folder, "cli-cache")], {
        stdio: "ignore",
      });
      child.on("exit", (_, signal) => {
        resolve(signal);
      });
      kill(() => child.kill("SIGKILL"));
    });
  }

  it(
    `${commandKills} times while it makes a file: the old one or the new one is there, whole`,
    { timeout },
    async () => {
      const random = new SeededRandom(7);
      expect(await compute("random")).toBeNull();
      const old = readFileSync(out);
      const milliseconds = await timed(() => compute("mean-difference"));
      const { vectors: expected } = parseVectorFile(readFileSync(out));
      expect(largestDifference(parseVectorFile(old).vectors, expected)).toBeGreaterThan(0.01);
      let kept = 0;
      for (let round = 0; round < commandKills; round++) {
        // Half of them at any moment, half as the file is being written.
        const whileWriting = round % 2 === 1;
        await hit(random, whileWriting ? 10 : milliseconds, async (moment) => {
          writeFileSync(out, old);
          const signal = await compute("mean-difference", (now) => {
            if (!whileWriting) {
              setTimeout(now, moment);
              return;
            }
            const watcher = watch(place, () => {
              watcher.close();
              setTimeout(now, moment);
            });
          });
          return signal === "SIGKILL";
        });
        const found = readFileSync(out);
        if (found.equals(old)) kept++;
        else expect(largestDifference(parseVectorFile(found).vectors, expected)).toBeLessThan(1e-4);
      }
      expect(kept).toBeGreaterThan(0);
      expect(await compute("mean-difference")).toBeNull();
      expect(largestDifference(parseVectorFile(readFileSync(out)).vectors, expected)).toBeLessThan(1e-4);
    },
  );
});
