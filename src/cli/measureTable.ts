import type { LayerMeasures, SuggestedLayer } from "../shared/vectorMeasures.ts";
import { bar, csvLine, figure, share, table } from "./text.ts";

const barWidth = 20;

/** The measures of all layers as a table; a bar for the held-out separation, a mark at the suggested layer. */
export function measureTable(measures: readonly LayerMeasures[], suggested: SuggestedLayer): string {
  const columns = [
    { title: "layer", align: "right" },
    { title: "norm", align: "right" },
    { title: "residual", align: "right" },
    { title: "ratio", align: "right" },
    { title: "cosine", align: "right" },
    { title: "stability", align: "right" },
    { title: "d", align: "right" },
    { title: "AUROC", align: "right" },
    { title: "", align: "left" },
  ] as const;
  const rows = measures.map((each) => [
    String(each.layer),
    figure(each.vectorNorm),
    figure(each.medianResidualNorm),
    share(each.relativeNorm),
    share(each.cosineWithPrevious),
    share(each.stability?.meanCosine ?? null),
    figure(each.separation?.cohensD ?? null),
    share(each.separation?.auroc ?? null),
    // 0.5 is chance: the bar shows what is above it.
    bar(((each.separation?.auroc ?? 0.5) - 0.5) * 2, barWidth).padEnd(barWidth) +
      (each.layer === suggested.layer ? " <- suggested" : ""),
  ]);
  return table(columns, rows);
}

/** What the columns of `measureTable` mean. */
export const measureLegend = [
  "norm: of the vector. residual: median norm of the residual stream. ratio: norm / residual, the dose at strength 1.",
  "cosine: with the layer before. stability: mean cosine between vectors of random halves of the examples.",
  "d, AUROC: separation of examples that did not make the vector (Cohen's d; 0.5 is chance, 1 is perfect).",
]
  .map((line) => `${line}\n`)
  .join("");

/** The same as CSV, every figure in full. */
export function measureCsv(measures: readonly LayerMeasures[], suggested: SuggestedLayer): string {
  const head = csvLine([
    "layer",
    "vector_norm",
    "median_residual_norm",
    "relative_norm",
    "cosine_with_previous",
    "stability",
    "stability_low",
    "stability_high",
    "cohens_d",
    "auroc",
    "suggested",
  ]);
  const lines = measures.map((each) =>
    csvLine([
      each.layer,
      each.vectorNorm,
      each.medianResidualNorm,
      each.relativeNorm,
      each.cosineWithPrevious,
      each.stability?.meanCosine ?? null,
      each.stability?.low ?? null,
      each.stability?.high ?? null,
      each.separation?.cohensD ?? null,
      each.separation?.auroc ?? null,
      each.layer === suggested.layer ? 1 : 0,
    ]),
  );
  return head + lines.join("");
}
