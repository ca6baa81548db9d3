/**
 * Steering vectors for all layers from pairs of texts, read at the last token: seconds and peak memory with nothing in
 * the cache, beside the Python peers on the same weights, then every method again from the activation cache. On SmolLM2
 * the pairs are 89 questions with the two answers; on the embedded model, 89 stories with two endings.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { methodIds } from "../../src/shared/methods.ts";
import { layerOf, norm } from "../../src/steering/algebra.ts";
import {
  benchModels,
  embeddedModel,
  external,
  limitedPairs,
  pairSkips,
  root,
  rounds,
  smollm2,
  smollm2Reference,
  type BenchModel,
  type Pair,
  type Skip,
} from "./support/environment.ts";
import { EngineUnderTest } from "./support/engineUnderTest.ts";
import { extractionPeers } from "./support/extractionPeers.ts";
import { llamaVectorRuns } from "./support/llamaCpp.ts";
import type { Memory } from "./support/memory.ts";
import { requestOf } from "./support/pairRequest.ts";
import { atLeast, atMost, main, type Report, type Target } from "./support/report.ts";
import { interleave, ratio, round, spread } from "./support/rounds.ts";

/** What the peers print of their vector, to show that they did the same work. */
const comparedLayer = 15;

interface Sample {
  /** Model loaded before; vectors (and, with ours, all measures) at the end. */
  readonly seconds: number;
  readonly peakMegabytes?: number;
  readonly normOfLayer15?: number;
  readonly ours?: {
    /** Part of `seconds` in which the model ran. */
    readonly captureSeconds: number;
    readonly tokens: { readonly total: number; readonly computed: number };
    readonly memory: Memory;
    readonly fromCacheMilliseconds: Readonly<Record<string, number>>;
  };
}

function storyPairs(): Pair[] {
  const stories = JSON.parse(
    readFileSync(join(root, "test/fixtures/tinystories-1000.json"), "utf8"),
  ) as string[];
  return stories.slice(0, 89).map((story) => {
    const opening = story.split(" ").slice(0, 80).join(" ");
    return { positive: `${opening}\n\nThey were all happy.`, negative: `${opening}\n\nThey were all sad.` };
  });
}

async function extract(model: string, pairs: readonly Pair[]): Promise<Sample> {
  const process = new EngineUnderTest();
  try {
    const { engine } = process;
    const { hidden, layers } = await engine.load({ model });
    const request = requestOf(pairs, "mean-difference");
    const started = performance.now();
    let captured = started;
    const { vectors, tokens } = await engine.computeVector(request, {
      onProgress: (progress) => {
        if (progress.kind === "step" && progress.unit === "tokens") captured = performance.now();
      },
    });
    const seconds = (performance.now() - started) / 1000;
    const memory = await process.memory();
    const fromCacheMilliseconds: Record<string, number> = {};
    for (const method of methodIds.filter((id) => id !== "single-pair")) {
      const again = performance.now();
      const result = await engine.computeVector(requestOf(pairs, method));
      if (result.tokens.computed > 0) throw new Error(`${method} ran the model again`);
      fromCacheMilliseconds[method] = round(performance.now() - again);
    }
    return {
      seconds,
      peakMegabytes: memory.peakMegabytes,
      ...(layers > comparedLayer ? { normOfLayer15: norm(layerOf(vectors, comparedLayer, hidden)) } : {}),
      ours: {
        captureSeconds: (captured - started) / 1000,
        tokens: { total: tokens.total, computed: tokens.computed },
        memory,
        fromCacheMilliseconds,
      },
    };
  } finally {
    await process.close();
  }
}

function summarise(samples: readonly Sample[]): Record<string, unknown> {
  const { peakMegabytes, normOfLayer15, ours } = samples[0]!;
  const seconds = samples.map((sample) => sample.seconds);
  return {
    seconds: spread(seconds),
    ...(peakMegabytes === undefined
      ? {}
      : { peakMegabytes: spread(samples.map((sample) => sample.peakMegabytes!)) }),
    ...(normOfLayer15 === undefined ? {} : { normOfLayer15: round(normOfLayer15) }),
    ...(ours === undefined
      ? {}
      : {
          captureSeconds: spread(samples.map((sample) => sample.ours!.captureSeconds)),
          tokens: ours.tokens,
          tokensPerSecond: round(ours.tokens.total / Math.min(...seconds)),
          memory: ours.memory,
          fromCacheMilliseconds: ours.fromCacheMilliseconds,
        }),
  };
}

/** How many times each peer's seconds ours must fit into. */
const speedTargets: readonly (readonly [string, number])[] = [
  ["steering-vectors", 4],
  ["repeng", 4],
  ["llama.cpp", 4],
  ["torch", 2.5],
];

function targetsOf(models: readonly BenchModel[], samples: ReadonlyMap<string, readonly Sample[]>): Target[] {
  const seconds = (list: readonly Sample[]): number[] => list.map((sample) => sample.seconds);
  const peaks = (list: readonly Sample[]): number[] => list.map((sample) => sample.peakMegabytes ?? NaN);
  return models
    .filter(({ name }) => name !== embeddedModel)
    .flatMap(({ name }) => {
      const own = samples.get(name)!;
      const speed = [...samples].flatMap(([peer, list]) => {
        const limit = speedTargets.find(([prefix]) => peer.startsWith(prefix))?.[1];
        return limit === undefined
          ? []
          : [atLeast(`${name}: ${peer} / ours`, ratio(seconds(list), seconds(own)), limit)];
      });
      const torch = samples.get("torch");
      if (torch === undefined) return speed;
      return [...speed, atMost(`${name}: peak memory / torch's`, ratio(peaks(own), peaks(torch)), 0.5)];
    });
}

main(async (): Promise<Report> => {
  const skipped: Skip[] = [];
  const models = benchModels(["hf", "optimum-fp32", "builder-fp32"], skipped);
  const scratch = mkdtempSync(join(tmpdir(), "steerscope-bench-pairs-"));
  try {
    const reference = smollm2Reference();
    const contenders = new Map<string, () => Promise<Sample>>();
    const measured: BenchModel[] = [];
    for (const entry of models) {
      const isEmbedded = entry.name === embeddedModel;
      if (!isEmbedded && "skipped" in reference) {
        skipped.push({ ...reference, name: entry.name });
        continue;
      }
      const pairs = limitedPairs(
        "skipped" in reference || isEmbedded ? storyPairs() : reference.reference.pairs,
      );
      contenders.set(entry.name, () => extract(entry.model, pairs));
      measured.push(entry);
    }
    if (!("skipped" in reference)) {
      const pairs = limitedPairs(reference.reference.pairs);
      const pairsFile = join(scratch, "pairs.json");
      writeFileSync(pairsFile, JSON.stringify(pairs));
      for (const [name, run] of extractionPeers(pairsFile, skipped)) contenders.set(name, run);
      const binaries = external("STEERSCOPE_LLAMA_CPP");
      const weights = smollm2("gguf");
      if (typeof binaries !== "string") skipped.push(binaries);
      else if (typeof weights !== "string") skipped.push(weights);
      else {
        for (const [name, run] of llamaVectorRuns(binaries, weights, pairs, scratch))
          contenders.set(name, run);
      }
    }
    const limits = pairSkips();
    const samples = await interleave(contenders, rounds(2), {
      warmUp: false,
      peers: new Set([...contenders.keys()].filter((name) => measured.every((own) => own.name !== name))),
      skips: skipped,
    });
    return {
      results: Object.fromEntries([...samples].map(([name, list]) => [name, summarise(list)])),
      targets: limits.length > 0 ? [] : targetsOf(measured, samples),
      skipped: [...skipped, ...limits],
    };
  } finally {
    rmSync(scratch, { recursive: true });
  }
});
