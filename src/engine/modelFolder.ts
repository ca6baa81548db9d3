/** What a model folder holds: its configuration, and either an ONNX graph or safetensors weights. */
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { readGenaiConfig, readModelConfig, type ModelConfig } from "../formats/modelConfig.ts";
import { onnxNames } from "../formats/modelFiles.ts";
import { SteerscopeError } from "../shared/errors.ts";

export interface ModelFolder {
  readonly folder: string;
  readonly weights: OnnxFile | SafetensorsFiles;
}

export interface OnnxFile {
  readonly kind: "onnx";
  /** Absolute; may be a link. */
  readonly path: string;
}

export interface SafetensorsFiles {
  readonly kind: "safetensors";
  /** Names within the folder, in the order of the index. */
  readonly files: readonly string[];
}

const maximumConfigBytes = 16 * 1024 * 1024;
const maximumIndexBytes = 64 * 1024 * 1024;
const maximumShards = 1000;

/** Parses a small JSON file. Throws ModelCorrupt. */
function readJsonFile(path: string, maximumBytes = maximumConfigBytes): unknown {
  try {
    if (statSync(path).size > maximumBytes) throw new Error(`larger than ${maximumBytes} bytes`);
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new SteerscopeError(
      "ModelCorrupt",
      `${basename(path)} cannot be read: ${error instanceof Error ? error.message : String(error)}.`,
      {
        remedy: "Download or export the model again.",
        cause: error,
      },
    );
  }
}

/**
 * Looks at a folder, or at an `.onnx` file with `config.json` beside or above it. Throws ModelNotFound, ModelCorrupt or
 * ModelUnsupported.
 */
export function readModelFolder(reference: string): ModelFolder {
  let real: string;
  try {
    real = realpathSync(reference);
  } catch {
    throw new SteerscopeError("ModelNotFound", `There is no model at ${reference}.`, {
      remedy: "Name a catalogue model (steerscope models) or a folder that holds config.json and weights.",
    });
  }
  if (!statSync(real).isFile()) return { folder: real, weights: findWeights(real) };
  const named = resolve(reference);
  // Beside the blob that a hub cache links to there is no configuration; any other link stands for the file it leads to.
  const path = [named, real].find((candidate) => hasConfig(folderOfFile(candidate))) ?? named;
  return { folder: folderOfFile(path), weights: onnxFile(path) };
}

function onnxFile(path: string): OnnxFile {
  if (!path.endsWith(".onnx")) {
    throw new SteerscopeError(
      "ModelUnsupported",
      `${basename(path)} is not an ONNX file or a model folder.`,
      {
        remedy: "Name the folder that holds config.json and the weights.",
      },
    );
  }
  return { kind: "onnx", path };
}

function findWeights(folder: string): OnnxFile | SafetensorsFiles {
  const places = [folder, join(folder, "onnx")];
  for (const place of places) {
    const name = onnxNames.find((candidate) => existsSync(join(place, candidate)));
    if (name !== undefined) return onnxFile(join(place, name));
  }
  if (existsSync(join(folder, "model.safetensors")))
    return { kind: "safetensors", files: ["model.safetensors"] };
  const index = join(folder, "model.safetensors.index.json");
  if (existsSync(index))
    return { kind: "safetensors", files: shardNames(readJsonFile(index, maximumIndexBytes)) };
  const [only, ...others] = places.flatMap(onnxFilesIn);
  if (only !== undefined && others.length === 0) return onnxFile(only);
  if (only !== undefined) throw ambiguous(folder, [only, ...others]);
  throw new SteerscopeError("ModelNotFound", `${folder} holds neither an ONNX graph nor model.safetensors.`, {
    remedy: "Export the model to ONNX, or download its safetensors weights into this folder.",
  });
}

const maximumListed = 10;

function ambiguous(folder: string, paths: readonly string[]): SteerscopeError {
  const names = paths.map((path) => relative(folder, path)).sort();
  const rest = names.length - maximumListed;
  const listed = [...names.slice(0, maximumListed), ...(rest > 0 ? [`and ${rest} more`] : [])].join(", ");
  return new SteerscopeError(
    "ModelNotFound",
    `${folder} holds several ONNX graphs and none under a name that says which is the model: ${listed}.`,
    { remedy: "Name the file instead of the folder." },
  );
}

function onnxFilesIn(folder: string): string[] {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  return readdirSync(folder).flatMap((name) => (name.endsWith(".onnx") ? [join(folder, name)] : []));
}

function shardNames(index: unknown): readonly string[] {
  const map =
    typeof index === "object" && index !== null && "weight_map" in index ? index.weight_map : undefined;
  const values: unknown[] = typeof map === "object" && map !== null ? Object.values(map) : [];
  const names = [...new Set(values)].sort();
  const good = names.filter(
    (name): name is string => typeof name === "string" && /^[\w.-]+\.safetensors$/.test(name),
  );
  if (good.length === 0 || good.length !== names.length || good.length > maximumShards) {
    throw new SteerscopeError(
      "ModelCorrupt",
      "model.safetensors.index.json does not name the weight files of this folder.",
      {
        remedy: "Download the model again.",
      },
    );
  }
  return good;
}

/** Hub repositories keep graphs in onnx/ and what belongs to all of them above it. */
function folderOfFile(path: string): string {
  const folder = dirname(path);
  return basename(folder) === "onnx" && !hasConfig(folder) ? dirname(folder) : folder;
}

const configName = "config.json";
const genaiConfigName = "genai_config.json";

function hasConfig(folder: string): boolean {
  return [configName, genaiConfigName].some((name) => existsSync(join(folder, name)));
}

/** The configuration of a model folder. Throws ModelNotFound, ModelCorrupt or ModelUnsupported. */
export function readFolderConfig(folder: string): ModelConfig {
  const config = join(folder, configName);
  if (existsSync(config)) return readModelConfig(readJsonFile(config));
  const genai = join(folder, genaiConfigName);
  if (existsSync(genai)) return readGenaiConfig(readJsonFile(genai));
  throw new SteerscopeError("ModelNotFound", `${folder} has no config.json.`, {
    remedy: "Put the model's config.json beside its weights.",
  });
}
