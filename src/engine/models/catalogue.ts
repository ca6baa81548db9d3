/** The catalogue and the folders of models as the engine finds them on disk. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  downloadRecordName,
  maximumRecordBytes,
  parseDownloadRecord,
  type DownloadRecord,
} from "../../formats/downloadRecord.ts";
import {
  catalogueName,
  invalidCatalogue,
  maximumCatalogueBytes,
  modelPath,
  parseCatalogue,
  type CatalogueModel,
} from "../../formats/modelCatalogue.ts";
import type { ModelListing } from "../../shared/engineContract.ts";
import { SteerscopeError } from "../../shared/errors.ts";
import { cachedRepository, modelFolderOf, modelName } from "../../shared/modelName.ts";

export interface ModelRoots {
  /** Folder of catalogue.json and of the models that ship with the program. */
  readonly embedded: string;
  /** Models from the hub, in folders owner/name below it. */
  readonly downloads: string;
}

export interface ResolvedModel {
  /** Absolute; may be an `.onnx` file where one was named. */
  readonly folder: string;
  /** The catalogue's id, owner/name on the hub, or the folder's own name. */
  readonly name: string;
  /** Commit of the download or of the cache's snapshot, else the catalogue's revision; null where none is known. */
  readonly revision: string | null;
}

/** Throws FileUnreadable. */
export function readCatalogue(roots: ModelRoots): readonly CatalogueModel[] {
  const path = join(roots.embedded, catalogueName);
  let parsed: unknown;
  try {
    if (statSync(path).size > maximumCatalogueBytes)
      throw new Error(`it is larger than ${maximumCatalogueBytes} bytes`);
    parsed = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw invalidCatalogue(error instanceof Error ? error.message : String(error), error);
  }
  return parseCatalogue(parsed);
}

/** Where a catalogue model's files are, or would be. */
export function folderOf(model: CatalogueModel, roots: ModelRoots): string {
  return resolve(model.hub === null ? roots.embedded : roots.downloads, ...modelPath(model));
}

/** What was noted when a folder was downloaded; null where it was not. */
function downloadRecordOf(folder: string): DownloadRecord | null {
  const path = join(folder, downloadRecordName);
  try {
    if (statSync(path).size > maximumRecordBytes) return null;
    return parseDownloadRecord(readFileSync(path, "utf8"));
  } catch {
    return null;
  }
}

function isPresent(model: CatalogueModel, folder: string): boolean {
  return model.files.every(({ path }) => existsSync(join(folder, path)));
}

/** The catalogue as people see it. Throws FileUnreadable. */
export function listModels(roots: ModelRoots): readonly ModelListing[] {
  return readCatalogue(roots).map((model) => {
    const folder = folderOf(model, roots);
    const present = isPresent(model, folder);
    const sizes = model.files.map(({ path, bytes }) => (present ? statSync(join(folder, path)).size : bytes));
    return {
      id: model.id,
      name: model.name,
      origin: model.hub === null ? "embedded" : "hub",
      present,
      bytes: sizes.reduce((sum, bytes) => sum + bytes, 0),
      approximate: !present && model.files.some(({ isApproximate }) => isApproximate),
      licence: model.licence,
      note: model.note,
    };
  });
}

/**
 * Finds the model that `reference` names: an id of the catalogue, or the path of a folder or `.onnx` file (`./name` where
 * a folder has the name of an id). Throws ModelNotFound, with what can be named instead.
 */
export function resolveModelFolder(reference: string, roots: ModelRoots): ResolvedModel {
  const models = readCatalogue(roots);
  const model = models.find(({ id }) => id === reference);
  if (model !== undefined) {
    const folder = folderOf(model, roots);
    if (!isPresent(model, folder)) throw notPresent(model, folder);
    const commit = downloadRecordOf(folder)?.commit;
    return { folder, name: model.id, revision: commit ?? model.hub?.revision ?? null };
  }
  const folder = resolve(reference);
  if (reference === "" || !existsSync(folder)) {
    const ids = models.filter((candidate) => isPresent(candidate, folderOf(candidate, roots)));
    throw new SteerscopeError("ModelNotFound", `There is no model "${reference}".`, {
      remedy: `Name a folder that holds a model, or one of: ${ids.map(({ id }) => id).join(", ")}. "steerscope models" lists more that can be downloaded.`,
    });
  }
  const record = downloadRecordOf(modelFolderOf(folder));
  return {
    folder,
    name: modelName(folder, record?.repository),
    revision: record?.commit ?? cachedRepository(folder)?.revision ?? null,
  };
}

function notPresent({ id, name, hub }: CatalogueModel, folder: string): SteerscopeError {
  if (hub === null) {
    return new SteerscopeError("ModelNotFound", `${name} is not in ${folder}, where it ships.`, {
      remedy: "Run npm run build, or reinstall Steerscope.",
    });
  }
  const gate = hub.isGated ? " (it asks to accept its licence there)" : "";
  return new SteerscopeError("ModelNotFound", `${name} has not been downloaded to this machine.`, {
    remedy: `Download it: "Steering: Download Model" in the editor, "steerscope models download ${id}" in a terminal. Or put the files of huggingface.co/${hub.repository}${gate} into ${folder}.`,
  });
}
