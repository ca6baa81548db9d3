/**
 * What a model is called, from what it is loaded by: a catalogue id, owner/name of the hub, a folder, or an `.onnx` file.
 * By the text alone, with the separators of every system: vectors travel, and the folders that they name stay behind.
 */

export interface CachedRepository {
  /** owner/name, or a name alone where the hub has no owner. */
  readonly repository: string;
  /** The snapshot's folder, which Hugging Face's tools name by the commit. */
  readonly revision: string;
}

const cachePattern = /(?:^|[/\\])models--([\w.-]+)[/\\]snapshots[/\\]([^/\\]+)/;

/**
 * The repository whose snapshot in Hugging Face's cache a path leads to
 * (https://huggingface.co/docs/huggingface_hub/guides/manage-cache); null for every other path.
 */
export function cachedRepository(path: string): CachedRepository | null {
  const [, folder, revision] = cachePattern.exec(path) ?? [];
  if (folder === undefined || revision === undefined) return null;
  return { repository: folder.replace("--", "/"), revision };
}

/** The folder that has the configuration of the model: the path itself, or that above the graph that it names. */
export function modelFolderOf(path: string): string {
  if (!isGraph(path)) return path;
  return path.replace(/[/\\]?[^/\\]*$/, "").replace(/[/\\]onnx$/, "");
}

/**
 * Short, for people; a graph that is named by its file carries that file's name. `repository`: owner/name where it is
 * known from elsewhere.
 */
export function modelName(reference: string, repository: string | null = null): string {
  const parts = [
    repository ?? nameOfFolder(modelFolderOf(reference)),
    ...(isGraph(reference) ? [lastPart(reference).slice(0, -".onnx".length)] : []),
  ];
  return parts.filter((part) => part !== "").join(" ");
}

function nameOfFolder(folder: string): string {
  const cached = cachedRepository(folder);
  if (cached !== null) return cached.repository;
  return /^\w[\w.-]*\/[\w.-]+$/.test(folder) ? folder : lastPart(folder);
}

function isGraph(path: string): boolean {
  return path.endsWith(".onnx");
}

function lastPart(path: string): string {
  return path.split(/[/\\]/).findLast((part) => part !== "") ?? path;
}
