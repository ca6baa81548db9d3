/** All models that can be used or fetched, from the catalogue and the disk, as one list without doubles. */
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { readCatalogueFile } from "../client/catalogueFile.ts";
import { findCachedModels, findModels, type FoundModel } from "../client/modelFolders.ts";
import { findPartialDownloads, type PartialDownload } from "../client/partialDownload.ts";
import { modelPath, type CatalogueModel } from "../formats/modelCatalogue.ts";
import type { SteerscopeError } from "../shared/errors.ts";

export type ModelOrigin = "embedded" | "downloaded" | "folder" | "cache" | "workspace" | "catalogue";

export interface ModelEntry {
  /** What the engine's `load` is given: a catalogue id, a folder, or an `.onnx` file. */
  readonly reference: string;
  readonly name: string;
  /** Where it comes from; `catalogue`: it is not on this machine. */
  readonly origin: ModelOrigin;
  /** Where its files are, or would be. */
  readonly folder: string;
  readonly bytes: number;
  readonly isApproximate: boolean;
  /** As names and configuration tell, or the model itself when it was loaded last. */
  readonly precision: string | null;
  /** Result of its last self-test; null: these files were never tested. */
  readonly selfTest: boolean | null;
  readonly config: FoundModel["config"];
  readonly problem: string | null;
  readonly licence: string | null;
  readonly note: string | null;
  /** owner/name and commit on the hub, where they are known. */
  readonly repository: string | null;
  readonly commit: string | null;
  readonly isGated: boolean;
  /** What a download that was not finished has left; null for nothing. */
  readonly kept: Pick<PartialDownload, "done" | "total"> | null;
}

export interface ScanPlaces {
  /** Folder of catalogue.json and of the models that ship. */
  readonly embedded: string;
  readonly downloads: string;
  /** As the settings name them. */
  readonly folders: readonly string[];
  /** The cache of Hugging Face's tools. */
  readonly cache: string;
  /** Folders of a workspace that is trusted. */
  readonly workspace: readonly string[];
}

export interface Scan {
  /** Embedded models first, then by origin and name. */
  readonly entries: readonly ModelEntry[];
  readonly catalogue: readonly CatalogueModel[];
  /** The catalogue could not be read. */
  readonly problem: SteerscopeError | null;
}

const order: readonly ModelOrigin[] = ["embedded", "downloaded", "folder", "workspace", "cache", "catalogue"];
/** A workspace may be a large repository; models lie near its top. */
const workspaceLimits = { depth: 2, folders: 300, models: 50 };

/** Never throws: what cannot be read is not in the list. */
export async function scanModels(places: ScanPlaces): Promise<Scan> {
  const { catalogue, problem } = await readCatalogue(places.embedded);
  const [downloaded, partial, cached, folders, workspace] = await Promise.all([
    findModels(places.downloads),
    findPartialDownloads(places.downloads),
    findCachedModels(places.cache),
    Promise.all(places.folders.map((folder) => findModels(resolve(folder)))),
    Promise.all(places.workspace.map((folder) => findModels(folder, workspaceLimits))),
  ]);
  const listed = await Promise.all(catalogue.map((model) => catalogueEntry(model, places)));
  const byCatalogue = new Map(catalogue.map((model) => [model.hub?.repository ?? model.id, model]));
  const found = (models: readonly FoundModel[], origin: ModelOrigin): ModelEntry[] =>
    models.map((model) => foundEntry(model, origin, byCatalogue));
  const all = [
    ...listed.filter(({ origin }) => origin !== "catalogue"),
    ...found(downloaded, "downloaded"),
    ...found(folders.flat(), "folder"),
    ...found(workspace.flat(), "workspace"),
    ...found(cached, "cache"),
  ];
  const present = withoutDoubles(all);
  // Somebody who has a model in Hugging Face's cache need not fetch it again.
  const repositories = new Set(present.map(({ repository }) => repository));
  const absent = listed.filter(
    ({ origin, repository }) => origin === "catalogue" && !repositories.has(repository),
  );
  const entries = withKept([...present, ...absent], partial).sort(
    (a, b) => order.indexOf(a.origin) - order.indexOf(b.origin) || compareNames(a, b),
  );
  return { entries, catalogue, problem };
}

/** Unfinished downloads belong to the model of their folder; one of a model that is nowhere else is listed by itself. */
function withKept(entries: readonly ModelEntry[], partial: readonly PartialDownload[]): ModelEntry[] {
  const unclaimed = new Map(partial.map((download) => [download.folder, download]));
  const known = entries.map((entry): ModelEntry => {
    const kept = unclaimed.get(entry.folder);
    if (kept === undefined) return entry;
    unclaimed.delete(entry.folder);
    return { ...entry, kept };
  });
  return [...known, ...[...unclaimed.values()].map(partialEntry)];
}

/** What an entry says of a model of which only its name, its place and its size are known. */
export const nothingKnown = {
  isApproximate: false,
  precision: null,
  selfTest: null,
  config: null,
  problem: null,
  licence: null,
  note: null,
  repository: null,
  commit: null,
  isGated: false,
  kept: null,
} as const satisfies Partial<ModelEntry>;

function partialEntry(kept: PartialDownload): ModelEntry {
  const { folder, repository, commit, total: bytes } = kept;
  return {
    ...nothingKnown,
    reference: folder,
    name: repository,
    origin: "catalogue",
    folder,
    bytes,
    repository,
    commit,
    kept,
  };
}

/** Catalogue entries keep their order, which goes from small to large. */
function compareNames(a: ModelEntry, b: ModelEntry): number {
  return a.origin === "catalogue" ? 0 : a.name.localeCompare(b.name);
}

async function readCatalogue(embedded: string): Promise<Pick<Scan, "catalogue" | "problem">> {
  try {
    return { catalogue: await readCatalogueFile(embedded), problem: null };
  } catch (error) {
    return { catalogue: [], problem: error as SteerscopeError };
  }
}

/** Where a catalogue model's files are, or would be. */
function catalogueFolder(model: CatalogueModel, places: Pick<ScanPlaces, "embedded" | "downloads">): string {
  return resolve(model.hub === null ? places.embedded : places.downloads, ...modelPath(model));
}

async function catalogueEntry(model: CatalogueModel, places: ScanPlaces): Promise<ModelEntry> {
  const folder = catalogueFolder(model, places);
  const isWhole = (await Promise.all(model.files.map(({ path }) => isFile(join(folder, path))))).every(
    Boolean,
  );
  const [found] = isWhole ? await findModels(folder, { depth: 0, folders: 1, models: 1 }) : [];
  return {
    reference: model.id,
    name: model.name,
    origin: !isWhole ? "catalogue" : model.hub === null ? "embedded" : "downloaded",
    folder,
    bytes: found?.bytes ?? model.files.reduce((sum, { bytes }) => sum + bytes, 0),
    isApproximate: found === undefined && model.files.some(({ isApproximate }) => isApproximate),
    precision: found?.precision ?? null,
    selfTest: null,
    config: found?.config ?? null,
    problem: found?.problem ?? null,
    licence: found?.record?.licence ?? model.licence,
    note: model.note,
    repository: model.hub?.repository ?? null,
    commit: found?.commit ?? null,
    isGated: model.hub?.isGated ?? false,
    kept: null,
  };
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (information) => information.isFile(),
    () => false,
  );
}

function foundEntry(
  model: FoundModel,
  origin: ModelOrigin,
  catalogue: ReadonlyMap<string, CatalogueModel>,
): ModelEntry {
  const known = model.repository === null ? undefined : catalogue.get(model.repository);
  return {
    reference: model.reference,
    name: model.name,
    origin,
    folder: model.folder,
    bytes: model.bytes,
    isApproximate: false,
    precision: model.precision,
    selfTest: null,
    config: model.config,
    problem: model.problem,
    licence: model.record?.licence ?? known?.licence ?? null,
    note: known?.note ?? null,
    repository: model.repository,
    commit: model.commit,
    isGated: known?.hub?.isGated ?? false,
    kept: null,
  };
}

/** A folder may be found in several ways; the first counts. */
function withoutDoubles(entries: readonly ModelEntry[]): ModelEntry[] {
  const seen = new Set<string>();
  return entries.filter((entry) => {
    const key =
      entry.reference === entry.folder || !entry.reference.startsWith(entry.folder)
        ? entry.folder
        : entry.reference;
    const isNew = !seen.has(key);
    seen.add(key);
    return isNew;
  });
}
