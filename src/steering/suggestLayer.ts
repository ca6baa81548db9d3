import type { LayerMeasures, SuggestedLayer } from "../shared/vectorMeasures.ts";

/**
 * Lowest end of the stability interval that counts as sound. Vectors of two halves that agree at cosine 0.5 mean, by
 * Spearman-Brown, a full-set vector at an expected cosine of sqrt(2 * 0.5 / 1.5) = 0.82 to that of endless examples.
 */
const soundStability = 0.5;

/** AUROCs this close are a tie: a handful of examples decides between them. */
const tie = 0.01;

/**
 * The layer to steer first: of the layers whose stability is sound, the one of highest held-out separation; among ties
 * one in the middle third of the network, where steering is known to work best (about half depth in arXiv 2505.03189),
 * by Cohen's d. Where nothing could be measured: the middle layer, for the reason given as `unmeasured`.
 */
export function suggestLayer(layers: readonly LayerMeasures[], unmeasured: string): SuggestedLayer {
  const middle = Math.floor((layers.length - 1) / 2);
  const measured = layers.filter((layer) => layer.separation !== null && layer.stability !== null);
  if (measured.length === 0) {
    return {
      layer: middle,
      reason: `Layer ${middle} is the middle of the network; ${unmeasured}.`,
    };
  }
  const sound = measured.filter((layer) => layer.stability!.low >= soundStability);
  const eligible = sound.length > 0 ? sound : measured;
  const best = Math.max(...eligible.map(aurocOf));
  const tied = eligible.filter((layer) => aurocOf(layer) >= best - tie);
  const central = tied.filter(
    ({ layer }) => layer >= Math.floor(layers.length / 3) && layer < Math.ceil((2 * layers.length) / 3),
  );
  const chosen =
    central.length > 0
      ? largest(central, (layer) => layer.separation!.cohensD ?? 0)
      : largest(tied, (layer) => -Math.abs(layer.layer - middle));
  const { meanCosine, low } = chosen.stability!;
  const agreement = `vectors from random halves agree at cosine ${meanCosine.toFixed(2)} (interval from ${low.toFixed(2)})`;
  const figures = `AUROC ${aurocOf(chosen).toFixed(2)} on examples held out, and ${agreement}`;
  if (sound.length === 0) {
    return {
      layer: chosen.layer,
      reason: `Layer ${chosen.layer} separates best (${figures}), but no layer's vector is stable: use more examples.`,
    };
  }
  if (tied.length === 1) {
    return { layer: chosen.layer, reason: `Layer ${chosen.layer} separates best: ${figures}.` };
  }
  const place = central.length > 0 ? "lies in the middle third of the network" : "is nearest to the middle";
  return {
    layer: chosen.layer,
    reason: `Layer ${chosen.layer} is one of ${tied.length} that separate equally well and ${place}: ${figures}.`,
  };
}

function aurocOf(layer: LayerMeasures): number {
  return layer.separation?.auroc ?? 0;
}

/** The first of the layers with the largest value. */
function largest(layers: readonly LayerMeasures[], value: (layer: LayerMeasures) => number): LayerMeasures {
  return layers.reduce((held, layer) => (value(layer) > value(held) ? layer : held));
}
