/**
 * Steering vectors as a safetensors file: tensors `direction.{L}` F32 [hidden], L = 0-based block whose output the
 * vector was read from and is added to; `__metadata__` says where they come from (docs/file-formats.md). Files are
 * hostile: everything is checked before use.
 */
import type { ModelDescription } from "../shared/engineContract.ts";
import { SteerscopeError } from "../shared/errors.ts";
import { formatLayers } from "../shared/layers.ts";
import { methodIds, type MethodId } from "../shared/methods.ts";
import { methodFormulas, type MethodFormula } from "../shared/methodFormulas.ts";
import { formatReadPosition, parseReadPosition, type ReadPosition } from "../shared/readPosition.ts";
import { templates, type Template } from "../shared/tokenInput.ts";
import type { LayerMeasures, SuggestedLayer } from "../shared/vectorMeasures.ts";
import {
  combinationFormula,
  formatCombinedTerms,
  parseCombinedTerms,
  type CombinedTerm,
} from "./combinedTerms.ts";
import { parseLayerMeasures } from "./layerMeasures.ts";
import { encodeSafetensors, parseSafetensorsHeader, readFloat32 } from "./safetensors.ts";

const vectorFileVersion = 1;
const ownFormat = "steerscope-vector";

/** Everything a vector can be traced by. */
export interface VectorProvenance {
  readonly model: {
    readonly id: string;
    readonly revision: string | null;
    readonly hash: string;
    readonly architecture: string;
    readonly tokenizerHash: string | null;
  };
  readonly template: Template;
  readonly method: MethodId;
  readonly position: ReadPosition;
  /** Of `random`, of split halves and of bootstrap. */
  readonly seed: number;
  readonly examples: {
    readonly name: string;
    readonly hash: string;
    readonly positive: number;
    readonly negative: number;
    readonly pairs: number;
  };
  /** raw: as the formula gives it; unit: every layer scaled to norm 1. */
  readonly scale: "raw" | "unit";
  readonly measures: readonly LayerMeasures[];
  readonly suggested: SuggestedLayer;
  /** ISO 8601, UTC. */
  readonly created: string;
  /** Name and version of the program that wrote the file. */
  readonly program: string;
  /**
   * The vectors that this one is the weighted sum of, none of them a sum itself; null: computed from examples. Template,
   * method, position, seed and examples are then those of the first term.
   */
  readonly combined: readonly CombinedTerm[] | null;
}

/** How a vector was made, as a formula; of a sum, the sum. */
export function vectorFormula({ method, combined }: VectorProvenance): MethodFormula {
  if (combined === null) return methodFormulas[method];
  return { formula: combinationFormula(combined), signRule: "as its terms" };
}

export interface VectorFile {
  /** Layers of the model; the highest layer named plus one where the file does not say. */
  readonly layers: number;
  readonly hidden: number;
  /** Layers that have a vector, ascending. All of them in files of this program. */
  readonly present: readonly number[];
  /** [layers, hidden]; zeros at layers that are not present. */
  readonly vectors: Float32Array;
  /** null: written by another program. */
  readonly provenance: VectorProvenance | null;
}

/** What fits badly but can be used, as sentences. */
export type FitWarnings = readonly string[];

const maxLayers = 1000;
const maxHidden = 100_000;
const maxMetadataCharacters = 4 * 1024 * 1024;

/** The bytes of a file. `vectors`: [layers, hidden]; throws InvalidRequest when they are not finite numbers. */
export function encodeVectorFile(
  layers: number,
  hidden: number,
  vectors: Float32Array,
  provenance: VectorProvenance,
): Uint8Array {
  if (vectors.length !== layers * hidden || !vectors.every(Number.isFinite)) {
    throw new SteerscopeError(
      "InvalidRequest",
      `The vectors are not ${layers} layers of ${hidden} finite numbers.`,
    );
  }
  const { model, method, examples, suggested, combined } = provenance;
  const { formula, signRule } = vectorFormula(provenance);
  const tensors = Array.from({ length: layers }, (_, layer) => ({
    name: tensorName(layer),
    dtype: "F32" as const,
    shape: [hidden],
    data: vectors.subarray(layer * hidden, (layer + 1) * hidden),
  }));
  return encodeSafetensors(tensors, {
    format: ownFormat,
    format_version: String(vectorFileVersion),
    program: provenance.program,
    created: provenance.created,
    model: model.id,
    ...(model.revision === null ? {} : { model_revision: model.revision }),
    model_hash: model.hash,
    architecture: model.architecture,
    hidden: String(hidden),
    layers: String(layers),
    ...(model.tokenizerHash === null ? {} : { tokenizer_hash: model.tokenizerHash }),
    template: provenance.template,
    method,
    formula,
    sign_rule: signRule,
    scale: provenance.scale,
    read_position: formatReadPosition(provenance.position),
    seed: String(provenance.seed),
    example_set: examples.name,
    example_set_hash: examples.hash,
    positive_examples: String(examples.positive),
    negative_examples: String(examples.negative),
    pairs: String(examples.pairs),
    suggested_layer: String(suggested.layer),
    suggested_reason: suggested.reason,
    layer_measures: JSON.stringify(provenance.measures),
    ...(combined === null ? {} : { combined_from: formatCombinedTerms(combined) }),
  });
}

/**
 * Reads what `encodeVectorFile` writes, and safetensors files of other programs that hold tensors `direction.{L}` of one
 * width (F32, F16 or BF16; other tensors are ignored). Throws VectorInvalid, naming what is wrong.
 */
export function parseVectorFile(bytes: Uint8Array): VectorFile {
  const { tensors, metadata } = parseSafetensorsHeader(bytes, bytes.length, "VectorInvalid");
  const entries = [...tensors].flatMap(([name, entry]) => {
    const layer = /^direction\.(0|[1-9]\d{0,5})$/.exec(name)?.[1];
    return layer === undefined ? [] : [{ layer: Number(layer), entry }];
  });
  const present = entries.map(({ layer }) => layer).sort((a, b) => a - b);
  const hidden = entries[0]?.entry.shape[0];
  if (hidden === undefined || hidden === 0) {
    throw invalid(
      "This safetensors file holds no steering vectors: it has no tensor direction.L of a layer L.",
    );
  }
  const provenance = metadata.get("format") === ownFormat ? readProvenance(metadata, hidden, present) : null;
  const layers = (present.at(-1) ?? 0) + 1;
  if (hidden > maxHidden || layers > maxLayers) throw invalid(`${layers} layers of ${hidden} are too many.`);
  const vectors = new Float32Array(layers * hidden);
  for (const { layer, entry } of entries) {
    if (entry.shape.length !== 1 || entry.shape[0] !== hidden) {
      throw invalid(`${tensorName(layer)} has another shape than the first vector, [${hidden}].`);
    }
    vectors.set(readFloat32(bytes, entry, "VectorInvalid"), layer * hidden);
  }
  if (!vectors.every(Number.isFinite)) throw invalid("The vector file holds numbers that are not finite.");
  return { layers, hidden, present, vectors, provenance };
}

function readProvenance(
  metadata: ReadonlyMap<string, string>,
  hidden: number,
  present: readonly number[],
): VectorProvenance {
  const field = metadataReader(metadata);
  if (field.count("format_version", 1_000_000) > vectorFileVersion) {
    throw invalid("The vector file was written by a newer version of the program.");
  }
  const layers = field.count("layers", maxLayers);
  if (field.count("hidden", maxHidden) !== hidden)
    throw invalid("Its vectors are of another width than it says.");
  if (present.length !== layers || present.at(-1) !== layers - 1) {
    throw invalid(`The file has the vectors of ${present.length} layers and says that there are ${layers}.`);
  }
  const suggested = {
    layer: field.count("suggested_layer", maxLayers),
    reason: field.text("suggested_reason"),
  };
  const combined = metadata.get("combined_from");
  if (suggested.layer >= layers) throw invalid(`It suggests layer ${suggested.layer} of ${layers}.`);
  return {
    model: {
      id: field.text("model"),
      revision: metadata.get("model_revision") ?? null,
      hash: field.text("model_hash"),
      architecture: field.text("architecture"),
      tokenizerHash: metadata.get("tokenizer_hash") ?? null,
    },
    template: field.oneOf("template", templates),
    method: field.oneOf("method", methodIds),
    position: readPosition(field.text("read_position")),
    seed: field.count("seed", Number.MAX_SAFE_INTEGER),
    examples: {
      name: field.text("example_set"),
      hash: field.text("example_set_hash"),
      positive: field.count("positive_examples", Number.MAX_SAFE_INTEGER),
      negative: field.count("negative_examples", Number.MAX_SAFE_INTEGER),
      pairs: field.count("pairs", Number.MAX_SAFE_INTEGER),
    },
    scale: field.oneOf("scale", ["raw", "unit"] as const),
    measures: parseLayerMeasures(field.text("layer_measures"), layers),
    suggested,
    created: field.text("created"),
    program: field.text("program"),
    combined: combined === undefined ? null : parseCombinedTerms(combined),
  };
}

/**
 * Whether the vectors can be added in a model. Throws VectorMismatch, saying what differs, when width or number of
 * layers do not fit; returns warnings when they fit another model than the one they were made from.
 */
export function checkVectorFits(file: VectorFile, model: ModelDescription): FitWarnings {
  const origin = file.provenance?.model;
  // A file that does not say how many layers its model has may leave out the last ones.
  const layersFit = origin === undefined ? file.layers <= model.layers : file.layers === model.layers;
  const differences = [
    ...(file.hidden === model.hidden ? [] : [`width ${file.hidden} (the model: ${model.hidden})`]),
    ...(layersFit ? [] : [`${file.layers} layers (the model: ${model.layers})`]),
  ];
  if (differences.length > 0) {
    throw new SteerscopeError(
      "VectorMismatch",
      `The vectors do not fit the model ${model.name}: they have ${differences.join(" and ")}.`,
      {
        remedy:
          origin === undefined
            ? "Use the model that they were made from."
            : `Use the model that they were made from, ${origin.id}, or compute them again with ${model.name}.`,
      },
    );
  }
  if (origin === undefined) return ["The file does not say which model its vectors were made from."];
  if (origin.hash === model.modelHash) return [];
  const what =
    origin.architecture === model.architecture
      ? `other weights (${origin.id})`
      : `another architecture (${origin.architecture}, ${origin.id})`;
  return [`The vectors were made from ${what}; in ${model.name} they may mean something else.`];
}

/** The vector of one layer: [hidden], sharing memory with the file's. Throws VectorMismatch where there is none. */
export function vectorOfLayer(file: VectorFile, layer: number): Float32Array {
  if (!file.present.includes(layer)) {
    throw new SteerscopeError("VectorMismatch", `The file has no vector of layer ${layer}.`, {
      remedy: `It has those of layers ${formatLayers(file.present)}.`,
    });
  }
  return file.vectors.subarray(layer * file.hidden, (layer + 1) * file.hidden);
}

/** The layer that the file suggests; files of other programs suggest none, and the middle one is taken. */
export function bestLayer(file: VectorFile): number {
  return file.provenance?.suggested.layer ?? file.present[Math.floor((file.present.length - 1) / 2)] ?? 0;
}

function tensorName(layer: number): string {
  return `direction.${layer}`;
}

function metadataReader(metadata: ReadonlyMap<string, string>) {
  const text = (key: string): string => {
    const value = metadata.get(key);
    if (value === undefined) throw invalid(`The vector file does not say its ${key}.`);
    if (value.length > maxMetadataCharacters) throw invalid(`The ${key} of the vector file is too long.`);
    return value;
  };
  return {
    text,
    count: (key: string, most: number): number => {
      const value = text(key);
      const number = /^\d{1,16}$/.test(value) ? Number(value) : NaN;
      if (!(number <= most)) throw invalid(`The ${key} of the vector file is not a number up to ${most}.`);
      return number;
    },
    oneOf: <T extends string>(key: string, values: readonly T[]): T => {
      const value = text(key);
      const found = values.find((candidate) => candidate === value);
      if (found === undefined) {
        throw invalid(`The ${key} of the vector file is none of ${values.join(", ")}.`);
      }
      return found;
    },
  };
}

function readPosition(spelling: string): ReadPosition {
  try {
    return parseReadPosition(spelling);
  } catch {
    throw invalid("The read position of the vector file is unknown.");
  }
}

function invalid(message: string): SteerscopeError {
  return new SteerscopeError("VectorInvalid", message, {
    remedy: "Compute the vectors again, or check that this is the file you meant.",
  });
}
