/**
 * Milliseconds per token at short context: ours unsteered, steered, and several variants as one batch, beside the stock
 * graph in a plain loop, transformers.js, and the time in which this machine can read the weights.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { greedySampling, type ModelDescription, type Steering } from "../../src/shared/engineContract.ts";
import {
  benchModels,
  external,
  rounds,
  smollm2,
  threads,
  type BenchModel,
  type Skip,
} from "./support/environment.ts";
import { EngineUnderTest } from "./support/engineUnderTest.ts";
import { llamaBench } from "./support/llamaCpp.ts";
import { memoryReader, weightBytesPerToken } from "./support/memoryLimit.ts";
import { PeerProcess, type PeerName } from "./support/peerProcess.ts";
import { atLeast, atMost, main, type Report, type Target } from "./support/report.ts";
import { interleave, ratio, round, spread } from "./support/rounds.ts";

const prompt = "Once upon a time there was a little girl who";
const newTokens = 48;
const ladder = 8;
const stockName = "stock graph";
const transformersJsName = "transformers.js on optimum-fp32";

interface DecodeSample {
  readonly value: number;
  readonly ids: readonly number[];
}
type Contender = () => Promise<DecodeSample>;

/** A vector too short to change the text, so that every contender does the same steps; the arithmetic is the same. */
function steering(layers: readonly number[], hidden: number, strength = 1): Steering {
  const vector = Float32Array.from({ length: hidden }, (_, i) => 1e-7 * Math.sin(i + 1));
  return { terms: layers.map((layer) => ({ layer, vector, strength })), scope: "all" };
}

function variantsOf({ layers, hidden }: ModelDescription): Record<string, readonly (Steering | null)[]> {
  const middle = layers >> 1;
  const oneLayer = steering([middle], hidden);
  return {
    unsteered: [null],
    "steered one layer": [oneLayer],
    "steered all layers": [
      steering(
        Array.from({ length: layers }, (_, layer) => layer),
        hidden,
      ),
    ],
    pair: [null, oneLayer],
    ladder: Array.from({ length: ladder }, (_, step) => steering([middle], hidden, step + 1)),
  };
}

function ours(
  engine: EngineUnderTest["engine"],
  ids: Int32Array,
  variants: readonly (Steering | null)[],
): Contender {
  return async () => {
    const result = await engine.generate({
      input: { ids, textStart: 0 },
      template: "none",
      variants,
      sampling: { ...greedySampling, maxTokens: newTokens },
    });
    const short = result.completions.find((completion) => completion.ids.length < newTokens);
    if (short !== undefined) throw new Error(`a row ended after ${short.ids.length} tokens`);
    return { value: result.decodeMilliseconds / result.decodeSteps, ids: [...result.completions[0]!.ids] };
  };
}

function theirs(peer: PeerProcess, ids: Int32Array): Contender {
  return async () => {
    const result = await peer.call("decode", { ids: [...ids], newTokens });
    return { value: result.millisecondsPerToken, ids: result.ids };
  };
}

/** Peers of one layout: the stock graph where there is one; transformers.js beside `hf`, on the Optimum graph. */
function peersOf({ name, model }: BenchModel): { name: string; script: PeerName; folder: string }[] {
  const optimum = smollm2("optimum-fp32");
  const stock = existsSync(join(model, "model.onnx"));
  const transformersJs = name === "hf" && typeof optimum === "string";
  return [
    ...(stock ? [{ name: stockName, script: "stock" as const, folder: model }] : []),
    ...(transformersJs
      ? [{ name: transformersJsName, script: "transformersJs" as const, folder: optimum }]
      : []),
  ];
}

async function measure(model: BenchModel, skipped: Skip[]): Promise<{ results: unknown; targets: Target[] }> {
  const engine = new EngineUnderTest();
  const peers = new Map<string, PeerProcess>();
  try {
    const description = await engine.engine.load({ model: model.model });
    const [tokenized] = await engine.engine.tokenize({ inputs: [{ text: prompt }], template: "none" });
    const { ids } = tokenized!;
    const contenders = new Map<string, Contender>();
    for (const [name, variants] of Object.entries(variantsOf(description))) {
      contenders.set(name, ours(engine.engine, ids, variants));
    }
    for (const { name, script, folder } of peersOf(model)) {
      const peer = new PeerProcess(script);
      peers.set(name, peer);
      await peer.call("load", { folder, threads });
      contenders.set(name, theirs(peer, ids));
    }
    const memory = model.name === "hf" ? memoryReader() : null;
    if (typeof memory === "function") {
      contenders.set("memory", async () => ({ value: await memory(), ids: [] }));
    } else if (memory !== null) skipped.push(memory);
    const samples = await interleave(contenders, rounds(7), {
      warmUp: true,
      peers: new Set(peers.keys()),
      skips: skipped,
    });
    return evaluate(model, samples, ids.length);
  } finally {
    await engine.close();
    for (const peer of peers.values()) await peer.close();
  }
}

function evaluate(
  { name, model }: BenchModel,
  samples: ReadonlyMap<string, readonly DecodeSample[]>,
  promptTokens: number,
): { results: unknown; targets: Target[] } {
  const times = (contender: string): number[] => (samples.get(contender) ?? []).map(({ value }) => value);
  const alone = times("unsteered");
  const targets = [
    atMost(`${name}: steering one layer / unsteered`, ratio(times("steered one layer"), alone), 1.02),
    atMost(`${name}: steering all layers / unsteered`, ratio(times("steered all layers"), alone), 1.02),
    atMost(`${name}: unsteered and steered as one batch / one alone`, ratio(times("pair"), alone), 1.15),
    atMost(`${name}: ladder of ${ladder} / one alone`, ratio(times("ladder"), alone), 1.6),
  ];
  const stock = times(stockName);
  if (stock.length > 0) {
    targets.push(
      atMost(`${name}: steered all layers / stock graph`, ratio(times("steered all layers"), stock), 1.02),
    );
  }
  const transformersJs = times(transformersJsName);
  if (transformersJs.length > 0) {
    targets.push(atLeast(`${name}: transformers.js / unsteered`, ratio(transformersJs, alone), 1.2));
  }
  const rates = times("memory");
  const limits = rates.map((rate) => (1000 * weightBytesPerToken(model)) / rate);
  if (limits.length > 0) {
    targets.push(atLeast(`${name}: share of the memory limit`, ratio(limits, alone), 0.7));
  }
  const expected = JSON.stringify(samples.get("unsteered")![0]!.ids);
  const others = [...samples].filter(([contender]) => contender !== "memory");
  return {
    results: {
      promptTokens,
      newTokens,
      millisecondsPerToken: Object.fromEntries(
        others.map(([contender, list]) => [contender, spread(list.map(({ value }) => value))]),
      ),
      ...(limits.length > 0
        ? {
            memoryGigabytesPerSecond: round(Math.max(...rates) / 1e9),
            memoryLimitMilliseconds: spread(limits),
          }
        : {}),
      sameTokens: Object.fromEntries(
        others.map(([contender, list]) => [
          contender,
          list.every(({ ids }) => JSON.stringify(ids) === expected),
        ]),
      ),
    },
    targets,
  };
}

main(async (): Promise<Report> => {
  const skipped: Skip[] = [];
  const results: Record<string, unknown> = {};
  const targets: Target[] = [];
  for (const model of benchModels(["hf", "optimum-fp32", "builder-fp32"], skipped)) {
    const measured = await measure(model, skipped);
    results[model.name] = measured.results;
    targets.push(...measured.targets);
  }
  const binaries = external("STEERSCOPE_LLAMA_CPP");
  const weights = smollm2("gguf");
  if (typeof binaries !== "string") skipped.push(binaries);
  else if (typeof weights !== "string") skipped.push(weights);
  else results["llama.cpp"] = llamaBench(binaries, weights, newTokens);
  return { results, targets, skipped };
});
