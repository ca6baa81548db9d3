/** models/catalogue.json: the models that can be named by a short id, and where each one's files lie. */
import { SteerscopeError } from "../shared/errors.ts";

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

export const catalogueName = "catalogue.json";
export const maximumCatalogueBytes = 1024 * 1024;

type Json = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The catalogue as an error: `what` is wrong with it. */
export function invalidCatalogue(what: string, cause?: unknown): SteerscopeError {
  return new SteerscopeError("FileUnreadable", `The model catalogue cannot be read: ${what}.`, {
    remedy: "Reinstall Steerscope, or correct models/catalogue.json.",
    cause,
  });
}

function text(record: Json, key: string, pattern = /\S/): string {
  const value = record[key];
  if (typeof value !== "string" || !pattern.test(value))
    throw invalidCatalogue(`"${key}" is missing or not valid`);
  return value;
}

/** Names become folders and addresses: no `..`, no backslash, nothing absolute. */
const idPattern = /^[a-z0-9][a-z0-9._-]*$/;
export const repositoryPattern = /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/;
const pathPattern = /^[A-Za-z0-9_][\w.-]*(\/[A-Za-z0-9_][\w.-]*)*$/;

function readFileEntry(value: unknown): CatalogueFile {
  if (!isRecord(value)) throw invalidCatalogue("a file is not an object");
  const { bytes, approximateBytes, sha256 } = value;
  const size = bytes ?? approximateBytes;
  const isOne = (bytes === undefined) !== (approximateBytes === undefined);
  if (!isOne || typeof size !== "number" || !Number.isSafeInteger(size) || size <= 0) {
    throw invalidCatalogue("a file needs either bytes or approximateBytes");
  }
  return {
    path: text(value, "path", pathPattern),
    bytes: size,
    isApproximate: bytes === undefined,
    sha256: sha256 === undefined ? null : text(value, "sha256", /^[0-9a-f]{64}$/),
  };
}

function readModel(value: unknown): CatalogueModel {
  if (!isRecord(value)) throw invalidCatalogue("a model is not an object");
  const origin = text(value, "origin", /^(embedded|hub)$/);
  const files = value["files"];
  if (!Array.isArray(files) || files.length === 0) throw invalidCatalogue("a model has no files");
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
  if (!Array.isArray(list)) throw invalidCatalogue("it has no list of models");
  const models = list.map(readModel);
  if (new Set(models.map(({ id }) => id)).size !== models.length)
    throw invalidCatalogue("an id is there twice");
  return [...models.filter(({ hub }) => hub === null), ...models.filter(({ hub }) => hub !== null)];
}

/** Parts of the path of a model's folder: below the models that ship, or below the downloads. */
export function modelPath({ id, hub }: CatalogueModel): readonly string[] {
  return hub === null ? [id] : hub.repository.split("/");
}
