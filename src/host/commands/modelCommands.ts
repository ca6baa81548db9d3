import * as vscode from "vscode";
import { findModels } from "../../client/modelFolders.ts";
import type { ModelDescription, SelfTestCheck } from "../../shared/engineContract.ts";
import { SteerscopeError, isSteerscopeError } from "../../shared/errors.ts";
import { commandIds, viewIds } from "../ids.ts";
import type { ModelEntry } from "../modelScan.ts";
import { selfTestReport } from "../modelText.ts";
import { requireTrust } from "../notices.ts";
import { registerCommand } from "../registerCommand.ts";
import type { Services } from "../services.ts";
import { settings } from "../settings.ts";
import { registerDownloadCommands } from "./downloadCommands.ts";
import { pickModel, requireModel, type ModelArgument } from "./modelPicks.ts";

/** Documents of this scheme are made from `reports` when they are opened. */
const reportScheme = "steerscope-report";

export function registerModelCommands(services: Services): vscode.Disposable {
  const { models, engine } = services;
  const reports = new Reports();
  return vscode.Disposable.from(
    vscode.workspace.registerTextDocumentContentProvider(reportScheme, reports),
    registerDownloadCommands(services),
    registerCommand(services, "refreshModels", () => models.refresh()),
    registerCommand(services, "selectModel", (argument?: ModelArgument) => selectModel(services, argument)),
    registerCommand(services, "loadModel", (argument?: ModelArgument) => loadModel(services, argument)),
    registerCommand(services, "unloadModel", () => engine.unload()),
    registerCommand(services, "testModel", (argument?: ModelArgument) =>
      testModel(services, reports, argument),
    ),
    registerCommand(services, "revealModel", (argument?: ModelArgument) => revealModel(services, argument)),
    registerCommand(services, "openModelFolder", (folder?: string) => openModelFolder(services, folder)),
  );
}

/** Resolves with the reference of the model that is selected now; undefined where nothing was chosen. */
async function selectModel({ models }: Services, argument?: ModelArgument): Promise<string | undefined> {
  const entry =
    argument === undefined
      ? await pickModel(models, vscode.l10n.t("Select the model that computes and steers"))
      : await requireModel(models, argument);
  if (entry === undefined) return undefined;
  if (entry.origin === "catalogue") {
    const downloaded = await vscode.commands.executeCommand<{ reference: string } | undefined>(
      commandIds.downloadModel,
      entry.reference,
    );
    if (downloaded === undefined) return undefined;
  }
  await models.select(entry.reference);
  return entry.reference;
}

/** Loads and selects: what was loaded for one look would be replaced by the next computation. */
async function loadModel(services: Services, argument?: ModelArgument): Promise<ModelDescription> {
  const { engine, models } = services;
  const reference = await referenceOf(services, argument);
  const description = await engine.run(
    { title: vscode.l10n.t("Loading {0}", models.nameOf(reference)), location: { viewId: viewIds.models } },
    (job) => models.load(job, reference),
  );
  await models.select(reference);
  return description;
}

/** The model named, else the selected one, which need not be in the list. */
async function referenceOf({ models }: Services, argument?: ModelArgument): Promise<string> {
  return argument === undefined ? models.selected() : (await requireModel(models, argument)).reference;
}

interface SelfTestResult {
  readonly passed: boolean;
  readonly checks: readonly SelfTestCheck[];
}

async function testModel(
  services: Services,
  reports: Reports,
  argument?: ModelArgument,
): Promise<SelfTestResult | undefined> {
  const { engine, models } = services;
  const tested =
    argument === undefined
      ? await pickModel(models, vscode.l10n.t("Test that a model can be steered exactly"), isOnDisk)
      : await requireModel(models, argument);
  if (tested === undefined) return undefined;
  const { reference, name } = tested;
  let description: ModelDescription | undefined;
  let checks: readonly SelfTestCheck[];
  try {
    description = await engine.run({ title: vscode.l10n.t("Testing {0}", name) }, (job) =>
      models.load(job, reference),
    );
    ({ checks } = description.selfTest);
  } catch (error) {
    const failed = failedChecks(error);
    if (failed === undefined) throw error;
    checks = failed;
  }
  await showReport(reports.keep(name, selfTestReport(name, checks, description)));
  return { passed: checks.every(({ passed }) => passed), checks };
}

/** As VS Code shows Markdown; as text where that extension is switched off. */
async function showReport(uri: vscode.Uri): Promise<void> {
  const document = await vscode.workspace.openTextDocument(uri);
  try {
    await vscode.commands.executeCommand("markdown.showPreview", uri);
  } catch {
    await vscode.window.showTextDocument(document, { preview: true });
  }
}

/** The engine refuses a model whose self-test fails, and sends the checks along. */
function failedChecks(error: unknown): readonly SelfTestCheck[] | undefined {
  if (!isSteerscopeError(error, "SelfTestFailed") || error.detail === undefined) return undefined;
  try {
    return JSON.parse(error.detail) as readonly SelfTestCheck[];
  } catch {
    return undefined;
  }
}

/** Texts of read-only documents, one a model. */
class Reports implements vscode.TextDocumentContentProvider {
  readonly #texts = new Map<string, string>();
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.#changed.event;

  keep(name: string, text: string): vscode.Uri {
    const file = vscode.l10n.t("Self-test of {0}", name).replace(/[^\p{L}\p{N} .-]/gu, "-");
    const uri = vscode.Uri.from({ scheme: reportScheme, path: `/${file}.md` });
    this.#texts.set(uri.toString(), text);
    this.#changed.fire(uri);
    return uri;
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.#texts.get(uri.toString()) ?? "";
  }
}

/** Resolves with the folder. */
async function revealModel(
  { models, notices }: Services,
  argument?: ModelArgument,
): Promise<string | undefined> {
  const entry =
    argument === undefined
      ? await pickModel(models, vscode.l10n.t("Open the folder of a model"), isOnDisk)
      : await requireModel(models, argument);
  if (entry === undefined) return undefined;
  const uri = vscode.Uri.file(entry.folder);
  if (vscode.env.remoteName === undefined && vscode.env.uiKind === vscode.UIKind.Desktop) {
    await vscode.commands.executeCommand("revealFileInOS", uri);
    return entry.folder;
  }
  // The folder is on another machine than the person's file manager.
  void notices.showInformation(vscode.l10n.t("{0} is in {1}.", entry.name, entry.folder), [
    { title: vscode.l10n.t("Copy Path"), run: () => vscode.env.clipboard.writeText(entry.folder) },
    {
      title: vscode.l10n.t("Open in New Window"),
      run: () => vscode.commands.executeCommand("vscode.openFolder", uri, { forceNewWindow: true }),
    },
  ]);
  return entry.folder;
}

function isOnDisk({ origin }: ModelEntry): boolean {
  return origin !== "catalogue";
}

/** Adds a folder to the setting. Resolves with the references of the models in it. */
async function openModelFolder(
  { models, notices }: Services,
  folder?: string,
): Promise<readonly string[] | undefined> {
  requireTrust();
  const path = folder ?? (await chooseFolder());
  if (path === undefined) return undefined;
  const found = await findModels(path);
  if (found.length === 0) {
    throw new SteerscopeError("ModelNotFound", vscode.l10n.t("No model was found in {0}.", path), {
      remedy: vscode.l10n.t(
        "A model is a folder with config.json and either model.safetensors or an ONNX graph such as model.onnx.",
      ),
    });
  }
  const configuration = vscode.workspace.getConfiguration("steering");
  const written = configuration.get<string[]>("modelFolders", []);
  if (!settings.modelFolders().includes(path)) {
    await configuration.update("modelFolders", [...written, path], vscode.ConfigurationTarget.Global);
  }
  await models.refresh();
  void notices.showInformation(
    found.length === 1
      ? vscode.l10n.t("Found the model {0}.", found[0]!.name)
      : vscode.l10n.t("Found {0} models.", found.length),
    [
      {
        title: vscode.l10n.t("Select Model"),
        run: () => vscode.commands.executeCommand(commandIds.selectModel),
      },
    ],
  );
  return found.map(({ reference }) => reference);
}

async function chooseFolder(): Promise<string | undefined> {
  const chosen = await vscode.window.showOpenDialog({
    title: vscode.l10n.t("Folder that is a model or holds models"),
    openLabel: vscode.l10n.t("Add Model Folder"),
    canSelectFolders: true,
    canSelectFiles: false,
  });
  return chosen?.[0]?.fsPath;
}
