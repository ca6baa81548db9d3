/** An example set as a table for spreadsheets and data frames. */
import { formatRecord } from "./delimited.ts";
import { examplesOf, type ExampleSet } from "./exampleSet.ts";

/** Columns label, text, prompt, pair, with a heading; sources and unknown keys stay behind. */
export function exampleTable(set: ExampleSet, delimiter: "," | "\t"): string {
  const rows = examplesOf(set).map(({ example }) =>
    formatRecord([example.label, example.text, example.prompt ?? "", example.pair ?? ""], delimiter),
  );
  return formatRecord(["label", "text", "prompt", "pair"], delimiter) + rows.join("");
}
