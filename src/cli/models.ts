import { join } from "node:path";
import { readCatalogueFile } from "../client/catalogueFile.ts";
import { describeRepository, parseHubReference, type HubReference } from "../client/hubApi.ts";
import {
  downloadModel,
  offeredWeights,
  planCatalogue,
  planWeights,
  type DownloadPlan,
} from "../client/hubDownload.ts";
import { hubEndpoint, type HubOptions } from "../client/hubHttp.ts";
import type { CatalogueModel } from "../formats/modelCatalogue.ts";
import { SteerscopeError } from "../shared/errors.ts";
import { usageError } from "./arguments.ts";
import type { Command, CommandResult, Run } from "./command.ts";
import { requestThroughProxy } from "./proxiedRequest.ts";
import { printable, size, table } from "./text.ts";

export const modelsCommand: Command = {
  name: "models",
  usage: "[options] | download <id|owner/name[@revision]> [options]",
  summary: "List the models that can be named, and which of them are on this machine; download one.",
  options: {
    endpoint: {
      type: "string",
      value: "address",
      help: "Model hub or a mirror of it. Default: $HF_ENDPOINT, else https://huggingface.co.",
    },
    weights: {
      type: "string",
      value: "file",
      help: "Weights to take where a repository offers several, e.g. onnx/model_fp16.onnx.",
    },
  },
  notes: [
    "A folder with a model can be named in the place of an id everywhere.",
    "A download that was stopped goes on where it has stopped. Models that ask for an access token get the one in $HF_TOKEN; accept their licence on the hub first.",
    "Downloads go through the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name, in either case.",
  ],
  prepare(values) {
    const [verb, name, ...more] = values.positionals;
    const endpoint = values.text("endpoint");
    const weights = values.text("weights");
    if (verb === undefined) {
      if (endpoint !== undefined || weights !== undefined) {
        throw usageError("--endpoint and --weights belong to models download.");
      }
      return list;
    }
    if (verb !== "download") throw usageError(`models takes options or "download", not "${verb}".`);
    if (name === undefined || more.length > 0) {
      throw usageError("models download takes one model.", "Write an id of the list, or owner/name.");
    }
    return (run) => download(run, name, endpoint ?? "", weights);
  },
};

async function list(run: Run): Promise<CommandResult> {
  const models = await run.engine.listModels(undefined, run.call);
  const columns = [
    { title: "id", align: "left" },
    { title: "state", align: "left" },
    { title: "size", align: "right" },
    { title: "licence", align: "left" },
    { title: "note", align: "left" },
  ] as const;
  const rows = models.map(({ id, origin, present, bytes, approximate, licence, note }) => [
    id,
    origin === "embedded" ? (present ? "embedded" : "missing") : present ? "downloaded" : "on the hub",
    `${approximate ? "~" : ""}${size(bytes)}`,
    licence,
    note,
  ]);
  return { text: printable(table(columns, rows)), json: { command: "models", models } };
}

async function download(
  run: Run,
  name: string,
  endpoint: string,
  weights: string | undefined,
): Promise<CommandResult> {
  const { environment, signal, stderr, embeddedModels } = run.context;
  const known = (await readCatalogueFile(embeddedModels)).find(({ id }) => id === name);
  const reference = known === undefined ? parseHubReference(name) : (known.hub ?? undefined);
  if (reference === undefined) throw nothingToDownload(name, known);
  const token = environment["HF_TOKEN"]?.trim();
  const hub: HubOptions = {
    endpoint: hubEndpoint(endpoint, environment),
    token: token === "" ? undefined : token,
    startRequest: requestThroughProxy,
  };
  const plan = await choosePlan(reference, known, weights, hub, signal);
  const { repository, commit, licence, page } = plan.model;
  const licenceText = known?.licence ?? licence ?? "none named";
  if (!run.isJson)
    stderr.write(printable(`${repository}: ${size(plan.bytes)}, licence ${licenceText} (${page})\n`));
  const folder = join(run.cacheFolder, "models", ...repository.split("/"));
  await downloadModel({
    plan,
    folder,
    hub,
    signal,
    onProgress: ({ done, total }) => {
      const megabytes = (bytes: number): number => Math.floor(bytes / 1e6);
      run.call.onProgress?.({
        kind: "step",
        stage: "Downloading",
        done: megabytes(done),
        total: megabytes(total),
        unit: "MB",
      });
    },
  });
  // The id stands for the files that the catalogue names.
  const model = known !== undefined && weights === undefined ? known.id : folder;
  return {
    text: printable(`Downloaded. Use it with --model ${/\s/.test(model) ? JSON.stringify(model) : model}\n`),
    json: {
      command: "models download",
      model,
      folder,
      repository,
      commit,
      licence: known?.licence ?? licence,
    },
  };
}

async function choosePlan(
  reference: HubReference,
  known: CatalogueModel | undefined,
  weights: string | undefined,
  hub: HubOptions,
  signal: AbortSignal,
): Promise<DownloadPlan> {
  const model = await describeRepository(reference, hub, signal);
  if (known !== undefined && weights === undefined) return planCatalogue(model, known.files);
  const offered = offeredWeights(model);
  if (weights === undefined) return planWeights(model, offered[0]);
  const chosen = offered.find(({ path }) => path === weights);
  if (chosen !== undefined) return planWeights(model, chosen);
  throw new SteerscopeError("InvalidRequest", `${model.repository} does not offer the weights ${weights}.`, {
    remedy: `It offers: ${offered.map(({ path }) => path).join(", ")}.`,
  });
}

function nothingToDownload(name: string, known: CatalogueModel | undefined): SteerscopeError {
  if (known !== undefined) {
    return new SteerscopeError(
      "InvalidRequest",
      `${known.name} comes with the program; there is nothing to download.`,
    );
  }
  return new SteerscopeError("ModelNotFound", `There is no model "${name}" to download.`, {
    remedy: 'Name an id that "steerscope models" lists, or a repository as owner/name.',
  });
}
