/** A vector's provenance as rows for people: the hover of the view and the table of the editor. */
import { vectorFormula, type VectorFile, type VectorProvenance } from "../formats/vectorFile.ts";
import type { Localisation } from "../shared/localisation.ts";
import { formatReadPosition } from "../shared/readPosition.ts";

export interface Fact {
  readonly label: string;
  /** Text of a file: hostile, to be escaped where it is shown. */
  readonly value: string;
  /** The whole of a hash that `value` shortens. */
  readonly full?: string;
}

const shortHashCharacters = 12;

/** Everything that the file says of itself, the layers' measures left out. */
export function vectorFacts(file: VectorFile, l10n: Localisation, decimals: number): readonly Fact[] {
  const size = { label: l10n.t("Size"), value: l10n.t("{0} layers of {1}", file.layers, file.hidden) };
  const { provenance } = file;
  if (provenance === null) {
    return [size, { label: l10n.t("Origin"), value: l10n.t("Another program; the file does not say more.") }];
  }
  const { formula, signRule } = vectorFormula(provenance);
  return [
    ...modelFacts(provenance, l10n),
    size,
    ...(provenance.combined === null
      ? computedFacts(provenance, l10n, formula)
      : combinedFacts(provenance, l10n, formula)),
    { label: l10n.t("Sign rule"), value: signRule },
    {
      label: l10n.t("Scale"),
      value:
        provenance.scale === "unit" ? l10n.t("every layer has norm 1") : l10n.t("as the formula gives it"),
    },
    ...suggestionFacts(provenance, l10n, decimals),
    { label: l10n.t("Created"), value: `${provenance.created}, ${provenance.program}` },
  ];
}

function modelFacts({ model }: VectorProvenance, l10n: Localisation): Fact[] {
  const revision = model.revision === null ? [] : [l10n.t("revision {0}", model.revision)];
  return [
    { label: l10n.t("Model"), value: [model.id, model.architecture, ...revision].join(" · ") },
    { label: l10n.t("Model hash"), ...shortened(model.hash) },
    ...(model.tokenizerHash === null
      ? []
      : [{ label: l10n.t("Tokenizer hash"), ...shortened(model.tokenizerHash) }]),
  ];
}

function computedFacts(provenance: VectorProvenance, l10n: Localisation, formula: string): Fact[] {
  const { method, position, template, examples, seed } = provenance;
  const { positive, negative, pairs } = examples;
  return [
    { label: l10n.t("Method"), value: `${method}: ${formula}` },
    { label: l10n.t("Read position"), value: formatReadPosition(position) },
    { label: l10n.t("Template"), value: template },
    { label: l10n.t("Example set"), value: examples.name },
    { label: l10n.t("Example set hash"), ...shortened(examples.hash) },
    {
      label: l10n.t("Examples"),
      value:
        pairs === 1
          ? l10n.t("{0} positive, {1} negative, 1 pair", positive, negative)
          : l10n.t("{0} positive, {1} negative, {2} pairs", positive, negative, pairs),
    },
    { label: l10n.t("Seed"), value: String(seed) },
  ];
}

function combinedFacts({ combined }: VectorProvenance, l10n: Localisation, formula: string): Fact[] {
  return [
    { label: l10n.t("Combined from"), value: formula },
    ...(combined ?? []).map(({ name, method, position, template, exampleSet }) => ({
      label: name,
      value: l10n.t(
        "{0}, read at {1}, template {2}, from {3}",
        method,
        formatReadPosition(position),
        template,
        exampleSet,
      ),
    })),
  ];
}

function suggestionFacts(
  { suggested, measures }: VectorProvenance,
  l10n: Localisation,
  decimals: number,
): Fact[] {
  const at = measures[suggested.layer];
  const figure = (value: number | null | undefined): string => value?.toFixed(decimals) ?? "–";
  return [
    { label: l10n.t("Suggested layer"), value: suggested.reason },
    {
      label: l10n.t("At layer {0}", suggested.layer),
      value: l10n.t(
        "AUROC {0} · Cohen's d {1} · stability {2} ({3} to {4}) · norm {5} of the residual norm",
        figure(at?.separation?.auroc),
        figure(at?.separation?.cohensD),
        figure(at?.stability?.meanCosine),
        figure(at?.stability?.low),
        figure(at?.stability?.high),
        figure(at?.relativeNorm),
      ),
    },
  ];
}

function shortened(hash: string): Pick<Fact, "value" | "full"> {
  return { value: hash.slice(0, shortHashCharacters), full: hash };
}
