/** A model folder as a graph that can be steered: a patched ONNX graph, or one built over safetensors weights. */
import { closeSync, openSync, readSync, statSync } from "node:fs";
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
import { parseOnnx, type OnnxModel } from "./onnx/model.ts";
import { checkSteerable, patchGraph, type PatchedGraph } from "./onnx/patch.ts";
import { relocateWeights } from "./onnx/relocate.ts";
import { separateHead, type HeadRows } from "./onnx/separateHead.ts";
import { MemoryByteSource } from "./onnx/wire.ts";
import { locateWeightFiles } from "./weightFiles.ts";

export interface ModelGraph {
  /** Where configuration and tokenizer are. */
  readonly folder: string;
  readonly config: ModelConfig;
  /** Its `bytes` name the files of weights as the folder does: the same wherever the model was put. */
  readonly graph: PatchedGraph;
  /** The graph for onnxruntime, which names them relative to `weightsFolder` and without links; without the output head where `head` has it. */
  readonly bytes: Uint8Array;
  /** The output head as a graph of its own: from `rows`, an output of `bytes`, to the logits. Null: it is in `bytes`. */
  readonly head: { readonly bytes: Uint8Array; readonly rows: HeadRows } | null;
  readonly weightsFolder: string;
  /** Every file that weights come from, absolute. */
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

function readOnnxGraph(folder: string, { path }: OnnxFile): ModelGraph {
  const source = new FileByteSource(path);
  try {
    const onnx = parseOnnx(source);
    const config = configOf(folder, onnx);
    const { hidden, layers, headDim } = config;
    const weightsFile = basename(path);
    const graph = patchGraph(onnx, source, { weightsFile, hidden, layers, headDim });
    const placement = placed(graph, dirname(path), [weightsFile, ...graph.externalFiles.keys()]);
    refuseShortFiles(placement.files.slice(1), graph.externalFiles);
    return {
      folder,
      config,
      graph,
      ...placement,
      layout: graph.layout,
      window: null,
      cacheKind: graph.groupQueryAttention ? "shared" : "growing",
    };
  } finally {
    source.close();
  }
}

/** A graph that cannot be steered is refused for its own reason, which no other configuration would mend. */
function configOf(folder: string, onnx: OnnxModel): ModelConfig {
  try {
    return readFolderConfig(folder);
  } catch (error) {
    checkSteerable(onnx);
    throw error;
  }
}

function readCheckpoint(folder: string, { files }: SafetensorsFiles): ModelGraph {
  const config = readFolderConfig(folder);
  // Names the shard that is missing, before any is opened.
  locateWeightFiles(folder, files);
  const shards = files.map((file) => ({ file, header: readHeader(join(folder, file)) }));
  const built = buildDecoderGraph(config.raw, shards);
  const source = new MemoryByteSource(built.bytes);
  const onnx = parseOnnx(source);
  const keepOutputs = onnx.graph.inputs.map(({ name }) => newRowsOutput(name));
  const { hidden, layers, headDim } = config;
  const graph = patchGraph(onnx, source, { weightsFile: "", hidden, layers, headDim, keepOutputs });
  return {
    folder,
    config,
    graph: { ...graph, precision: built.precision },
    ...placed(graph, folder, files),
    layout: "safetensors",
    window: built.window,
    cacheKind: "rows",
  };
}

function placed(
  { bytes, headRows, logits }: PatchedGraph,
  folder: string,
  names: readonly string[],
): Pick<ModelGraph, "bytes" | "head" | "weightsFolder" | "files"> {
  const { folder: weightsFolder, paths: files, locations } = locateWeightFiles(folder, names);
  const relocated = relocateWeights(bytes, locations);
  const parts = headRows && separateHead(relocated, headRows, logits.name);
  return {
    bytes: parts?.body ?? relocated,
    head: parts && { bytes: parts.head, rows: headRows },
    weightsFolder,
    files,
  };
}

/** `paths`: in the order of `leastBytes`, which has them by their names in the model. */
function refuseShortFiles(paths: readonly string[], leastBytes: ReadonlyMap<string, number>): void {
  for (const [index, [name, least]] of [...leastBytes].entries()) {
    const { size } = statSync(paths[index]!);
    if (size >= least) continue;
    throw new SteerscopeError(
      "ModelCorrupt",
      `The weight file ${name.slice(0, 200)} of this model is cut short: it has ${size} bytes of at least ${least}.`,
      { remedy: "Download the model again, with all of its files." },
    );
  }
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
