/** Two small line charts over the layers: what strength 1 adds, and how well the sides separate. */
import type { LayerMeasures } from "../../shared/vectorMeasures.ts";
import type { Localisation } from "../../shared/localisation.ts";
import { escapeHtml } from "./escapeHtml.ts";

const width = 420;
const height = 150;
const plot = { left: 48, right: width - 12, top: 12, bottom: height - 26 };
const maxLabels = 12;

interface Series {
  readonly title: string;
  readonly values: readonly (number | null)[];
  readonly range: readonly [number, number];
  /** A value to draw a dashed line at. */
  readonly reference?: number;
}

/** The figures stand in the table below; for a screen reader the chart is one sentence. */
export function vectorProfile(
  measures: readonly LayerMeasures[],
  suggested: number,
  l10n: Localisation,
  decimals: number,
): string {
  const ratios = measures.map(({ relativeNorm }) => relativeNorm);
  const aurocs = measures.map(({ separation }) => separation?.auroc ?? null);
  const measured = aurocs.filter((value) => value !== null);
  const charts: Series[] = [
    {
      title: l10n.t("Ratio to the residual norm"),
      values: ratios,
      range: [0, Math.max(...ratios, 1e-6)],
    },
  ];
  if (measured.length > 0) {
    charts.unshift({
      title: l10n.t("AUROC on held-out examples"),
      values: aurocs,
      range: [Math.min(0.5, ...measured), 1],
      reference: 0.5,
    });
  }
  const parts = charts.map((series) => chart(series, suggested, l10n, decimals));
  return `<div class="profiles">${parts.join("")}</div>`;
}

function chart(series: Series, suggested: number, l10n: Localisation, decimals: number): string {
  const { title, values, range, reference } = series;
  const [least, most] = range;
  const x = (layer: number): number =>
    plot.left + ((plot.right - plot.left) * layer) / Math.max(1, values.length - 1);
  const y = (value: number): number =>
    plot.bottom - ((plot.bottom - plot.top) * (value - least)) / Math.max(most - least, 1e-9);
  const points = values.flatMap((value, layer) => (value === null ? [] : [{ layer, value }]));
  const place = (value: number): string => value.toFixed(1);
  const line = points.map(({ layer, value }) => `${place(x(layer))},${place(y(value))}`).join(" ");
  const dots = points.map(({ layer, value }) => {
    const isHere = layer === suggested;
    const tip = l10n.t("layer {0}: {1}", layer, value.toFixed(decimals));
    return `<circle class="${isHere ? "here" : "point"}" cx="${place(x(layer))}" cy="${place(y(value))}" r="${isHere ? 5 : 2.5}"><title>${escapeHtml(tip)}</title></circle>`;
  });
  const every = Math.ceil(values.length / maxLabels);
  const labels = values.flatMap((_, layer) =>
    layer % every === 0
      ? [`<text class="middle" x="${place(x(layer))}" y="${plot.bottom + 16}">${layer}</text>`]
      : [],
  );
  const dashed =
    reference === undefined
      ? ""
      : `<line class="chance" x1="${plot.left}" x2="${plot.right}" y1="${place(y(reference))}" y2="${place(y(reference))}"/>`;
  const here = values[suggested];
  const summary = l10n.t(
    "{0} by layer, from {1} to {2}; {3} at the suggested layer {4}",
    title,
    Math.min(...points.map(({ value }) => value)).toFixed(decimals),
    Math.max(...points.map(({ value }) => value)).toFixed(decimals),
    here === null || here === undefined ? "–" : here.toFixed(decimals),
    suggested,
  );
  return `<figure><figcaption>${escapeHtml(title)}</figcaption>
<svg role="img" aria-label="${escapeHtml(summary)}" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
<line class="axis" x1="${plot.left}" x2="${plot.right}" y1="${plot.bottom}" y2="${plot.bottom}"/>
<text class="high" x="${plot.left - 6}" y="${plot.top + 4}">${most.toFixed(2)}</text>
<text class="high" x="${plot.left - 6}" y="${plot.bottom + 4}">${least.toFixed(2)}</text>
${labels.join("")}${dashed}
<polyline class="line" points="${line}"/>
${dots.join("\n")}
</svg></figure>`;
}
