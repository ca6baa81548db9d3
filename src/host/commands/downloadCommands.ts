import { rm } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import * as vscode from "vscode";
import { parseHubReference, type HubModel, type HubReference } from "../../client/hubApi.ts";
import { offeredWeights, planCatalogue, planWeights, type DownloadPlan } from "../../client/hubDownload.ts";
import { discardPartialDownload } from "../../client/partialDownload.ts";
import type { CatalogueModel } from "../../formats/modelCatalogue.ts";
import { SteerscopeError, isSteerscopeError } from "../../shared/errors.ts";
import { size } from "../../shared/units.ts";
import { commandIds } from "../ids.ts";
import type { ModelEntry } from "../modelScan.ts";
import { licenceText } from "../modelText.ts";
import { registerCommand } from "../registerCommand.ts";
import type { Services } from "../services.ts";
import { discardDownload } from "./discardDownload.ts";
import { pickModel, referenceIn, requireModel, type ModelArgument } from "./modelPicks.ts";

/** For callers that are no person. */
interface DownloadOptions {
  /** Size and licence were accepted. */
  readonly confirmed?: boolean;
  /** File of the weights to take, where a repository offers several. */
  readonly weights?: string;
}

interface Downloaded {
  readonly reference: string;
  readonly folder: string;
}

export function registerDownloadCommands(services: Services): vscode.Disposable {
  const { models } = services;
  return vscode.Disposable.from(
    registerCommand(services, "downloadModel", (argument?: ModelArgument, options?: DownloadOptions) =>
      download(services, argument, options),
    ),
    registerCommand(services, "cancelDownload", (argument?: ModelArgument) => {
      models.downloads.cancel(argument === undefined ? undefined : referenceIn(argument));
    }),
    registerCommand(services, "discardDownload", (argument?: ModelArgument, options?: DownloadOptions) =>
      discardDownload(services, argument, options?.confirmed === true),
    ),
    registerCommand(services, "deleteModel", (argument?: ModelArgument, options?: DownloadOptions) =>
      deleteModel(services, argument, options?.confirmed === true),
    ),
    registerCommand(services, "setHubToken", (token?: string) => setToken(services, token)),
    registerCommand(services, "forgetHubToken", async () => {
      await models.downloads.setToken(undefined);
      void services.notices.showInformation(vscode.l10n.t("The Hugging Face token was forgotten."));
    }),
  );
}

/** What is to be downloaded: a model of the catalogue, or any repository. */
type Wanted = { readonly catalogue: CatalogueModel } | { readonly hub: HubReference };

/** Resolves when the model is there; undefined where the person went back or stopped it, or it failed. */
async function download(
  services: Services,
  argument: ModelArgument | undefined,
  options: DownloadOptions = {},
): Promise<Downloaded | undefined> {
  const { models, notices } = services;
  const wanted =
    argument === undefined ? await pickWanted(services) : await findWanted(services, referenceIn(argument));
  if (wanted === undefined) return undefined;
  try {
    return await downloadWanted(services, wanted, options);
  } catch (error) {
    if (!isSteerscopeError(error, "DownloadFailed")) throw error;
    const again =
      "catalogue" in wanted ? wanted.catalogue.id : `${wanted.hub.repository}@${wanted.hub.revision}`;
    void notices.showError(error, [
      {
        title: vscode.l10n.t("Try Again"),
        run: () => vscode.commands.executeCommand(commandIds.downloadModel, again),
      },
      ...((await models.downloads.hasToken())
        ? []
        : [
            {
              title: vscode.l10n.t("Set Token"),
              run: () => vscode.commands.executeCommand(commandIds.setHubToken),
            },
          ]),
    ]);
    return undefined;
  }
}

async function pickWanted(services: Services): Promise<Wanted | undefined> {
  const { models } = services;
  const absent = (await models.all()).filter(
    (entry) => models.stateOf(entry).kind === "absent" || isFailed(services, entry),
  );
  const other = { label: vscode.l10n.t("$(globe) Another repository of the hub…"), alwaysShow: true };
  const items: (vscode.QuickPickItem & { entry?: ModelEntry })[] = [
    ...absent.map((entry) => ({
      label: entry.name,
      description: `~${size(entry.bytes)} · ${entry.licence ?? ""}`,
      detail: entry.note ?? "",
      entry,
    })),
    other,
  ];
  const picked = await vscode.window.showQuickPick(items, {
    title: vscode.l10n.t("Download a model"),
    matchOnDetail: true,
  });
  if (picked === undefined) return undefined;
  if (picked.entry !== undefined) return findWanted(services, picked.entry.reference);
  const text = await vscode.window.showInputBox({
    title: vscode.l10n.t("Download a model"),
    prompt: vscode.l10n.t("Repository of the model: owner/name, or owner/name@revision"),
    placeHolder: "HuggingFaceTB/SmolLM2-135M-Instruct",
    validateInput: (value) =>
      parseHubReference(value) === undefined
        ? vscode.l10n.t("Write owner/name or owner/name@revision.")
        : undefined,
  });
  return text === undefined ? undefined : findWanted(services, text);
}

function isFailed({ models }: Services, entry: ModelEntry): boolean {
  const state = models.stateOf(entry);
  return state.kind === "failed" && !state.isPresent;
}

/** Throws InvalidRequest for what names no model of a hub. */
async function findWanted({ models }: Services, reference: string): Promise<Wanted> {
  const hub = parseHubReference(reference);
  const catalogue = (await models.catalogue()).find(
    (model) =>
      model.hub !== null &&
      (model.id === reference ||
        (model.hub.repository === hub?.repository && model.hub.revision === hub.revision)),
  );
  if (catalogue !== undefined) return { catalogue };
  if (hub !== undefined) return { hub };
  // A download from outside of the catalogue that was stopped is named by its folder.
  const entry = await models.get(reference);
  if (entry?.origin === "catalogue" && entry.repository !== null) {
    return { hub: { repository: entry.repository, revision: entry.commit ?? "main" } };
  }
  throw new SteerscopeError("InvalidRequest", vscode.l10n.t("{0} cannot be downloaded.", reference), {
    remedy: vscode.l10n.t("Name a model of the catalogue, or a repository as owner/name."),
  });
}

async function downloadWanted(
  services: Services,
  named: Wanted,
  options: DownloadOptions,
): Promise<Downloaded | undefined> {
  const { models, notices } = services;
  const reference = hubReferenceOf(named);
  // An id of the catalogue stands for the files that it names.
  const wanted = options.weights === undefined ? named : { hub: reference };
  const model = await askHub(services, reference);
  const plan = await choosePlan(wanted, model, options);
  if (plan === undefined) return undefined;
  const entry = entryOf(services, wanted, plan);
  if (options.confirmed !== true) {
    const catalogueLicence = "catalogue" in wanted ? wanted.catalogue.licence : null;
    if (!(await confirm(services, entry, plan, catalogueLicence))) return undefined;
  }
  try {
    await models.downloads.start(entry, plan);
  } finally {
    // Also of what was stopped, something is there now.
    await models.refresh();
  }
  void notices.showInformation(vscode.l10n.t("{0} was downloaded.", entry.name), [
    {
      title: vscode.l10n.t("Use This Model"),
      run: () => vscode.commands.executeCommand(commandIds.selectModel, entry.reference),
    },
  ]);
  return { reference: entry.reference, folder: entry.folder };
}

function hubReferenceOf(wanted: Wanted): HubReference {
  if ("hub" in wanted) return wanted.hub;
  // A model without a repository ships; findWanted gives none of those.
  const { repository, revision } = wanted.catalogue.hub!;
  return { repository, revision };
}

async function askHub({ models }: Services, reference: HubReference): Promise<HubModel> {
  const title = vscode.l10n.t("Asking the model hub about {0}", reference.repository);
  const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
  return vscode.window.withProgress(options, async (_, token) => {
    const controller = new AbortController();
    token.onCancellationRequested(() => {
      controller.abort();
    });
    return models.downloads.describe(reference, controller.signal);
  });
}

async function choosePlan(
  wanted: Wanted,
  model: HubModel,
  { weights, confirmed }: DownloadOptions,
): Promise<DownloadPlan | undefined> {
  if ("catalogue" in wanted) return planCatalogue(model, wanted.catalogue.files);
  const offered = offeredWeights(model);
  if (weights !== undefined)
    return planWeights(
      model,
      offered.find(({ path }) => path === weights),
    );
  if (offered.length <= 1 || confirmed === true) return planWeights(model, offered[0]);
  const items = offered.map((choice) => ({
    label: choice.path,
    description: size(choice.files.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0)),
    choice,
  }));
  const picked = await vscode.window.showQuickPick(items, {
    title: vscode.l10n.t("{0} offers several weights", model.repository),
    placeHolder: vscode.l10n.t(
      "Full precision is exact; fp16 and q4 are smaller; q8 is not for computing vectors",
    ),
  });
  return picked === undefined ? undefined : planWeights(model, picked.choice);
}

/** As the Models view shows it from now on. */
function entryOf({ models }: Services, wanted: Wanted, { model, bytes }: DownloadPlan): ModelEntry {
  const folder = join(models.downloadFolder, ...model.repository.split("/"));
  const known = "catalogue" in wanted ? wanted.catalogue : undefined;
  return {
    reference: known?.id ?? folder,
    name: known?.name ?? model.repository,
    origin: "catalogue",
    folder,
    bytes,
    isApproximate: false,
    precision: null,
    selfTest: null,
    config: null,
    problem: null,
    licence: model.licence ?? known?.licence ?? null,
    note: known?.note ?? null,
    repository: model.repository,
    commit: model.commit,
    isGated: model.isGated,
    kept: null,
  };
}

/** Size and licence, before anything is fetched. */
async function confirm(
  { models }: Services,
  entry: ModelEntry,
  { model, files, bytes }: DownloadPlan,
  catalogueLicence: string | null,
): Promise<boolean> {
  const go = vscode.l10n.t("Download");
  const show = vscode.l10n.t("Show Licence");
  const setToken = vscode.l10n.t("Set Token");
  for (;;) {
    const needsToken = model.isGated && !(await models.downloads.hasToken());
    const detail = [
      vscode.l10n.t("Size: {0}", size(bytes)),
      vscode.l10n.t("Licence: {0}", licenceText(model.licence, catalogueLicence)),
      vscode.l10n.t("From: {0}", model.page),
      ...(model.isGated ? [vscode.l10n.t("Its licence must be accepted on that page first.")] : []),
      ...(files.some(({ path }) => path === "tokenizer.json")
        ? []
        : [vscode.l10n.t("It has no tokenizer.json: it cannot read text.")]),
      ...(needsToken ? [vscode.l10n.t("It also needs an access token of your account.")] : []),
    ].join("\n");
    const chosen = await vscode.window.showInformationMessage(
      vscode.l10n.t("Download {0}?", entry.name),
      { modal: true, detail },
      go,
      show,
      ...(needsToken ? [setToken] : []),
    );
    if (chosen === show) await vscode.env.openExternal(vscode.Uri.parse(model.page));
    else if (chosen === setToken) await vscode.commands.executeCommand(commandIds.setHubToken);
    else return chosen === go;
  }
}

/** Resolves with the folder that is gone. Throws InvalidRequest for a model that was not downloaded from here. */
async function deleteModel(
  services: Services,
  argument: ModelArgument | undefined,
  confirmed: boolean,
): Promise<string | undefined> {
  const { models, engine } = services;
  const entry =
    argument === undefined
      ? await pickModel(
          models,
          vscode.l10n.t("Delete a downloaded model"),
          ({ origin }) => origin === "downloaded",
        )
      : await requireModel(models, argument);
  if (entry === undefined) return undefined;
  const inside = relative(models.downloadFolder, entry.folder).split(sep);
  if (entry.origin !== "downloaded" || inside.length !== 2 || inside.includes("..")) {
    throw new SteerscopeError(
      "InvalidRequest",
      vscode.l10n.t("{0} was not downloaded by Steerscope.", entry.name),
      {
        remedy: vscode.l10n.t("Delete its folder yourself: {0}", entry.folder),
      },
    );
  }
  const remove = vscode.l10n.t("Delete");
  const question = vscode.l10n.t("Delete {0} and free {1}?", entry.name, size(entry.bytes));
  const detail = vscode.l10n.t("{0}\nIt can be downloaded again.", entry.folder);
  const isSure =
    confirmed ||
    (await vscode.window.showWarningMessage(question, { modal: true, detail }, remove)) === remove;
  if (!isSure) return undefined;
  // Windows does not delete files that are in use.
  if (models.stateOf(entry).kind === "loaded") await engine.unload();
  await rm(entry.folder, { recursive: true, force: true });
  await discardPartialDownload(entry.folder);
  if (models.selected() === entry.reference) await models.select(undefined);
  await models.refresh();
  return entry.folder;
}

async function setToken({ models, notices }: Services, argument?: string): Promise<boolean> {
  const token =
    argument ??
    (await vscode.window.showInputBox({
      title: vscode.l10n.t("Hugging Face access token"),
      prompt: vscode.l10n.t(
        "Made at huggingface.co/settings/tokens; reading is enough. VS Code keeps it as a secret.",
      ),
      password: true,
      ignoreFocusOut: true,
      validateInput: (value) =>
        isToken(value) ? undefined : vscode.l10n.t("A token is one word without spaces."),
    }));
  if (token === undefined) return false;
  if (!isToken(token))
    throw new SteerscopeError("InvalidRequest", vscode.l10n.t("This is not an access token."));
  await models.downloads.setToken(token.trim());
  void notices.showInformation(vscode.l10n.t("The Hugging Face token was saved."));
  return true;
}

/** Anything else could not be sent in a header. */
function isToken(text: string): boolean {
  return /^[\u0021-\u007e]{1,500}$/.test(text.trim());
}
