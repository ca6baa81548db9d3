/** What a model folder holds: its configuration, and either an ONNX graph or safetensors weights. */
import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { readGenaiConfig, readModelConfig, type ModelConfig } from "../formats/modelConfig.ts";
import { onnxNames } from "../formats/modelFiles.ts";
import { SteerscopeError } from "../shared/errors.ts";

export interface ModelFolder {
  readonly folder: string;
  readonly weights: OnnxFile | SafetensorsFiles;
}

export interface OnnxFile {
  readonly kind: "onnx";
  /** Absolute; symbolic links resolved, since onnxruntime refuses external data behind a link that leaves the folder. */
  readonly path: string;
  readonly fileName: string;
  /** Where it was found, before links were followed: files that it names are beside it there. */
  readonly namedIn: string;
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
  let path: string;
  let isFile: boolean;
  try {
    isFile = statSync(reference).isFile();
    // A file's own name is kept: hub caches link to blobs without names, far from their configuration.
    path = isFile ? join(realpathSync(dirname(reference)), basename(reference)) : realpathSync(reference);
  } catch {
    throw new SteerscopeError("ModelNotFound", `There is no model at ${reference}.`, {
      remedy: "Name a catalogue model (steerscope models) or a folder that holds config.json and weights.",
    });
  }
  const folder = isFile ? folderOfFile(path) : path;
  const weights = isFile ? onnxFile(path) : findWeights(folder);
  return { folder, weights };
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
  const real = realpathSync(path);
  return { kind: "onnx", path: real, fileName: basename(real), namedIn: dirname(path) };
}

function findWeights(folder: string): OnnxFile | SafetensorsFiles {
  for (const place of [folder, join(folder, "onnx")]) {
    const name = onnxNames.find((candidate) => existsSync(join(place, candidate)));
    if (name !== undefined) return onnxFile(join(place, name));
  }
  if (existsSync(join(folder, "model.safetensors")))
    return { kind: "safetensors", files: ["model.safetensors"] };
  const index = join(folder, "model.safetensors.index.json");
  if (existsSync(index))
    return { kind: "safetensors", files: shardNames(readJsonFile(index, maximumIndexBytes)) };
  throw new SteerscopeError("ModelNotFound", `${folder} holds neither an ONNX graph nor model.safetensors.`, {
    remedy: "Export the model to ONNX, or download its safetensors weights into this folder.",
  });
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
  return basename(folder) === "onnx" && !existsSync(join(folder, "config.json")) ? dirname(folder) : folder;
}

/** The configuration of a model folder. Throws ModelNotFound, ModelCorrupt or ModelUnsupported. */
export function readFolderConfig(folder: string): ModelConfig {
  const config = join(folder, "config.json");
  if (existsSync(config)) return readModelConfig(readJsonFile(config));
  const genai = join(folder, "genai_config.json");
  if (existsSync(genai)) return readGenaiConfig(readJsonFile(genai));
  throw new SteerscopeError("ModelNotFound", `${folder} has no config.json.`, {
    remedy: "Put the model's config.json beside its weights.",
  });
}
