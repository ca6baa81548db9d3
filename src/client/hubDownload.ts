/**
 * A model from a hub: everything is fetched into a hidden folder beside the model's place, which then takes its name, so
 * that a model's folder is complete or not there. What an interrupted download has got is used by the next.
 */
import { readFile, rename, rm, stat, statfs, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import {
  downloadRecordName,
  parseDownloadRecord,
  serialiseDownloadRecord,
} from "../formats/downloadRecord.ts";
import {
  checkpointFamilies,
  companionFiles,
  isCheckpointFamily,
  weightChoices,
  type WeightChoice,
} from "../formats/modelFiles.ts";
import { SteerscopeError } from "../shared/errors.ts";
import { size } from "../shared/units.ts";
import { makeFolder } from "./files.ts";
import { bytesOnDisk, downloadFile, unwritable } from "./fileDownload.ts";
import { lockFolder } from "./folderLock.ts";
import type { HubFile, HubModel } from "./hubApi.ts";
import type { HubOptions } from "./hubHttp.ts";
import { forgetPlanned, readPlanned, stagingFolder, writePlanned } from "./partialDownload.ts";

/** What will be fetched. */
export interface DownloadPlan {
  readonly model: HubModel;
  readonly files: readonly HubFile[];
  /** Of all files, as far as the hub tells. */
  readonly bytes: number;
}

export interface DownloadProgress {
  /** Bytes on disk, and of all files. */
  readonly done: number;
  readonly total: number;
  /** The file that is being fetched. */
  readonly path: string;
}

export interface DownloadRequest {
  readonly plan: DownloadPlan;
  /** The model's folder, which must not be there yet or come from an earlier download. */
  readonly folder: string;
  readonly hub: HubOptions;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: DownloadProgress) => void;
}

/** A listed file as the catalogue has it. */
interface WantedFile {
  readonly path: string;
  readonly sha256: string | null;
}

const maximumFiles = 1000;
/** The disk is not filled to its last byte. */
const spareBytes = 64 * 1024 * 1024;

/** The sets of weights that a repository offers, the one that the engine takes first. */
export function offeredWeights({ files, architecture }: HubModel): readonly WeightChoice<HubFile>[] {
  const runsAsCheckpoint = architecture === null || isCheckpointFamily(architecture);
  return weightChoices(files).filter(({ kind }) => kind === "onnx" || runsAsCheckpoint);
}

/** All files of a repository's model with one set of weights. Throws DownloadFailed where it holds nothing usable. */
export function planWeights(model: HubModel, weights: WeightChoice<HubFile> | undefined): DownloadPlan {
  const companions = companionFiles(model.files);
  if (weights === undefined || companions.length === 0) {
    throw new SteerscopeError(
      "DownloadFailed",
      `${model.repository} holds no model that Steerscope can read.`,
      {
        remedy: `Choose a repository with config.json and an ONNX graph of a decoder, or model.safetensors of one of: ${checkpointFamilies.join(", ")}.`,
        detail: model.page,
      },
    );
  }
  return planOf(model, [...companions, ...weights.files]);
}

/** The files that the catalogue names. Throws DownloadFailed where the repository does not have one. */
export function planCatalogue(model: HubModel, wanted: readonly WantedFile[]): DownloadPlan {
  const byPath = new Map(model.files.map((file) => [file.path, file]));
  const files = wanted.map(({ path, sha256 }) => {
    const file = byPath.get(path);
    if (file === undefined) {
      throw new SteerscopeError("DownloadFailed", `${model.repository} does not hold ${path} any more.`, {
        remedy: `Look at ${model.page}, and update Steerscope.`,
      });
    }
    return { ...file, sha256: sha256 ?? file.sha256 };
  });
  return planOf(model, files);
}

function planOf(model: HubModel, files: readonly HubFile[]): DownloadPlan {
  if (files.length > maximumFiles) {
    throw new SteerscopeError("DownloadFailed", `${model.repository} lists too many files.`, {
      remedy: "Fetch the files yourself, and name their folder.",
      detail: `${files.length} files`,
    });
  }
  return { model, files, bytes: files.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0) };
}

/** Throws DownloadFailed, FileUnwritable, or Cancelled; what was fetched then stays for the next attempt. */
export async function downloadModel(request: DownloadRequest): Promise<void> {
  const { plan, folder } = request;
  const staging = stagingFolder(folder);
  try {
    await refuseForeignFolder(folder);
    await makeFolder(staging);
  } catch (error) {
    throw error instanceof SteerscopeError ? error : unwritable(staging, error as NodeJS.ErrnoException);
  }
  const unlock = await lockFolder(staging);
  try {
    await forgetOtherContent(staging, plan);
    await requireSpace(staging, plan);
    await fetchAll(request, staging);
    await writeFile(
      join(staging, downloadRecordName),
      serialiseDownloadRecord({
        repository: plan.model.repository,
        commit: plan.model.commit,
        licence: plan.model.licence,
        date: new Date().toISOString(),
      }),
    );
    await forgetPlanned(staging);
  } finally {
    await unlock();
  }
  await putInPlace(staging, folder);
}

/** A folder that this program has not made may hold a person's own files. */
async function refuseForeignFolder(folder: string): Promise<void> {
  const exists = await stat(folder).then(
    () => true,
    () => false,
  );
  if (!exists) return;
  const record = await readFile(join(folder, downloadRecordName), "utf8").catch(() => "");
  if (parseDownloadRecord(record) !== null) return;
  throw new SteerscopeError("DownloadFailed", `${folder} is there already and is no earlier download.`, {
    remedy: "Move it away, and download again.",
  });
}

/** Keeps, of an earlier attempt, files that are still the same ones; a new commit may have changed some. */
async function forgetOtherContent(staging: string, { model, files, bytes }: DownloadPlan): Promise<void> {
  const identities = Object.fromEntries(files.map((file) => [file.path, identityOf(file)]));
  const known = (await readPlanned(staging))?.files ?? {};
  for (const { path } of files) {
    if (known[path] === identities[path]) continue;
    for (const end of ["", ".part", ".tag"]) await rm(join(staging, `${path}${end}`), { force: true });
  }
  const { repository, commit } = model;
  await writePlanned(staging, { repository, commit, bytes, files: identities });
}

/** Differs between two contents wherever the hub tells; a file without hash and size is fetched anew each time. */
function identityOf({ sha256, gitSha1, bytes }: HubFile): string {
  const hash = sha256 ?? gitSha1;
  return hash === null ? `unknown ${Date.now()}` : `${hash} ${bytes ?? "?"}`;
}

async function requireSpace(staging: string, { files, bytes }: DownloadPlan): Promise<void> {
  let present = 0;
  for (const { path } of files) present += await bytesOnDisk(join(staging, path));
  const { bavail, bsize } = await statfs(staging);
  const needed = Math.max(0, bytes - present) + spareBytes;
  const free = bavail * bsize;
  if (needed <= free) return;
  throw new SteerscopeError(
    "DownloadFailed",
    `The disk has too little space: the download needs ${size(needed)}, and ${size(free)} are free.`,
    { remedy: "Free space, or choose a smaller model.", detail: staging },
  );
}

async function fetchAll({ plan, hub, signal, onProgress }: DownloadRequest, staging: string): Promise<void> {
  const { repository, commit, page } = plan.model;
  // Small files first: what is wrong with permissions shows before the long part.
  const files = [...plan.files].sort((a, b) => (a.bytes ?? 0) - (b.bytes ?? 0));
  let finished = 0;
  for (const file of files) {
    const path = file.path.split("/").map(encodeURIComponent).join("/");
    finished += await downloadFile({
      address: `${hub.endpoint}/${repository}/resolve/${commit}/${path}`,
      page,
      file,
      target: join(staging, file.path),
      hub,
      signal,
      onBytes: (bytes) => {
        onProgress({
          done: finished + bytes,
          total: Math.max(plan.bytes, finished + bytes),
          path: file.path,
        });
      },
    });
  }
}

async function putInPlace(staging: string, folder: string): Promise<void> {
  const old = join(dirname(folder), `.${basename(folder)}.old`);
  try {
    await rm(old, { recursive: true, force: true });
    await rename(folder, old).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    });
    await rename(staging, folder);
  } catch (error) {
    throw unwritable(folder, error as NodeJS.ErrnoException);
  }
  // What is left of it is hidden and removed next time.
  await rm(old, { recursive: true, force: true }).catch(() => undefined);
}
