/** steerscope-download.json: says that a model's folder was downloaded by this program, and from which commit. */

export const downloadRecordName = "steerscope-download.json";
export const maximumRecordBytes = 1024 * 1024;

export interface DownloadRecord {
  /** owner/name */
  readonly repository: string;
  /** The commit, 40 hexadecimal digits. */
  readonly commit: string;
  /** As the hub names it; null where it says nothing. */
  readonly licence: string | null;
  /** ISO 8601 */
  readonly date: string;
}

/** The record in `text`; null where it is not one. */
export function parseDownloadRecord(text: string): DownloadRecord | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof parsed !== "object" || parsed === null) return null;
  const { repository, commit, licence, date } = parsed as Readonly<Record<string, unknown>>;
  if (typeof repository !== "string" || typeof commit !== "string" || !/^[0-9a-f]{40}$/.test(commit))
    return null;
  return {
    repository,
    commit,
    licence: typeof licence === "string" ? licence : null,
    date: typeof date === "string" ? date : "",
  };
}

export function serialiseDownloadRecord(record: DownloadRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`;
}
