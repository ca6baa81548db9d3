/**
 * Time until a model is ready, from the start of a process, and the memory of that process after a few tokens: our engine
 * on every layout, beside onnxruntime on the stock graph by path and transformers.js. Files are in the page cache.
 */
import { createReadStream, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { greedySampling } from "../../src/shared/engineContract.ts";
import { benchModels, rounds, smollm2, threads, type Skip } from "./support/environment.ts";
import { EngineUnderTest } from "./support/engineUnderTest.ts";
import type { Memory } from "./support/memory.ts";
import { PeerProcess, type PeerName } from "./support/peerProcess.ts";
import { main, type Report } from "./support/report.ts";
import { interleave, ratio, spread } from "./support/rounds.ts";

const layouts = ["hf", "hf-bf16", "optimum-fp32", "optimum-q8", "builder-fp32", "builder-int4"];
const promptIds = [1, 5, 17, 99, 3, 64, 12, 7, 30, 41, 8, 2];
const newTokens = 4;

interface Sample {
  /** Self-test apart. */
  readonly readyMilliseconds: number;
  readonly selfTestMilliseconds: number;
  readonly afterLoad: Memory;
  readonly afterDecoding: Memory;
}

async function loadOurs(
  model: string,
  cacheFolder?: string,
): Promise<Sample & { readonly next: Sample | null }> {
  const started = performance.now();
  const process = new EngineUnderTest(cacheFolder);
  try {
    const { selfTest } = await process.engine.load({ model });
    const readyMilliseconds = performance.now() - started - selfTest.milliseconds;
    const afterLoad = await process.memory();
    await process.engine.generate({
      input: { ids: Int32Array.from(promptIds), textStart: 0 },
      template: "none",
      variants: [null],
      sampling: { ...greedySampling, maxTokens: newTokens },
    });
    const afterDecoding = await process.memory();
    const next = cacheFolder === undefined ? await loadOurs(model, process.cacheFolder) : null;
    return { readyMilliseconds, selfTestMilliseconds: selfTest.milliseconds, afterLoad, afterDecoding, next };
  } finally {
    await process.close();
  }
}

async function loadPeer(name: PeerName, folder: string): Promise<Sample> {
  const started = performance.now();
  const process = new PeerProcess(name);
  try {
    await process.call("load", { folder, threads });
    const readyMilliseconds = performance.now() - started;
    const afterLoad = await process.memory();
    await process.call("decode", { ids: promptIds, newTokens });
    return { readyMilliseconds, selfTestMilliseconds: 0, afterLoad, afterDecoding: await process.memory() };
  } finally {
    await process.close();
  }
}

async function readOnce(folder: string): Promise<void> {
  for (const file of readdirSync(folder)) {
    await finished(createReadStream(join(folder, file), { highWaterMark: 8 << 20 }).resume());
  }
}

function summarise(samples: readonly Sample[]): Record<string, unknown> {
  const of = (value: (sample: Sample) => number): ReturnType<typeof spread> => spread(samples.map(value));
  const memory = (value: (sample: Sample) => Memory): unknown => ({
    residentMegabytes: of((sample) => value(sample).residentMegabytes),
    peakMegabytes: of((sample) => value(sample).peakMegabytes),
    anonymousMegabytes: of((sample) => value(sample).anonymousMegabytes ?? NaN),
  });
  return {
    readyMilliseconds: of((sample) => sample.readyMilliseconds),
    selfTestMilliseconds: of((sample) => sample.selfTestMilliseconds),
    afterLoad: memory((sample) => sample.afterLoad),
    afterDecoding: memory((sample) => sample.afterDecoding),
  };
}

/** Ours / the peer's, below 1 where ours is better. */
function compare(ours: readonly Sample[], peers: readonly Sample[]): Record<string, unknown> {
  const of = (value: (sample: Sample) => number): ReturnType<typeof ratio> =>
    ratio(ours.map(value), peers.map(value));
  return {
    ready: of((sample) => sample.readyMilliseconds),
    residentAfterDecoding: of((sample) => sample.afterDecoding.residentMegabytes),
    peak: of((sample) => sample.afterDecoding.peakMegabytes),
  };
}

main(async (): Promise<Report> => {
  const skipped: Skip[] = [];
  const models = benchModels(layouts, skipped);
  const contenders = new Map<string, () => Promise<Sample>>();
  const peers: { readonly ours: string; readonly peer: string }[] = [];
  /** A second start finds the hashes of the first one in its cache folder. */
  const again = new Map<string, Sample[]>();
  for (const { name, model } of models) {
    if (existsSync(model)) await readOnce(model);
    again.set(name, []);
    contenders.set(name, async () => {
      const { next, ...first } = await loadOurs(model);
      again.get(name)!.push(next!);
      return first;
    });
    if (!existsSync(join(model, "model.onnx"))) continue;
    contenders.set(`stock ${name}`, () => loadPeer("stock", model));
    peers.push({ ours: name, peer: `stock ${name}` });
  }
  const optimum = smollm2("optimum-fp32");
  if (typeof optimum === "string" && contenders.has("hf")) {
    contenders.set("transformers.js", () => loadPeer("transformersJs", optimum));
    peers.push({ ours: "hf", peer: "transformers.js" });
  }
  const samples = await interleave(contenders, rounds(3), {
    warmUp: false,
    peers: new Set(peers.map(({ peer }) => peer)),
    skips: skipped,
  });
  return {
    results: {
      processes: Object.fromEntries([...samples].map(([name, list]) => [name, summarise(list)])),
      secondStart: Object.fromEntries([...again].map(([name, list]) => [name, summarise(list)])),
      ratios: Object.fromEntries(
        peers.flatMap(({ ours, peer }) => {
          const theirs = samples.get(peer);
          return theirs === undefined
            ? []
            : [[`${ours} (second start) / ${peer}`, compare(again.get(ours)!, theirs)]];
        }),
      ),
    },
    targets: [],
    skipped,
  };
});
