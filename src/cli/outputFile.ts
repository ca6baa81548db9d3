/** `--out`: a place that can be written and that is none of the files a command reads. */
import { readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { checkWritable, readFileBounded } from "../client/files.ts";
import { parseSafetensorsHeader } from "../formats/safetensors.ts";
import { SteerscopeError } from "../shared/errors.ts";

/** Result files that are larger are not recognised, and kept. */
const maxResultBytes = 512 * 1024 * 1024;

/**
 * Before any work: throws InvalidRequest where `out` is one of the `inputs` or a file in the folder of `model` (an id,
 * folder or file; null: none is read), under whatever name or link; FileUnwritable where it cannot be written.
 */
export async function checkOutput(
  out: string,
  model: string | null,
  inputs: readonly string[],
): Promise<void> {
  const target = await realFile(out);
  if (target !== null) {
    const read = await Promise.all(inputs.map(realFile));
    if (read.includes(target)) throw overwrites(`${out} is read by this command`);
    if (model !== null && (await isModelFile(target, model)))
      throw overwrites(`${out} is a file of the model`);
  }
  await checkWritable(out);
}

function overwrites(what: string): SteerscopeError {
  return new SteerscopeError("InvalidRequest", `${what} and would be overwritten.`, {
    remedy: "Give --out another name.",
  });
}

/** The file behind links; null where there is none. */
async function realFile(path: string): Promise<string | null> {
  try {
    const real = await realpath(path);
    return (await stat(real)).isFile() ? real : null;
  } catch {
    return null;
  }
}

/** Whether `target` is one of the files beside the weights that is no earlier result, which may be written again. */
async function isModelFile(target: string, model: string): Promise<boolean> {
  const file = await realFile(model);
  // The file that a hub cache links to does not lie beside the configuration; the link does.
  const places = file === null ? [model] : [dirname(model), dirname(file)];
  // Graphs may lie in onnx/, with the rest above it.
  const folders = places.flatMap((place) => [
    place,
    basename(resolve(place)) === "onnx" ? dirname(resolve(place)) : join(place, "onnx"),
  ]);
  for (const folder of folders) {
    const names = await readdir(folder).catch((): string[] => []);
    const files = await Promise.all(names.map((name) => realFile(join(folder, name))));
    if (files.includes(target)) return !(await isResult(target));
  }
  return false;
}

async function isResult(path: string): Promise<boolean> {
  try {
    const bytes = await readFileBounded(path, maxResultBytes);
    const format = parseSafetensorsHeader(bytes, bytes.length).metadata.get("format");
    return format?.startsWith("steerscope-") === true;
  } catch {
    return false;
  }
}
