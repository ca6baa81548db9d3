import { homedir } from "node:os";
import { join } from "node:path";
import type { Context } from "./context.ts";

/** Where downloaded models and activations go: $STEERSCOPE_CACHE, or the place the platform has for caches. */
export function defaultCacheFolder(
  environment: Context["environment"],
  platform: NodeJS.Platform = process.platform,
): string {
  const set = (name: string): string | undefined =>
    environment[name] === "" ? undefined : environment[name];
  const own = set("STEERSCOPE_CACHE");
  if (own !== undefined) return own;
  if (platform === "darwin") return join(homedir(), "Library", "Caches", "steerscope");
  if (platform === "win32") {
    return join(set("LOCALAPPDATA") ?? join(homedir(), "AppData", "Local"), "steerscope", "Cache");
  }
  return join(set("XDG_CACHE_HOME") ?? join(homedir(), ".cache"), "steerscope");
}
