/** What a download that was stopped has left beside the model's place: hidden, and used by the next attempt. */
import { opendir, readFile, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { repositoryPattern } from "../formats/modelCatalogue.ts";
import { staysInside } from "../formats/modelFiles.ts";
import { bytesOnDisk } from "./fileDownload.ts";
import { lockFolder } from "./folderLock.ts";

/** .plan.json: which contents were asked for. */
export interface PlannedContents {
  /** owner/name */
  readonly repository: string;
  readonly commit: string;
  /** Of all files, as far as the hub told. */
  readonly bytes: number;
  /** By path, what differs between two contents of a file. */
  readonly files: Readonly<Record<string, string>>;
}

export interface PartialDownload extends Pick<PlannedContents, "repository" | "commit"> {
  /** Where the model would be. */
  readonly folder: string;
  /** Bytes that are kept, and of all files. */
  readonly done: number;
  readonly total: number;
}

const plannedName = ".plan.json";
const maximumPlannedBytes = 1024 * 1024;
/** Owners, and models of each, that are looked at. */
const maximumEntries = 2000;
const stagingPattern = /^\.(.+)\.download$/;

export function stagingFolder(folder: string): string {
  return join(dirname(folder), `.${basename(folder)}.download`);
}

/** null where nothing was planned, or by another version. */
export async function readPlanned(staging: string): Promise<PlannedContents | null> {
  const path = join(staging, plannedName);
  try {
    if ((await stat(path)).size > maximumPlannedBytes) return null;
    const { repository, commit, bytes, files } = JSON.parse(await readFile(path, "utf8")) as Record<
      string,
      unknown
    >;
    if (typeof repository !== "string" || !repositoryPattern.test(repository)) return null;
    if (typeof commit !== "string" || !/^[0-9a-f]{40}$/.test(commit)) return null;
    if (typeof bytes !== "number" || !(bytes >= 0) || typeof files !== "object" || files === null)
      return null;
    const named = Object.entries(files).filter(
      (entry): entry is [string, string] => typeof entry[1] === "string" && staysInside(entry[0]),
    );
    return { repository, commit, bytes, files: Object.fromEntries(named) };
  } catch {
    return null;
  }
}

export async function writePlanned(staging: string, planned: PlannedContents): Promise<void> {
  await writeFile(join(staging, plannedName), JSON.stringify(planned));
}

export async function forgetPlanned(staging: string): Promise<void> {
  await rm(join(staging, plannedName), { force: true });
}

/** The unfinished downloads below `root`, where models lie as owner/name; none where it cannot be read. */
export async function findPartialDownloads(root: string): Promise<readonly PartialDownload[]> {
  const found: PartialDownload[] = [];
  for (const owner of await foldersIn(root)) {
    for (const name of await foldersIn(join(root, owner))) {
      const [, model] = stagingPattern.exec(name) ?? [];
      if (model === undefined) continue;
      const partial = await partialDownload(join(root, owner, model));
      if (partial !== null) found.push(partial);
    }
  }
  return found;
}

async function partialDownload(folder: string): Promise<PartialDownload | null> {
  const staging = stagingFolder(folder);
  const planned = await readPlanned(staging);
  if (planned === null) return null;
  const { repository, commit, bytes, files } = planned;
  let done = 0;
  for (const path of Object.keys(files)) done += await bytesOnDisk(join(staging, path));
  // One that was refused before it began has left nothing that counts.
  return done === 0 ? null : { folder, repository, commit, done, total: Math.max(bytes, done) };
}

/** Removes what is left for `folder`. Throws DownloadFailed while it is being downloaded, here or elsewhere. */
export async function discardPartialDownload(folder: string): Promise<void> {
  const staging = stagingFolder(folder);
  const isThere = await stat(staging).then(
    () => true,
    () => false,
  );
  if (isThere) {
    const unlock = await lockFolder(staging);
    try {
      await rm(staging, { recursive: true, force: true });
    } finally {
      await unlock();
    }
  }
  // The owner's folder, where nothing else is in it.
  await rmdir(dirname(folder)).catch(() => undefined);
}

async function foldersIn(folder: string): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    let entries = 0;
    for await (const entry of await opendir(folder)) {
      if (++entries > maximumEntries) break;
      if (entry.isDirectory()) names.push(entry.name);
    }
  } catch {
    // Not there, or not ours to read.
  }
  return names;
}
