/** Which files a model is made of, by their names alone: the same rules for a folder on disk and a listing of the hub. */

/** A file of a model's folder or repository. */
export interface NamedFile {
  /** Relative, `/` between parts. */
  readonly path: string;
}

/** One set of weights of a model; a folder or repository may hold several. */
export interface WeightChoice<F extends NamedFile> {
  /** Its file, or the one that names it. */
  readonly path: string;
  readonly kind: "onnx" | "safetensors";
  /** What the file's name says of its numbers: fp16, q4, q4f16, q8; null where it says nothing. */
  readonly precision: string | null;
  readonly files: readonly F[];
}

/** What exporters call the graph, in the order of preference: full precision first (q8 activations depend on the batch). */
const onnxPrecisions: Readonly<Record<string, string | null>> = {
  "model.onnx": null,
  "decoder_model_merged.onnx": null,
  "model_fp16.onnx": "fp16",
  "model_q4.onnx": "q4",
  "model_q4f16.onnx": "q4f16",
  "model_quantized.onnx": "q8",
  "decoder_with_past_model.onnx": null,
  "decoder_model.onnx": null,
};
export const onnxNames = Object.keys(onnxPrecisions);

/** A graph is looked for in the folder itself, then where hub repositories keep it. */
const onnxFolders = ["", "onnx/"];

/** `model_type` of checkpoints that run without an ONNX graph. */
export const checkpointFamilies = ["llama", "mistral", "qwen2", "qwen3"] as const;
export type CheckpointFamily = (typeof checkpointFamilies)[number];

export function isCheckpointFamily(architecture: string): boolean {
  return checkpointFamilies.some((family) => family === architecture);
}

const configNames = ["config.json", "genai_config.json"];

/** Everything besides weights that the engine reads. */
const companionNames = new Set([
  ...configNames,
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "chat_template.jinja",
  "chat_template.json",
]);

const shardPattern = /^model-\d{5}-of-\d{5}\.safetensors$/;
const shardIndex = "model.safetensors.index.json";

/** The sets of weights among `files`, the one that the engine takes first. */
export function weightChoices<F extends NamedFile>(files: readonly F[]): readonly WeightChoice<F>[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const choices: WeightChoice<F>[] = [];
  for (const folder of onnxFolders) {
    for (const [name, precision] of Object.entries(onnxPrecisions)) {
      const path = folder + name;
      const graph = byPath.get(path);
      if (graph === undefined) continue;
      const data = files.filter((file) => isExternalData(file.path, path));
      choices.push({ path, kind: "onnx", precision, files: [graph, ...data] });
    }
  }
  const single = byPath.get("model.safetensors");
  const index = byPath.get(shardIndex);
  if (single !== undefined) {
    choices.push({ path: single.path, kind: "safetensors", precision: null, files: [single] });
  } else if (index !== undefined) {
    const shards = files.filter(({ path }) => shardPattern.test(path));
    if (shards.length > 0) {
      choices.push({ path: shardIndex, kind: "safetensors", precision: null, files: [index, ...shards] });
    }
  }
  return choices;
}

/** Weights beside their graph: `model.onnx_data`, `model.onnx_data_1`, `model.onnx.data`. */
function isExternalData(path: string, graph: string): boolean {
  return path.startsWith(graph) && /^[._]data(_\d{1,3})?$/.test(path.slice(graph.length));
}

/** Configuration, tokenizer and template among `files`. */
export function companionFiles<F extends NamedFile>(files: readonly F[]): readonly F[] {
  return files.filter(({ path }) => companionNames.has(path));
}

/** Whether these files can be a model: a configuration and weights. */
export function holdsModel(files: readonly NamedFile[]): boolean {
  return files.some(({ path }) => configNames.includes(path)) && weightChoices(files).length > 0;
}

/** A relative path that stays below its folder on every operating system. */
export function staysInside(path: string): boolean {
  if (path === "" || path.length > 1000 || /[\u0000-\u001f\\:*?"<>|]/.test(path)) return false;
  return path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}
