/**
 * What a benchmark runs on. The embedded model is always there; a real chat model and the peers are too large for the
 * repository and come by environment variables (docs/performance.md has the list).
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Benchmarks are started from the repository's root. */
export const root = process.cwd();
export const embeddedModels = join(root, "models");
export const embeddedModel = "stories15m";

/** Threads of one operator, on both sides of every comparison. */
export const threads = 2;

export interface Skip {
  readonly name: string;
  readonly skipped: string;
}

export interface Pair {
  readonly positive: string;
  readonly negative: string;
}

/** What PyTorch, steering-vectors and repeng compute on SmolLM2: reference.json. */
export interface Reference {
  readonly layers: number;
  readonly hidden: number;
  readonly prompts: Readonly<
    Record<
      string,
      {
        readonly text: string;
        readonly ids: readonly number[];
        readonly greedy: readonly number[];
        readonly steered_greedy: readonly number[];
        readonly mean_nll: number;
      }
    >
  >;
  readonly repeng_layers: readonly number[];
  readonly steer: { readonly block: number; readonly coefficient: number };
  readonly pairs: readonly Pair[];
}

/** Folder of a file or program outside the repository, or why it is not used. */
export function external(variable: string, ...path: readonly string[]): string | Skip {
  const base = process.env[variable];
  const name = path.length === 0 ? variable : path.join("/");
  if (base === undefined || base === "") return { name, skipped: `${variable} is not set` };
  const place = join(base, ...path);
  return existsSync(place) ? place : { name, skipped: `${place} does not exist` };
}

/** Folder of SmolLM2-135M in one layout: hf, hf-bf16, optimum-fp32, optimum-q8, builder-fp32 or builder-int4. */
export function smollm2(layout: string): string | Skip {
  return external("STEERSCOPE_SMOLLM2", layout);
}

/** The reference folder's path and its JSON, or why there is none. */
export function smollm2Reference(): { readonly folder: string; readonly reference: Reference } | Skip {
  const folder = external("STEERSCOPE_SMOLLM2_REFERENCE");
  if (typeof folder !== "string") return folder;
  return {
    folder,
    reference: JSON.parse(readFileSync(join(folder, "reference.json"), "utf8")) as Reference,
  };
}

/** A model to measure: `name` in the results, `model` for the engine. */
export interface BenchModel {
  readonly name: string;
  readonly model: string;
}

/** The layouts that are there, and the embedded model; `skips` collects the others. */
export function benchModels(layouts: readonly string[], skips: Skip[]): BenchModel[] {
  const found = layouts.flatMap((layout): BenchModel[] => {
    const folder = smollm2(layout);
    if (typeof folder === "string") return [{ name: layout, model: folder }];
    skips.push(folder);
    return [];
  });
  return [...found, { name: embeddedModel, model: embeddedModel }];
}

function positiveInteger(variable: string): number | undefined {
  const text = process.env[variable];
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`${variable} is ${text}, not a positive integer`);
  return value;
}

/** Measured rounds: STEERSCOPE_BENCH_ROUNDS, else `usual`. */
export function rounds(usual: number): number {
  return positiveInteger("STEERSCOPE_BENCH_ROUNDS") ?? usual;
}

const pairLimit = "STEERSCOPE_BENCH_PAIRS";

/** The first STEERSCOPE_BENCH_PAIRS of `pairs`; all of them where it is not set. */
export function limitedPairs(pairs: readonly Pair[]): readonly Pair[] {
  return pairs.slice(0, positiveInteger(pairLimit));
}

/** Why no target can be judged: with few pairs, start-up counts more than throughput. */
export function pairSkips(): readonly Skip[] {
  return positiveInteger(pairLimit) === undefined
    ? []
    : [{ name: "targets", skipped: `${pairLimit} is set` }];
}
