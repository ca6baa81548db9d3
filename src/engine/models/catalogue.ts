/** models/catalogue.json: the models that can be named by a short id, and where each one's files lie. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { ModelListing } from "../../shared/engineContract.ts";
import { SteerscopeError } from "../../shared/errors.ts";

export interface CatalogueFile {
  /** Within the repository and within the model's folder; `/` between parts. */
  readonly path: string;
  readonly bytes: number;
  /** `bytes` was not measured. */
  readonly isApproximate: boolean;
  /** Known only where somebody has computed it from the file itself. */
  readonly sha256: string | null;
}

export interface CatalogueModel {
  readonly id: string;
  readonly name: string;
  /** null: ships with the program. */
  readonly hub: HubRepository | null;
  readonly licence: string;
  readonly note: string;
  readonly files: readonly CatalogueFile[];
}

export interface HubRepository {
  /** owner/name */
  readonly repository: string;
  /** A commit, or a branch where no commit has been tried. */
  readonly revision: string;
  /** Its licence must be accepted on the hub before a download. */
  readonly isGated: boolean;
}

export interface ModelRoots {
  /** Folder of catalogue.json and of the models that ship with the program. */
  readonly embedded: string;
  /** Models from the hub, in folders owner/name below it. */
  readonly downloads: string;
}

export interface ResolvedModel {
  /** Absolute; may be an `.onnx` file where one was named. */
  readonly folder: string;
  /** The catalogue's id and revision; null for a folder. */
  readonly id: string | null;
  readonly revision: string | null;
}

const catalogueName = "catalogue.json";
const maximumBytes = 1024 * 1024;

type Json = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(what: string, cause?: unknown): SteerscopeError {
  return new SteerscopeError("FileUnreadable", `The model catalogue cannot be read: ${what}.`, {
    remedy: "Reinstall Steerscope, or correct models/catalogue.json.",
    cause,
  });
}

function text(record: Json, key: string, pattern = /\S/): string {
  const value = record[key];
  if (typeof value !== "string" || !pattern.test(value)) throw invalid(`"${key}" is missing or not valid`);
  return value;
}

/** Names become folders and addresses: no `..`, no backslash, nothing absolute. */
const idPattern = /^[a-z0-9][a-z0-9._-]*$/;
const repositoryPattern = /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/;
const pathPattern = /^[A-Za-z0-9_][\w.-]*(\/[A-Za-z0-9_][\w.-]*)*$/;

function readFileEntry(value: unknown): CatalogueFile {
  if (!isRecord(value)) throw invalid("a file is not an object");
  const { bytes, approximateBytes, sha256 } = value;
  const size = bytes ?? approximateBytes;
  const isOne = (bytes === undefined) !== (approximateBytes === undefined);
  if (!isOne || typeof size !== "number" || !Number.isSafeInteger(size) || size <= 0) {
    throw invalid("a file needs either bytes or approximateBytes");
  }
  return {
    path: text(value, "path", pathPattern),
    bytes: size,
    isApproximate: bytes === undefined,
    sha256: sha256 === undefined ? null : text(value, "sha256", /^[0-9a-f]{64}$/),
  };
}

function readModel(value: unknown): CatalogueModel {
  if (!isRecord(value)) throw invalid("a model is not an object");
  const origin = text(value, "origin", /^(embedded|hub)$/);
  const files = value["files"];
  if (!Array.isArray(files) || files.length === 0) throw invalid("a model has no files");
  return {
    id: text(value, "id", idPattern),
    name: text(value, "name"),
    hub:
      origin === "embedded"
        ? null
        : {
            repository: text(value, "repository", repositoryPattern),
            revision: text(value, "revision", /^[\w.-]+$/),
            isGated: value["isGated"] === true,
          },
    licence: text(value, "licence"),
    note: text(value, "note"),
    files: files.map(readFileEntry),
  };
}

/** The models of a parsed catalogue.json, embedded ones first. Throws FileUnreadable on anything out of shape. */
export function parseCatalogue(parsed: unknown): readonly CatalogueModel[] {
  const list = isRecord(parsed) ? parsed["models"] : undefined;
  if (!Array.isArray(list)) throw invalid("it has no list of models");
  const models = list.map(readModel);
  if (new Set(models.map(({ id }) => id)).size !== models.length) throw invalid("an id is there twice");
  return [...models.filter(({ hub }) => hub === null), ...models.filter(({ hub }) => hub !== null)];
}

/** Throws FileUnreadable. */
export function readCatalogue(roots: ModelRoots): readonly CatalogueModel[] {
  const path = join(roots.embedded, catalogueName);
  let parsed: unknown;
  try {
    if (statSync(path).size > maximumBytes) throw new Error(`it is larger than ${maximumBytes} bytes`);
    parsed = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error), error);
  }
  return parseCatalogue(parsed);
}

/** Where a catalogue model's files are, or would be. */
export function folderOf({ id, hub }: CatalogueModel, roots: ModelRoots): string {
  return resolve(
    hub === null ? join(roots.embedded, id) : join(roots.downloads, ...hub.repository.split("/")),
  );
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
    return { folder, id: model.id, revision: model.hub?.revision ?? null };
  }
  const folder = resolve(reference);
  if (reference === "" || !existsSync(folder)) {
    const ids = models.filter((candidate) => isPresent(candidate, folderOf(candidate, roots)));
    throw new SteerscopeError("ModelNotFound", `There is no model "${reference}".`, {
      remedy: `Name a folder that holds a model, or one of: ${ids.map(({ id }) => id).join(", ")}. "steerscope models" lists more that can be downloaded.`,
    });
  }
  return { folder, id: null, revision: null };
}

function notPresent({ name, hub }: CatalogueModel, folder: string): SteerscopeError {
  if (hub === null) {
    return new SteerscopeError("ModelNotFound", `${name} is not in ${folder}, where it ships.`, {
      remedy: "Run npm run build, or reinstall Steerscope.",
    });
  }
  const gate = hub.isGated ? " (it asks to accept its licence there)" : "";
  return new SteerscopeError("ModelNotFound", `${name} has not been downloaded to this machine.`, {
    remedy: `Download huggingface.co/${hub.repository}${gate} into ${folder}, or name a folder that holds a model.`,
  });
}
