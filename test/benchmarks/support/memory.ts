/** Memory of a process. Resident pages include those of mapped weight files, which the system can drop at any time. */
import { readFileSync } from "node:fs";

export interface Memory {
  readonly residentMegabytes: number;
  readonly peakMegabytes: number;
  /** Resident and not backed by a file; Linux only. */
  readonly anonymousMegabytes?: number;
}

export interface ResidentBytes {
  readonly residentBytes: number;
  readonly peakResidentBytes: number;
}

/** This process, as it sees itself. */
export function ownMemory(): ResidentBytes {
  return {
    residentBytes: process.memoryUsage.rss(),
    // maxRSS is in kibibytes.
    peakResidentBytes: process.resourceUsage().maxRSS * 1024,
  };
}

/** `own` is what process `pid` says of itself; the rest is asked of the system. */
export function memoryOf(pid: number, own: ResidentBytes): Memory {
  const anonymousKibibytes = process.platform === "linux" ? statusField(pid, "RssAnon") : undefined;
  return {
    residentMegabytes: megabytes(own.residentBytes),
    peakMegabytes: megabytes(own.peakResidentBytes),
    ...(anonymousKibibytes === undefined ? {} : { anonymousMegabytes: megabytes(anonymousKibibytes * 1024) }),
  };
}

function statusField(pid: number, field: string): number | undefined {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return match === null ? undefined : Number(match[1]);
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e6);
}
