/** The settings of package.json, typed. Read when they are needed: none is kept, so that a change counts at once. */
import { homedir } from "node:os";
import { join } from "node:path";
import * as vscode from "vscode";
import { defaultReadPosition, parseReadPosition, type ReadPosition } from "../shared/readPosition.ts";
import { defaultScope, scopeNames, type Scope } from "../shared/scope.ts";

const section = "steering";

function read<T>(key: string, fallback: T, resource?: vscode.Uri): T {
  return vscode.workspace.getConfiguration(section, resource ?? null).get<T>(key, fallback);
}

function withHome(folder: string): string {
  return folder === "~" || folder.startsWith("~/") ? join(homedir(), folder.slice(1)) : folder;
}

export const settings = {
  /** Relative to a workspace folder. */
  folder: (resource?: vscode.Uri): string => {
    const value = read("folder", ".steering", resource).trim();
    // The manifest's pattern only warns; a path that leaves the workspace must never be used.
    const isInside =
      value !== "" && !/^([/\\]|[A-Za-z]:)/.test(value) && !/(^|[/\\])\.\.([/\\]|$)/.test(value);
    return isInside ? value : ".steering";
  },
  defaultModel: (): string => withHome(read("defaultModel", "stories15m")),
  modelFolders: (): readonly string[] => read<string[]>("modelFolders", []).map(withHome),
  /** Empty: HF_ENDPOINT, else the hub itself. */
  hubEndpoint: (): string => read("hubEndpoint", ""),
  /** 0: the runtime's choice. */
  threads: (): number => read("threads", 0),
  idleMinutes: (): number => Math.max(0.1, read("idleMinutes", 5)),
  activationCacheLimitMegabytes: (): number => Math.max(16, read("activationCacheLimit", 2048)),
  defaultPosition: (resource?: vscode.Uri): ReadPosition => {
    try {
      return parseReadPosition(read("defaultPosition", "last", resource));
    } catch {
      return defaultReadPosition;
    }
  },
  defaultScope: (resource?: vscode.Uri): Scope => {
    const value = read<string>("defaultScope", "", resource);
    return scopeNames.find((name) => name === value) ?? defaultScope;
  },
  maxTokens: (resource?: vscode.Uri): number => read("generate.maxTokens", 64, resource),
  temperature: (resource?: vscode.Uri): number => read("generate.temperature", 0, resource),
  decimals: (): number => Math.min(8, Math.max(0, Math.round(read("decimals", 3)))),
  /** Whether a change touches the setting `key`, as in package.json without its section. */
  isChanged: (event: vscode.ConfigurationChangeEvent, key: string): boolean =>
    event.affectsConfiguration(`${section}.${key}`),
};
