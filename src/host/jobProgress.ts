/** Progress of the engine as a job shows it. */
import * as vscode from "vscode";
import type { Progress } from "../shared/engineContract.ts";

/** The engine's own words for its progress; undefined for what is no step. */
export function describeStep(event: Progress): string | undefined {
  if (event.kind !== "step") return undefined;
  return vscode.l10n.t("{0}: {1} of {2} {3}", event.stage, event.done, event.total, event.unit);
}

/** 0 to 1; undefined where the progress has no measure. */
export function fractionOf(event: Progress): number | undefined {
  return event.kind === "step" && event.total > 0 ? event.done / event.total : undefined;
}
