/**
 * The page of a vector file: provenance, measures by layer, a small profile. Text of files is hostile and is escaped; the
 * page runs no script.
 */
import { bestLayer, type VectorFile } from "../../formats/vectorFile.ts";
import type { SteerscopeError } from "../../shared/errors.ts";
import type { LayerMeasures } from "../../shared/vectorMeasures.ts";
import { layerOf, norm } from "../../steering/algebra.ts";
import type { Localisation } from "../../shared/localisation.ts";
import { vectorFacts, type Fact } from "../vectorFacts.ts";
import { escapeHtml } from "./escapeHtml.ts";
import { vectorProfile } from "./vectorProfile.ts";
import { vectorPageStyle } from "./vectorPageStyle.ts";

export interface VectorPageInput {
  readonly name: string;
  readonly file: VectorFile | null;
  readonly problem: SteerscopeError | null;
  readonly decimals: number;
  /** Of the style element; fresh for each page. */
  readonly nonce: string;
  readonly l10n: Localisation;
  /** BCP 47 tag of the language of `l10n`. */
  readonly language: string;
}

export function vectorPage(input: VectorPageInput): string {
  const { name, nonce, language } = input;
  const policy = `default-src 'none'; style-src 'nonce-${nonce}'`;
  return `<!DOCTYPE html>
<html lang="${escapeHtml(language)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(name)}</title>
<style nonce="${nonce}">${vectorPageStyle}</style>
</head>
<body><main>
<h1>${escapeHtml(name)}</h1>
${input.file === null ? problemPart(input) : vectorPart(input, input.file)}
</main></body>
</html>`;
}

function problemPart({ problem, l10n }: VectorPageInput): string {
  const message = problem?.message ?? "";
  const detail = problem?.detail === undefined ? "" : `<p class="detail">${escapeHtml(problem.detail)}</p>`;
  return `<section role="alert"><h2>${escapeHtml(l10n.t("This vector cannot be read"))}</h2>
<p>${escapeHtml(message)}</p>${detail}
<p>${escapeHtml(problem?.remedy ?? l10n.t("Delete the file or compute it again."))}</p></section>`;
}

function vectorPart(input: VectorPageInput, file: VectorFile): string {
  const { l10n, decimals } = input;
  const suggested = file.provenance?.suggested;
  const lead = suggested === undefined ? "" : `<p class="lead">${escapeHtml(suggested.reason)}</p>`;
  const measures = file.provenance?.measures;
  const profile =
    measures === undefined || measures.length < 2
      ? ""
      : vectorProfile(measures, bestLayer(file), l10n, decimals);
  return `${lead}
${profile}
<h2>${escapeHtml(l10n.t("Layers"))}</h2>
${measures === undefined ? normTable(input, file) : measureTable(input, measures, bestLayer(file))}
<h2>${escapeHtml(l10n.t("Origin"))}</h2>
<table class="facts"><tbody>
${vectorFacts(file, l10n, decimals).map(factRow).join("\n")}
</tbody></table>`;
}

function factRow({ label, value, full }: Fact): string {
  const cell =
    full === undefined ? escapeHtml(value) : `<code title="${escapeHtml(full)}">${escapeHtml(full)}</code>`;
  return `<tr><th scope="row">${escapeHtml(label)}</th><td>${cell}</td></tr>`;
}

function measureTable(
  { l10n, decimals }: VectorPageInput,
  measures: readonly LayerMeasures[],
  suggested: number,
): string {
  const figure = (value: number | null | undefined): string =>
    value === null || value === undefined ? "–" : value.toFixed(decimals);
  const columns: readonly { title: string; meaning: string; cell: (layer: LayerMeasures) => string }[] = [
    {
      title: l10n.t("Norm"),
      meaning: l10n.t("Euclidean norm of the vector"),
      cell: ({ vectorNorm }) => figure(vectorNorm),
    },
    {
      title: l10n.t("Residual"),
      meaning: l10n.t("Median norm of the residual stream over the examples"),
      cell: ({ medianResidualNorm }) => figure(medianResidualNorm),
    },
    {
      title: l10n.t("Ratio"),
      meaning: l10n.t("Norm over residual: what strength 1 adds"),
      cell: ({ relativeNorm }) => figure(relativeNorm),
    },
    {
      title: l10n.t("AUROC"),
      meaning: l10n.t("Separation of examples that did not make the vector: 0.5 is chance, 1 perfect"),
      cell: ({ separation }) => figure(separation?.auroc),
    },
    {
      title: l10n.t("Cohen's d"),
      meaning: l10n.t("Distance of the two sides' means in pooled standard deviations"),
      cell: ({ separation }) => figure(separation?.cohensD),
    },
    {
      title: l10n.t("Stability"),
      meaning: l10n.t("Mean cosine between vectors of random halves of the examples, with its 95 % interval"),
      cell: ({ stability }) =>
        stability === null
          ? "–"
          : `${figure(stability.meanCosine)} <span class="interval">[${figure(stability.low)}, ${figure(stability.high)}]</span>`,
    },
    {
      title: l10n.t("Cosine"),
      meaning: l10n.t("With the vector of the layer before"),
      cell: ({ cosineWithPrevious }) => figure(cosineWithPrevious),
    },
  ];
  const head = columns
    .map(({ title, meaning }) => `<th scope="col" title="${escapeHtml(meaning)}">${escapeHtml(title)}</th>`)
    .join("");
  const rows = measures.map((each) => {
    const isBest = each.layer === suggested;
    const mark = isBest ? ` <span class="mark">${escapeHtml(l10n.t("suggested"))}</span>` : "";
    const cells = columns.map(({ cell }) => `<td>${cell(each)}</td>`).join("");
    return `<tr${isBest ? ' class="best"' : ""}><th scope="row">${each.layer}${mark}</th>${cells}</tr>`;
  });
  const legend = columns
    .map(({ title, meaning }) => `<div><dt>${escapeHtml(title)}</dt><dd>${escapeHtml(meaning)}</dd></div>`)
    .join("");
  return layerTable(l10n, head, rows) + `<dl class="legend">${legend}</dl>`;
}

/** Of a file that says no more than its vectors. */
function normTable({ l10n, decimals }: VectorPageInput, file: VectorFile): string {
  const rows = file.present.map((layer) => {
    const length = norm(layerOf(file.vectors, layer, file.hidden)).toFixed(decimals);
    return `<tr><th scope="row">${layer}</th><td>${length}</td></tr>`;
  });
  return layerTable(l10n, `<th scope="col">${escapeHtml(l10n.t("Norm"))}</th>`, rows);
}

function layerTable(l10n: Localisation, head: string, rows: readonly string[]): string {
  const title = escapeHtml(l10n.t("Layer"));
  return `<div class="scroll" tabindex="0" role="region" aria-label="${escapeHtml(l10n.t("Measures by layer"))}">
<table class="layers"><thead><tr><th scope="col">${title}</th>${head}</tr></thead>
<tbody>
${rows.join("\n")}
</tbody></table></div>`;
}
