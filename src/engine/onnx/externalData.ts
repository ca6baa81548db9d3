/**
 * Where a tensor keeps its bytes outside the ONNX file (https://onnx.ai/onnx/repo-docs/ExternalData.html). The location
 * comes from a file that somebody else wrote and names a file that will be opened and mapped, so it must stay inside
 * the model's folder: no absolute path, no way up, on no operating system. `*` matters too: onnxruntime takes
 * a location spelled with it as an address in its own memory.
 */
import { SteerscopeError } from "../../shared/errors.ts";

export interface ExternalData {
  /** Relative to the model's folder, with forward slashes. */
  readonly location: string;
  readonly offset: number;
  /** null: to the end of the file. */
  readonly length: number | null;
}

/** The `external_data` entries of tensor `name`, checked. Throws ModelCorrupt. */
export function parseExternalData(name: string, entries: ReadonlyMap<string, string>): ExternalData {
  const location = entries.get("location") ?? "";
  if (!staysInside(location)) {
    throw new SteerscopeError(
      "ModelCorrupt",
      `The weights of this model lie at “${printable(location)}”, which points outside the model's folder.`,
      {
        detail: `external data of tensor ${printable(name)}`,
        remedy: "Do not use this file, or export the model again with its weights beside it.",
      },
    );
  }
  const length = entries.get("length");
  return {
    location,
    offset: byteCount(name, entries.get("offset") ?? "0"),
    length: length === undefined ? null : byteCount(name, length),
  };
}

/** Whether a location can lead nowhere but into the model's folder, and is what onnxruntime takes for a file. */
export function staysInside(location: string): boolean {
  // Control characters, and what Windows reads as a drive, a device, a wildcard or a separator.
  if (location === "" || location.startsWith("/") || /[\u0000-\u001f\\:*?"<>|]/.test(location)) return false;
  return location.split("/").every((part) => part !== ".." && part !== "");
}

function byteCount(name: string, value: string): number {
  const count = /^\d{1,15}$/.test(value) ? Number(value) : NaN;
  if (Number.isSafeInteger(count)) return count;
  throw new SteerscopeError(
    "ModelCorrupt",
    `The weights of tensor “${printable(name)}” lie at no valid position.`,
    {
      detail: `offset or length ${printable(value)}`,
      remedy: "Download or export the model again.",
    },
  );
}

function printable(value: string): string {
  return value.slice(0, 200).replace(/[\u0000-\u001f\u007f]/g, "\ufffd");
}
