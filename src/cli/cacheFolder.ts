import { homedir } from "node:os";
import { join } from "node:path";
import type { Context } from "./context.ts";

/** Where downloads, patched graphs and activations go: $STEERSCOPE_CACHE, or the place the platform has for caches. */
export function defaultCacheFolder(environment: Context["environment"], platform = process.platform): string {
  const set = (name: string): string | undefined => environment[name] || undefined;
  const own = set("STEERSCOPE_CACHE");
  if (own !== undefined) return own;
  switch (platform) {
    case "darwin":
      return join(homedir(), "Library", "Caches", "steerscope");
    case "win32":
      return join(set("LOCALAPPDATA") ?? join(homedir(), "AppData", "Local"), "steerscope", "Cache");
    default:
      return join(set("XDG_CACHE_HOME") ?? join(homedir(), ".cache"), "steerscope");
  }
}
