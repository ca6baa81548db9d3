import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { SteerscopeError } from "../../shared/errors.ts";
import { isRecord } from "./tokenizerFiles.ts";

const maximumBytes = 16 * 1024 * 1024;
/** Llama 3 has three. */
const maximumIds = 1000;

/**
 * Ids that end a text: `eos_token_id` of generation_config.json, else of config.json (or its `text_config`); none where
 * neither says so. Throws ModelCorrupt on files that cannot be read.
 */
export function readEndOfSequence(folder: string): readonly number[] {
  for (const name of ["generation_config.json", "config.json"]) {
    const config = readConfig(folder, name);
    if (!isRecord(config)) continue;
    const nested = isRecord(config["text_config"]) ? config["text_config"]["eos_token_id"] : undefined;
    const value = config["eos_token_id"] ?? nested;
    const ids = (Array.isArray(value) ? value.slice(0, maximumIds) : [value]).filter(
      (id): id is number => typeof id === "number" && Number.isSafeInteger(id) && id >= 0,
    );
    if (ids.length > 0) return [...new Set(ids)];
  }
  return [];
}

function readConfig(folder: string, name: string): unknown {
  const path = join(folder, name);
  if (!existsSync(path)) return undefined;
  try {
    if (statSync(path).size > maximumBytes) throw new Error(`it is larger than ${maximumBytes} bytes`);
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new SteerscopeError("ModelCorrupt", `${name} cannot be read.`, {
      remedy: "Download the model's configuration again.",
      detail: error instanceof Error ? error.message : String(error),
      cause: error,
    });
  }
}
