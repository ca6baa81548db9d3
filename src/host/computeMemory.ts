/** What is remembered between computations: the choices for each set, and which models have a chat template. */
import * as vscode from "vscode";
import { defaultMethod } from "../shared/methods.ts";
import { readChoices, spellChoices, type ComputeChoices, type SpelledChoices } from "./computeChoices.ts";
import type { ExampleSetFile } from "./exampleSets.ts";
import { renamedKeys } from "./renamedKeys.ts";
import type { Services } from "./services.ts";
import { settings } from "./settings.ts";
import { workspacePath } from "./steeringFolder.ts";

const choicesKey = "steering.computeChoices";
const chatTemplatesKey = "steering.modelsWithChatTemplate";

/** What was chosen for the set last; else the selected model and the settings. */
export function rememberedChoices(
  { context, models }: Pick<Services, "context" | "models">,
  { uri }: Pick<ExampleSetFile, "uri">,
): { readonly choices: ComputeChoices; readonly isLast: boolean } {
  const defaults: ComputeChoices = {
    model: models.selected(),
    method: defaultMethod,
    position: settings.defaultPosition(uri),
    template: "none",
  };
  const last = context.workspaceState.get<Record<string, SpelledChoices>>(choicesKey, {})[workspacePath(uri)];
  if (last === undefined) return { choices: defaults, isLast: false };
  try {
    return { choices: readChoices(last, defaults), isLast: true };
  } catch {
    // Stored by another version, with a method that this one does not have.
    return { choices: defaults, isLast: false };
  }
}

/** For computations that have succeeded: what failed is not what the next one should begin with. */
export async function rememberChoices(
  { context }: Pick<Services, "context">,
  { uri }: ExampleSetFile,
  choices: ComputeChoices,
): Promise<void> {
  const stored = context.workspaceState.get<Record<string, SpelledChoices>>(choicesKey, {});
  await context.workspaceState.update(choicesKey, {
    ...stored,
    [workspacePath(uri)]: spellChoices(choices),
  });
}

/** What is remembered of a set goes with it when its file or a folder above it gets another name in this window. */
export function watchRenamedSets({ context }: Pick<Services, "context">): vscode.Disposable {
  return vscode.workspace.onDidRenameFiles(async ({ files }) => {
    let stored = context.workspaceState.get<Readonly<Record<string, SpelledChoices>>>(choicesKey, {});
    for (const { oldUri, newUri } of files) {
      stored = renamedKeys(stored, workspacePath(oldUri), workspacePath(newUri));
    }
    await context.workspaceState.update(choicesKey, stored);
  });
}

/** undefined: the model was never loaded. */
export function knownChatTemplate(
  { context, engine }: Pick<Services, "context" | "engine">,
  model: string,
): boolean | undefined {
  if (engine.model?.model === model) return engine.model.hasChatTemplate;
  return context.globalState.get<Record<string, boolean>>(chatTemplatesKey, {})[model];
}

export async function rememberChatTemplate(
  { context }: Pick<Services, "context">,
  model: string,
  hasChatTemplate: boolean,
): Promise<void> {
  const stored = context.globalState.get<Record<string, boolean>>(chatTemplatesKey, {});
  if (stored[model] === hasChatTemplate) return;
  await context.globalState.update(chatTemplatesKey, { ...stored, [model]: hasChatTemplate });
}
