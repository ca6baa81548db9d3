/** A model folder as a graph that can be steered: a patched ONNX graph, or one built over safetensors weights. */
import { closeSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { ModelConfig } from "../formats/modelConfig.ts";
import {
  parseSafetensorsHeader,
  safetensorsHeaderLength,
  type SafetensorsHeader,
} from "../formats/safetensors.ts";
import type { ModelDescription } from "../shared/engineContract.ts";
import { SteerscopeError } from "../shared/errors.ts";
import { buildDecoderGraph, newRowsOutput } from "./build/decoderGraph.ts";
import { FileByteSource } from "./fileByteSource.ts";
import type { CacheKind } from "./kvCache.ts";
import { readFolderConfig, type ModelFolder, type OnnxFile, type SafetensorsFiles } from "./modelFolder.ts";
import { parseOnnx } from "./onnx/model.ts";
import { patchGraph, type PatchedGraph } from "./onnx/patch.ts";
import { MemoryByteSource } from "./onnx/wire.ts";

export interface ModelGraph {
  readonly graph: PatchedGraph;
  readonly config: ModelConfig;
  readonly weightsFolder: string;
  readonly files: readonly string[];
  readonly layout: ModelDescription["layout"];
  /** Tokens that the narrowest sliding window of a built graph holds; null without one. */
  readonly window: number | null;
  readonly cacheKind: CacheKind;
}

/** Throws ModelNotFound, ModelCorrupt or ModelUnsupported. */
export function readModelGraph(model: ModelFolder): ModelGraph {
  return model.weights.kind === "onnx"
    ? readOnnxGraph(model.folder, model.weights)
    : readCheckpoint(model.folder, model.weights);
}

function readOnnxGraph(folder: string, file: OnnxFile): ModelGraph {
  const source = new FileByteSource(file.path);
  try {
    const onnx = parseOnnx(source);
    const config = readFolderConfig(folder);
    const { hidden, layers, headDim } = config;
    const externalNames = linkedNames(file, onnx.externalFiles);
    const patch = { weightsFile: file.fileName, externalNames, hidden, layers, headDim };
    const graph = patchGraph(onnx, source, patch);
    const weightsFolder = dirname(file.path);
    const files = [
      file.path,
      ...graph.externalFiles.map((name) => join(weightsFolder, externalNames.get(name) ?? name)),
    ];
    const cacheKind = graph.groupQueryAttention ? "shared" : "growing";
    return { graph, config, weightsFolder, files, layout: graph.layout, window: null, cacheKind };
  } finally {
    source.close();
  }
}

/**
 * Hub caches keep files as blobs and link to them by name. onnxruntime looks for external data beside the real graph, so
 * each location is replaced by the name of its blob there; links to anywhere else are left for onnxruntime to refuse.
 */
function linkedNames({ path, namedIn }: OnnxFile, locations: readonly string[]): ReadonlyMap<string, string> {
  const folder = dirname(path);
  if (namedIn === folder) return new Map();
  const names = new Map<string, string>();
  for (const location of locations) {
    try {
      const real = realpathSync(join(namedIn, location));
      if (dirname(real) === folder) names.set(location, basename(real));
    } catch {
      // It is not there; onnxruntime says so.
    }
  }
  return names;
}

function readCheckpoint(folder: string, { files }: SafetensorsFiles): ModelGraph {
  const config = readFolderConfig(folder);
  // Hub caches link to blobs elsewhere, and onnxruntime refuses weights behind a link that leaves the named folder.
  const paths = files.map((file) => realpathSync(join(folder, file)));
  const weightsFolder = dirname(paths[0]!);
  if (paths.some((path) => dirname(path) !== weightsFolder)) {
    throw new SteerscopeError(
      "ModelUnsupported",
      "The weight files of this model lie in different folders.",
      {
        remedy: "Put copies of them into one folder.",
      },
    );
  }
  const shards = paths.map((path) => ({ file: basename(path), header: readHeader(path) }));
  const built = buildDecoderGraph(config.raw, shards);
  const source = new MemoryByteSource(built.bytes);
  const onnx = parseOnnx(source);
  const keepOutputs = onnx.graph.inputs.map(({ name }) => newRowsOutput(name));
  const { hidden, layers, headDim } = config;
  const graph = patchGraph(onnx, source, { weightsFile: "", hidden, layers, headDim, keepOutputs });
  return {
    graph: { ...graph, precision: built.precision },
    config,
    weightsFolder,
    files: paths,
    layout: "safetensors",
    window: built.window,
    cacheKind: "rows",
  };
}

function readHeader(path: string): SafetensorsHeader {
  const file = openSync(path, "r");
  try {
    const first = Buffer.alloc(8);
    readSync(file, first, 0, 8, 0);
    const head = Buffer.alloc(8 + safetensorsHeaderLength(first));
    readSync(file, head, 0, head.length, 0);
    return parseSafetensorsHeader(head, statSync(path).size, "ModelCorrupt");
  } finally {
    closeSync(file);
  }
}
