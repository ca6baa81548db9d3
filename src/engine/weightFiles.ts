/**
 * Where the weights of a model folder really lie. Hub caches fill a folder with links to blobs elsewhere, and onnxruntime
 * refuses weights behind a link that leaves the folder which it was given: it gets the folder and the names of the blobs.
 */
import { realpathSync } from "node:fs";
import { dirname, isAbsolute, join, relative, sep } from "node:path";
import { SteerscopeError } from "../shared/errors.ts";

export interface WeightFiles {
  /** The folder that holds all of them, at any depth. */
  readonly folder: string;
  /** Absolute, without links, in the order of their names. */
  readonly paths: readonly string[];
  /** From the names within the model folder to those within `folder`, with forward slashes. */
  readonly locations: ReadonlyMap<string, string>;
}

/**
 * Follows the links of the files `names` of `modelFolder`. Throws ModelCorrupt for a file that is not there and
 * ModelUnsupported where no single folder holds what they lead to.
 */
export function locateWeightFiles(modelFolder: string, names: readonly string[]): WeightFiles {
  const paths = names.map((name) => realPath(modelFolder, name));
  const folder = [realpathSync(modelFolder), dirname(paths[0]!)].find((candidate) =>
    paths.every((path) => isInside(candidate, path)),
  );
  if (folder === undefined) {
    throw new SteerscopeError(
      "ModelUnsupported",
      "The weight files of this model are links into different folders.",
      { detail: paths.join(", "), remedy: "Put copies of them into one folder." },
    );
  }
  const locations = names.map((name, index): [string, string] => [
    name,
    relative(folder, paths[index]!).replaceAll(sep, "/"),
  ]);
  return { folder, paths, locations: new Map(locations) };
}

function realPath(folder: string, name: string): string {
  try {
    return realpathSync(join(folder, name));
  } catch (error) {
    throw new SteerscopeError(
      "ModelCorrupt",
      `The weight file ${name.slice(0, 200)} of this model is not there.`,
      {
        remedy: "Download the model again, with all of its files.",
        cause: error,
      },
    );
  }
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  // Absolute: on another drive of Windows.
  return !isAbsolute(way) && way.split(sep)[0] !== "..";
}
