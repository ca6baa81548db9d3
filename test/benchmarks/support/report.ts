/** What a benchmark prints: one JSON object, with `targets` and `skipped` as scripts/bench.mjs gathers them. */
import type { Skip } from "./environment.ts";
import type { Spread } from "./rounds.ts";

export interface Target {
  readonly name: string;
  readonly value: number;
  /** The ratio of the minima, where `value` is the median of a ratio: far apart means a noisy run. */
  readonly ofMinima?: number;
  /** Such as ">= 4". */
  readonly target: string;
  readonly met: boolean;
}

export interface Report {
  readonly results: Readonly<Record<string, unknown>>;
  readonly targets: readonly Target[];
  readonly skipped: readonly Skip[];
}

export function atLeast(name: string, value: number | Spread, limit: number): Target {
  return { name, ...figures(value), target: `>= ${limit}`, met: figures(value).value >= limit };
}

export function atMost(name: string, value: number | Spread, limit: number): Target {
  return { name, ...figures(value), target: `<= ${limit}`, met: figures(value).value <= limit };
}

function figures(value: number | Spread): Pick<Target, "value" | "ofMinima"> {
  return typeof value === "number" ? { value } : { value: value.median, ofMinima: value.min };
}

/** Runs a benchmark and prints its report; a failure goes to standard error and into the exit code. */
export function main(benchmark: () => Promise<Report>): void {
  benchmark().then(
    (report) => {
      console.log(JSON.stringify(report, null, 2));
    },
    (error: unknown) => {
      console.error(error);
      process.exitCode = 1;
    },
  );
}
