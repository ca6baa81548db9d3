/**
 * Measuring several contenders side by side. A shared machine drifts by more than the differences of interest, so
 * contenders take turns within each round, another one first each time, and ratios are taken round by round.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Skip } from "./environment.ts";

/** Long enough for the threads of the contender before to stop spinning. */
const pauseMilliseconds = 100;

export interface RoundOptions {
  /** A first round that does not count. */
  readonly warmUp: boolean;
  /** Contenders that are not ours: one that fails drops out, with the reason in `skips`. */
  readonly peers: ReadonlySet<string>;
  readonly skips: Skip[];
}

/** One sample of each contender a round. */
export async function interleave<T>(
  contenders: ReadonlyMap<string, () => Promise<T>>,
  rounds: number,
  { warmUp, peers, skips }: RoundOptions,
): Promise<ReadonlyMap<string, readonly T[]>> {
  const names = [...contenders.keys()];
  const samples = new Map<string, T[]>(names.map((name) => [name, []]));
  for (let round = warmUp ? -1 : 0; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + Math.max(round, 0)) % names.length]!;
      const kept = samples.get(name);
      if (kept === undefined) continue;
      say(`${round < 0 ? "warm-up" : `round ${round + 1} of ${rounds}`}: ${name}`);
      try {
        const sample = await contenders.get(name)!();
        if (round >= 0) kept.push(sample);
      } catch (error) {
        if (!peers.has(name)) throw error;
        skips.push({ name, skipped: `failed: ${error instanceof Error ? error.message : String(error)}` });
        samples.delete(name);
      }
      await pause(pauseMilliseconds);
    }
  }
  return samples;
}

/** A line for the person who waits; standard output belongs to the result. */
export function say(text: string): void {
  console.error(`  ${text}`);
}

export interface Spread {
  readonly min: number;
  readonly median: number;
}

export function spread(values: readonly number[]): Spread {
  return { min: round(Math.min(...values)), median: round(median(values)) };
}

/** How many times `above` is `below`: `min` of the two minima, `median` of the ratios round by round. */
export function ratio(above: readonly number[], below: readonly number[]): Spread {
  return {
    min: round(Math.min(...above) / Math.min(...below)),
    median: round(median(above.map((value, index) => value / below[index]!))),
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Four significant digits: more would be noise. */
export function round(value: number): number {
  return Number(value.toPrecision(4));
}
