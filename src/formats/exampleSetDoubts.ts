/** What in a set makes the figures on held-out examples worthless, or better than they are. */
import type { Localisation } from "../shared/localisation.ts";
import { exampleLabels, examplesOf, type Example, type ExampleLabel, type ExampleSet } from "./exampleSet.ts";
import { labelText } from "./lineProblem.ts";

export interface ExampleSetDoubts {
  /** Sides of several examples that are all the same one. */
  readonly identical: readonly ExampleLabel[];
  /** Examples of the other sides that stand there before: when one is held out, its double is not. */
  readonly repeated: number;
  /** Different examples that both sides have. */
  readonly shared: number;
}

/** Two examples are the same where text and prompt are. Linear in the size of the set. */
export function exampleSetDoubts(set: ExampleSet): ExampleSetDoubts {
  const seen: Readonly<Record<ExampleLabel, Set<string>>> = { positive: new Set(), negative: new Set() };
  const counts: Record<ExampleLabel, number> = { positive: 0, negative: 0 };
  for (const { example } of examplesOf(set)) {
    seen[example.label].add(keyOf(example));
    counts[example.label]++;
  }
  const identical = exampleLabels.filter((label) => counts[label] > 1 && seen[label].size === 1);
  const repeated = exampleLabels
    .filter((label) => !identical.includes(label))
    .reduce((sum, label) => sum + counts[label] - seen[label].size, 0);
  const shared = [...seen.positive].filter((key) => seen.negative.has(key)).length;
  return { identical, repeated, shared };
}

function keyOf({ text, prompt }: Example): string {
  return JSON.stringify([text, prompt ?? ""]);
}

/** Sentences for people; empty where nothing is to be doubted. */
export function doubtTexts({ identical, repeated, shared }: ExampleSetDoubts, l10n: Localisation): string[] {
  return [
    ...identical.map((label) =>
      l10n.t(
        "All {0} examples are the same text: figures on held-out examples say nothing.",
        labelText(label, l10n),
      ),
    ),
    ...(repeated === 0
      ? []
      : [
          repeated === 1
            ? l10n.t("One example repeats another: held-out figures look better than they are.")
            : l10n.t("{0} examples repeat others: held-out figures look better than they are.", repeated),
        ]),
    ...(shared === 0
      ? []
      : [
          shared === 1
            ? l10n.t("One text stands on both sides, which together say nothing.")
            : l10n.t("{0} texts stand on both sides, which together say nothing.", shared),
        ]),
  ];
}
