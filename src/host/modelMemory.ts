/** What models said of themselves when they were loaded last, over sessions: names of files tell little of a graph. */
import type * as vscode from "vscode";
import type { ModelEntry } from "./modelScan.ts";

interface Remembered {
  /** Of the files that were loaded: others under the same name are another model. */
  readonly bytes: number;
  readonly commit: string | null;
  /** null: it was refused before it could tell. */
  readonly precision: string | null;
  readonly selfTest: boolean;
}

const memoryKey = "steering.loadedModels";
/** The oldest are forgotten. */
const maximumModels = 200;

/** `entry` with what is remembered of its files. */
export function withMemory(memory: vscode.Memento, entry: ModelEntry): ModelEntry {
  const known = memory.get<Record<string, Remembered>>(memoryKey, {})[entry.reference];
  if (known?.bytes !== entry.bytes || known.commit !== entry.commit) return entry;
  return { ...entry, precision: known.precision ?? entry.precision, selfTest: known.selfTest };
}

export async function rememberModel(
  memory: vscode.Memento,
  { reference, bytes, commit }: ModelEntry,
  found: Pick<Remembered, "precision" | "selfTest">,
): Promise<void> {
  const { [reference]: before, ...others } = memory.get<Record<string, Remembered>>(memoryKey, {});
  const now: Remembered = { bytes, commit, ...found };
  if (JSON.stringify(before) === JSON.stringify(now)) return;
  const kept = Object.entries(others).slice(1 - maximumModels);
  await memory.update(memoryKey, Object.fromEntries([...kept, [reference, now]]));
}
