/** Model, engine and what is applied, in words: for the status bar and its menu. */
import * as vscode from "vscode";
import { formatApplied } from "./appliedRecipe.ts";
import type { EngineState } from "./engineHost.ts";
import type { Services } from "./services.ts";

export interface Status {
  /** Short name of the model that is loaded, else of the one that will be. */
  readonly model: string;
  /** Layers and width of the model; null while it is not loaded. */
  readonly facts: string | null;
  readonly engine: EngineState;
  readonly engineText: string;
  /** Recipe of the vectors that are switched on, without and with its scope; empty for none. */
  readonly applied: string;
  readonly recipe: string;
}

/** How things stand now. */
export function currentStatus({
  engine,
  models,
  vectors,
}: Omit<Services, "context" | "log" | "notices">): Status {
  const { model, state } = engine;
  const applied = vectors.applied();
  return {
    model: model?.name ?? models.nameOf(models.selected()),
    facts:
      model === null
        ? null
        : vscode.l10n.t("{0} layers, {1} wide, {2}", model.layers, model.hidden, model.precision),
    engine: state,
    engineText: engineText(state),
    applied: applied.length === 0 ? "" : formatApplied(applied, null),
    recipe: applied.length === 0 ? "" : formatApplied(applied, vectors.scope()),
  };
}

function engineText(state: EngineState): string {
  switch (state.kind) {
    case "stopped":
      return vscode.l10n.t("engine not running");
    case "ready":
      return vscode.l10n.t("engine ready");
    case "busy": {
      if (state.isStopping) return vscode.l10n.t("Stopping: {0}", state.title);
      const what = state.progress === "" ? state.title : `${state.title}: ${state.progress}`;
      return state.waiting === 0 ? what : vscode.l10n.t("{0} ({1} more waiting)", what, state.waiting);
    }
    case "crashed":
      return state.blocked
        ? vscode.l10n.t("engine stopped after several crashes")
        : vscode.l10n.t("engine ended unexpectedly; it starts again when it is needed");
  }
}
