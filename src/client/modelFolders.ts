/**
 * Finds models on disk: in a person's folders, and in the cache that Hugging Face's own tools fill. Depth, folders and
 * models are bounded, since a home folder may be named; names and small configurations are read, weights never.
 */
import { opendir, readFile, realpath, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import {
  downloadRecordName,
  maximumRecordBytes,
  parseDownloadRecord,
  type DownloadRecord,
} from "../formats/downloadRecord.ts";
import { readGenaiConfig, readModelConfig, type ModelConfig } from "../formats/modelConfig.ts";
import {
  checkpointFamilies,
  companionFiles,
  holdsModel,
  isCheckpointFamily,
  weightChoices,
  type NamedFile,
  type WeightChoice,
} from "../formats/modelFiles.ts";
import { isSteerscopeError } from "../shared/errors.ts";
import { cachedRepository, modelName } from "../shared/modelName.ts";

export interface FoundModel {
  /** What `load` is given: the folder, or the file of a graph that the folder has besides its first. */
  readonly reference: string;
  /** Absolute. */
  readonly folder: string;
  readonly name: string;
  /** Weights, configuration and tokenizer. */
  readonly bytes: number;
  /** fp32, bf16, q4, ... as far as names and configuration tell. */
  readonly precision: string | null;
  readonly config: Pick<ModelConfig, "architecture" | "layers" | "hidden"> | null;
  /** Why it cannot be loaded, as a sentence; null where nothing speaks against it. */
  readonly problem: string | null;
  /** owner/name and commit, where they are known. */
  readonly repository: string | null;
  readonly commit: string | null;
  /** Downloaded by this program. */
  readonly record: DownloadRecord | null;
}

export interface SearchLimits {
  /** Levels of folders below the one that is named. */
  readonly depth: number;
  readonly folders: number;
  readonly models: number;
}

const defaultLimits: SearchLimits = { depth: 4, folders: 2000, models: 200 };

const maximumEntries = 5000;
const maximumConfigBytes = 16 * 1024 * 1024;
/** Of these no model folder is expected, and some are vast. */
const skipped = /^\.|^(node_modules|__pycache__)$/;

interface SizedFile extends NamedFile {
  readonly bytes: number;
}

/** The models in `root` and below it; none where it cannot be read. */
export async function findModels(root: string, limits = defaultLimits): Promise<readonly FoundModel[]> {
  const found: FoundModel[] = [];
  const seen = new Set<string>();
  let level = [root];
  for (let depth = 0; depth <= limits.depth && level.length > 0; depth++) {
    const next: string[] = [];
    for (const folder of level) {
      const real = await realpath(folder).catch(() => null);
      // Links may lead back up.
      if (real === null || seen.has(real) || seen.size >= limits.folders) continue;
      seen.add(real);
      const { files, folders } = await listFolder(folder);
      const models = await modelsOf(folder, files, folders);
      found.push(...models);
      if (found.length >= limits.models) return found.slice(0, limits.models);
      if (models.length === 0) next.push(...folders.map((name) => join(folder, name)));
    }
    level = next;
  }
  return found;
}

/** Where Hugging Face's tools keep repositories (https://huggingface.co/docs/huggingface_hub/guides/manage-cache). */
export function hubCacheFolder(environment: Readonly<Record<string, string | undefined>>): string {
  const set = (name: string): string | undefined =>
    environment[name] === "" ? undefined : environment[name];
  const home = join(set("XDG_CACHE_HOME") ?? join(homedir(), ".cache"), "huggingface");
  return set("HF_HUB_CACHE") ?? join(set("HF_HOME") ?? home, "hub");
}

/** The decoders in such a cache, each in the snapshot that `main` stands for, else in its newest. */
export async function findCachedModels(
  cache: string,
  limits = defaultLimits,
): Promise<readonly FoundModel[]> {
  const found: FoundModel[] = [];
  const { folders } = await listFolder(cache);
  for (const name of folders.slice(0, limits.folders)) {
    if (!name.startsWith("models--")) continue;
    const snapshot = await newestSnapshot(join(cache, name));
    if (snapshot === null) continue;
    const { files, folders: below } = await listFolder(snapshot);
    const models = await modelsOf(snapshot, files, below);
    // The cache is everybody's: image models and encoders that nobody has asked for here are left out.
    found.push(...models.filter(({ problem }) => problem === null));
    if (found.length >= limits.models) break;
  }
  return found.slice(0, limits.models);
}

async function newestSnapshot(repository: string): Promise<string | null> {
  const snapshots = join(repository, "snapshots");
  const main = await readSmall(join(repository, "refs", "main"), 100);
  if (main !== null && /^[0-9a-f]{40}$/.test(main.trim())) {
    const folder = join(snapshots, main.trim());
    if ((await listFolder(folder)).files.length > 0) return folder;
  }
  let newest: { readonly folder: string; readonly time: number } | null = null;
  for (const name of (await listFolder(snapshots)).folders) {
    const folder = join(snapshots, name);
    const time = (await stat(folder).catch(() => null))?.mtimeMs ?? 0;
    if (newest === null || time > newest.time) newest = { folder, time };
  }
  return newest?.folder ?? null;
}

interface Listing {
  readonly files: readonly SizedFile[];
  readonly folders: readonly string[];
}

/** What is directly in a folder, links followed; nothing where it cannot be read. */
async function listFolder(folder: string, prefix = ""): Promise<Listing> {
  const files: SizedFile[] = [];
  const folders: string[] = [];
  try {
    let entries = 0;
    for await (const entry of await opendir(folder)) {
      if (++entries > maximumEntries) break;
      if (skipped.test(entry.name)) continue;
      if (entry.isDirectory()) {
        folders.push(entry.name);
        continue;
      }
      const information = await stat(join(folder, entry.name)).catch(() => null);
      if (information?.isDirectory() === true) folders.push(entry.name);
      else if (information?.isFile() === true)
        files.push({ path: prefix + entry.name, bytes: information.size });
    }
  } catch {
    // Not there, not a folder, or not ours to read.
  }
  return { files, folders: folders.sort() };
}

/** The models that a folder is, the one that the engine takes for the folder first. */
async function modelsOf(
  folder: string,
  own: readonly SizedFile[],
  folders: readonly string[],
): Promise<FoundModel[]> {
  const graphs = folders.includes("onnx") ? (await listFolder(join(folder, "onnx"), "onnx/")).files : [];
  const files = [...own, ...graphs];
  if (!holdsModel(files)) return [];
  const { config, raw, problem } = await readConfig(folder);
  const text = await readSmall(join(folder, downloadRecordName), maximumRecordBytes);
  const record = text === null ? null : parseDownloadRecord(text);
  const cached = cachedRepository(folder);
  const companions = companionFiles(files);
  const [first, ...others] = weightChoices(files);
  // A folder's checkpoint beside a graph cannot be named, since the graph is taken for the folder.
  const nameable = [first!, ...others.filter(({ kind }) => kind === "onnx")];
  return nameable.map((weights, index) => ({
    reference: index === 0 ? folder : join(folder, weights.path),
    folder,
    name: modelName(index === 0 ? folder : join(folder, weights.path), record?.repository),
    bytes: [...companions, ...weights.files].reduce((sum, { bytes }) => sum + bytes, 0),
    precision: precisionOf(weights, raw),
    config,
    problem: problem ?? problemOf(weights, config),
    repository: record?.repository ?? cached?.repository ?? null,
    commit: record?.commit ?? cached?.revision ?? null,
    record,
  }));
}

function problemOf({ kind }: WeightChoice<SizedFile>, config: ModelConfig | null): string | null {
  if (kind === "onnx" || config === null || isCheckpointFamily(config.architecture)) return null;
  return `Checkpoints of the type ${config.architecture.slice(0, 50)} need an ONNX export; without one these run: ${checkpointFamilies.join(", ")}.`;
}

interface ReadConfig {
  readonly config: ModelConfig | null;
  readonly raw: Readonly<Record<string, unknown>>;
  readonly problem: string | null;
}

async function readConfig(folder: string): Promise<ReadConfig> {
  try {
    const text = await readSmall(join(folder, "config.json"), maximumConfigBytes);
    const genai =
      text === null ? await readSmall(join(folder, "genai_config.json"), maximumConfigBytes) : null;
    const config =
      text === null ? readGenaiConfig(JSON.parse(genai ?? "")) : readModelConfig(JSON.parse(text));
    return {
      config,
      raw: config.raw,
      problem: isDecoder(config.raw) ? null : "This is no decoder-only text model.",
    };
  } catch (error) {
    const problem = isSteerscopeError(error) ? error.message : "config.json cannot be read.";
    return { config: null, raw: {}, problem };
  }
}

/** Configurations name the class that they are for; only one that is plainly another kind counts against the model. */
function isDecoder({ architectures }: Readonly<Record<string, unknown>>): boolean {
  if (!Array.isArray(architectures) || architectures.length === 0) return true;
  return architectures.some(
    (name) => typeof name === "string" && /(CausalLM|LMHeadModel|ConditionalGeneration)$/.test(name),
  );
}

const precisions: Readonly<Record<string, string>> = { float32: "fp32", float16: "fp16", bfloat16: "bf16" };

function precisionOf(
  { kind, precision }: WeightChoice<SizedFile>,
  raw: Readonly<Record<string, unknown>>,
): string | null {
  if (kind === "onnx") return precision;
  const type = raw["torch_dtype"] ?? raw["dtype"];
  return typeof type === "string" ? (precisions[type] ?? null) : null;
}

async function readSmall(path: string, maximumBytes: number): Promise<string | null> {
  try {
    const { size } = await stat(path);
    return size > maximumBytes ? null : await readFile(path, "utf8");
  } catch {
    return null;
  }
}
