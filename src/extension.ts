/** Builds the objects and connects them; nothing else. */
import * as vscode from "vscode";
import { registerComputeVector } from "./host/commands/computeVector.ts";
import { registerEngineCommands } from "./host/commands/engineCommands.ts";
import { registerExampleCommands } from "./host/commands/exampleCommands.ts";
import { registerGenerateHere } from "./host/commands/generateHere.ts";
import { registerModelCommands } from "./host/commands/modelCommands.ts";
import { registerVectorCommands } from "./host/commands/vectorCommands.ts";
import { registerExampleSetLanguage } from "./host/editor/exampleSetLanguage.ts";
import { registerInspection } from "./host/editor/inspection.ts";
import { registerVectorEditor } from "./host/editor/vectorEditor.ts";
import { EngineHost } from "./host/engineHost.ts";
import { ExampleSets } from "./host/exampleSets.ts";
import { Models } from "./host/models.ts";
import { Notices } from "./host/notices.ts";
import { tellInterrupted } from "./host/runningComputes.ts";
import type { ActivatedServices, Services } from "./host/services.ts";
import { registerStatusBar } from "./host/statusBar.ts";
import { Vectors } from "./host/vectors.ts";
import { registerExamplesView } from "./host/views/examplesView.ts";
import { registerModelsView } from "./host/views/modelsView.ts";
import { registerVectorsView } from "./host/views/vectorsView.ts";

const registrations = [
  registerExamplesView,
  registerExampleCommands,
  registerExampleSetLanguage,
  registerComputeVector,
  registerVectorsView,
  registerVectorCommands,
  registerVectorEditor,
  registerModelsView,
  registerModelCommands,
  registerInspection,
  registerGenerateHere,
  registerStatusBar,
  registerEngineCommands,
];

/** The engine, for `deactivate`, which must wait for its process to end. */
let engine: EngineHost | undefined;

/** Returns the services: integration tests of this repository look at them; other extensions should not. */
export function activate(context: vscode.ExtensionContext): ActivatedServices {
  const started = performance.now();
  const log = vscode.window.createOutputChannel("Steerscope", { log: true });
  engine = new EngineHost(context, log);
  const services: Services = {
    context,
    log,
    notices: new Notices(log),
    engine,
    models: new Models(context, engine, log),
    sets: new ExampleSets(context, log),
    vectors: new Vectors(context, log),
  };
  context.subscriptions.push(log, engine, services.models, services.sets, services.vectors);
  context.subscriptions.push(...registrations.map((register) => register(services)));
  tellInterrupted(services);
  const activationMilliseconds = performance.now() - started;
  log.info(`Activated in ${activationMilliseconds.toFixed(1)} ms.`);
  return { ...services, activationMilliseconds };
}

export async function deactivate(): Promise<void> {
  await engine?.dispose();
}
