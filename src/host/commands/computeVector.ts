/** Compute Steering Vector: from an example set to a vector file, with progress, stop, and what to do next. */
import * as vscode from "vscode";
import { computeRequest, computedVectorFile, type ComputeSettings } from "../../formats/computedVector.ts";
import { exampleSetHash, type ExampleSet } from "../../formats/exampleSet.ts";
import { doubtTexts, exampleSetDoubts } from "../../formats/exampleSetDoubts.ts";
import { lineProblemText } from "../../formats/lineProblem.ts";
import type { ComputeVectorRequest, ModelDescription, Progress } from "../../shared/engineContract.ts";
import { SteerscopeError, isSteerscopeError } from "../../shared/errors.ts";
import { isRepeat, readChoices, spellChoices, type SpelledChoices } from "../computeChoices.ts";
import { askComputePlan, type ComputePlan } from "../computeFlow.ts";
import {
  knownChatTemplate,
  rememberChatTemplate,
  rememberChoices,
  rememberedChoices,
  watchRenamedSets,
} from "../computeMemory.ts";
import type { ExampleSetFile } from "../exampleSets.ts";
import { commandIds } from "../ids.ts";
import { requireTrust } from "../notices.ts";
import { pairProgress } from "../pairProgress.ts";
import { program } from "../program.ts";
import { registerCommand } from "../registerCommand.ts";
import { notedAsRunning } from "../runningComputes.ts";
import type { Services } from "../services.ts";
import { workspacePath } from "../steeringFolder.ts";
import { freeVectorName, vectorNameNotice } from "../vectorNames.ts";
import type { VectorEntry } from "../vectors.ts";

/**
 * What `steering.computeVector` takes. With any of model, method, position, template or name nothing is asked: what is
 * left out is as last time for the set. The set alone, also as its address or an item of the Examples view, opens the
 * list of questions; without it they are about the set that the active editor shows, else about the active set.
 */
export interface ComputeArguments extends SpelledChoices {
  /** Address, address as text, or name. Default: the active set. */
  readonly set?: vscode.Uri | string;
  readonly name?: string;
}

export interface ComputeOutcome {
  /** Of the vector file. */
  readonly uri: string;
  readonly layers: number;
  readonly hidden: number;
  readonly suggestedLayer: number;
  /** Tokens that the model computed; 0: all were in the cache. */
  readonly tokensComputed: number;
}

/** Nothing that the editor offers changes these. */
const fixed = { unit: false, seed: 0 } as const;

export function registerComputeVector(services: Services): vscode.Disposable {
  const command = registerCommand(services, "computeVector", async (argument?: unknown) => {
    requireTrust();
    const { sets, vectors } = services;
    await Promise.all([sets.ready, vectors.ready]);
    // Keystrokes of the last moment count.
    await sets.refresh();
    const plan = await planOf(services, argument);
    return plan === undefined ? undefined : compute(services, plan, isSilent(argument));
  });
  return vscode.Disposable.from(command, watchRenamedSets(services));
}

/** Reads the arguments, or asks. undefined: the person gave up. */
async function planOf(services: Services, argument: unknown): Promise<ComputePlan | undefined> {
  const { sets, vectors } = services;
  const named = setOf(services, argument);
  const suggestName = ({ name, uri }: ExampleSetFile): string => freeVectorName(vectors, name, uri);
  if (!isSilent(argument)) {
    const shown = vscode.window.activeTextEditor?.document.uri;
    return askComputePlan(services, {
      set: named ?? (shown && sets.get(shown)) ?? sets.active(),
      suggestName,
      nameNotice: ({ uri }) => vectorNameNotice(vectors, uri),
      remembered: (chosen) => rememberedChoices(services, chosen),
      hasChatTemplate: (model) => knownChatTemplate(services, model),
    });
  }
  const set = named ?? sets.active();
  if (set === undefined) throw noSet();
  const choices = readChoices(argument, rememberedChoices(services, set).choices);
  return { set, choices, name: argument.name ?? suggestName(set) };
}

function isSilent(argument: unknown): argument is ComputeArguments {
  if (typeof argument !== "object" || argument === null || argument instanceof vscode.Uri) return false;
  return ["model", "method", "position", "template", "name"].some((key) => Object.hasOwn(argument, key));
}

/** undefined: no set was named. Throws InvalidRequest for one that does not exist. */
function setOf({ sets }: Services, argument: unknown): ExampleSetFile | undefined {
  // An editor's menu gives the address of its file, which may be a set.
  if (argument instanceof vscode.Uri) return sets.get(argument);
  if (typeof argument !== "object" || argument === null) return undefined;
  const { set, uri } = argument as { readonly set?: unknown; readonly uri?: unknown };
  const named = set ?? uri;
  if (named === undefined) return undefined;
  const found = sets
    .all()
    .find((each) => each.name === named || each.uri.toString() === (named as vscode.Uri | string).toString());
  if (found === undefined) throw noSet();
  return found;
}

function noSet(): SteerscopeError {
  return new SteerscopeError("InvalidRequest", vscode.l10n.t("There is no such example set."), {
    remedy: vscode.l10n.t("Select text in an editor and add it as a positive or a negative example."),
  });
}

async function compute(
  services: Services,
  plan: ComputePlan,
  isQuiet: boolean,
): Promise<ComputeOutcome | undefined> {
  const { set: file, choices } = plan;
  const { set } = file;
  if (set === null) throw file.problem ?? noSet();
  const asked: ComputeSettings = { ...choices, ...fixed };
  const request = soundRequest(services, file, set, asked);
  if (request === undefined) return undefined;
  if (!isQuiet) {
    const model = await loadedModel(services, choices.model);
    const before = await findRepeat(services, set, model, asked);
    if (before !== undefined && !(await wantsAgain(services, before))) {
      await rememberChoices(services, file, choices);
      return undefined;
    }
  }
  const { name } = plan;
  const again = { set: file.uri.toString(), name, ...spellChoices(choices) };
  try {
    const outcome = await notedAsRunning(services, again, () => run(services, plan, set, request));
    await rememberChoices(services, file, choices);
    return outcome;
  } catch (error) {
    if (!isSteerscopeError(error, "ExampleSetInvalid")) throw error;
    showSetError(services, file, error);
    return undefined;
  }
}

/** What is wrong with the examples, and the way to them. */
function showSetError({ notices }: Services, { uri }: ExampleSetFile, error: SteerscopeError): void {
  const open = (): unknown => vscode.commands.executeCommand(commandIds.openSet, uri);
  void notices.showError(error, [{ title: vscode.l10n.t("Open Example Set"), run: open }]);
}

/** The request, or undefined after the bad line was shown. */
function soundRequest(
  services: Services,
  file: ExampleSetFile,
  set: ExampleSet,
  asked: ComputeSettings,
): ComputeVectorRequest | undefined {
  try {
    return computeRequest(set, asked);
  } catch (error) {
    const bad = set.problems.find(({ severity }) => severity === "error");
    if (!isSteerscopeError(error)) throw error;
    if (bad === undefined) {
      showSetError(services, file, error);
      return undefined;
    }
    const open = async (): Promise<void> => {
      const line = new vscode.Position(bad.line - 1, 0);
      await vscode.window.showTextDocument(file.uri, { selection: new vscode.Range(line, line) });
    };
    const place = vscode.l10n.t("{0}, line {1}: {2}", set.name, bad.line, lineProblemText(bad, vscode.l10n));
    const sentence = new SteerscopeError("ExampleSetInvalid", place, {
      remedy: vscode.l10n.t(
        "Correct or remove the line; pairs are formed in order, so that a skipped line would move them.",
      ),
      ...(error.detail === undefined ? {} : { detail: error.detail }),
    });
    void services.notices.showError(sentence, [
      { title: vscode.l10n.t("Open Line {0}", bad.line), run: open },
    ]);
    return undefined;
  }
}

/** The description of the model, loaded where it is not. */
async function loadedModel({ engine, models }: Services, reference: string): Promise<ModelDescription> {
  if (engine.model?.model === reference) return engine.model;
  return engine.run({ title: vscode.l10n.t("Loading {0}", models.nameOf(reference)) }, (job) =>
    models.load(job, reference),
  );
}

async function findRepeat(
  { vectors }: Services,
  set: ExampleSet,
  model: ModelDescription,
  asked: ComputeSettings,
): Promise<VectorEntry | undefined> {
  const inputs = { ...asked, modelHash: model.modelHash, setHash: await exampleSetHash(set) };
  return vectors.all().find(({ file }) => file?.provenance && isRepeat(file.provenance, inputs));
}

/** Says that nothing changed since `before`; shows it where that is wanted instead. */
async function wantsAgain({ vectors, notices }: Services, before: VectorEntry): Promise<boolean> {
  const [show, again] = [vscode.l10n.t("Show It"), vscode.l10n.t("Compute Again")];
  const message = vscode.l10n.t(
    "{0} was computed from the same examples, model and settings: nothing has changed since.",
    before.name,
  );
  const answer = await notices.ask(message, [show, again]);
  if (answer === show) {
    vectors.setCurrent(before.uri);
    vectors.show(before.uri);
  }
  return answer === again;
}

async function run(
  services: Services,
  { set: file, choices, name }: ComputePlan,
  set: ExampleSet,
  request: ComputeVectorRequest,
): Promise<ComputeOutcome> {
  const { engine, models, vectors, log } = services;
  const { model, result } = await engine.run(
    {
      title: vscode.l10n.t("Computing {0}", name),
      describe: describeProgress(request),
    },
    async (job) => {
      const description = await models.load(job, choices.model);
      await rememberChatTemplate(services, choices.model, description.hasChatTemplate);
      return { model: description, result: await job.engine.computeVector(request, job.call) };
    },
  );
  for (const warning of model.warnings) log.warn(warning);
  const { bytes } = await computedVectorFile({ set, request, model, result, program });
  const uri = await vectors.write(name, bytes, file.uri);
  vectors.setCurrent(uri);
  vectors.show(uri);
  const { tokens, measures } = result;
  log.info(
    `${workspacePath(uri)}: ${model.layers} vectors of ${model.hidden}; ${tokens.total} tokens, ${tokens.computed} computed.`,
  );
  const doubts = doubtTexts(exampleSetDoubts(set), vscode.l10n);
  for (const doubt of doubts) log.warn(`${set.name}: ${doubt}`);
  saySuccess(services, uri, [measures.suggested.reason, ...doubts], tokens);
  return {
    uri: uri.toString(),
    layers: model.layers,
    hidden: model.hidden,
    suggestedLayer: measures.suggested.layer,
    tokensComputed: tokens.computed,
  };
}

/** `findings`: sentences; with more than one, doubts follow the praise, and it is a warning. */
function saySuccess(
  { notices }: Services,
  uri: vscode.Uri,
  findings: readonly string[],
  { total, computed }: { readonly total: number; readonly computed: number },
): void {
  const tokens =
    computed === 0
      ? vscode.l10n.t("All {0} tokens came from the cache, 0 were computed.", total)
      : vscode.l10n.t("{0} of {1} tokens were computed.", computed, total);
  const message = `${workspacePath(uri)}: ${[...findings, tokens].join(" ")}`;
  const actions = [
    {
      title: vscode.l10n.t("Inspect Selection"),
      run: () => vscode.commands.executeCommand(commandIds.inspectSelection),
    },
    {
      title: vscode.l10n.t("Show Details"),
      run: () => vscode.commands.executeCommand(commandIds.openVector, uri),
    },
  ];
  void (findings.length > 1
    ? notices.showWarning(message, actions)
    : notices.showInformation(message, actions));
}

/** "pair 3 of 12, 4 s left" while activations are read; other stages are told as the engine tells them. */
function describeProgress(request: ComputeVectorRequest): (event: Progress) => string | undefined {
  const pairs = request.pairs.length / 2;
  const count = pairs > 0 ? pairs : request.positive.length + request.negative.length;
  const estimate = pairProgress(count);
  return (event) => {
    if (event.kind !== "step" || event.unit !== "tokens") return undefined;
    const { current, total, secondsLeft } = estimate(event.done, event.total, performance.now());
    const place =
      pairs > 0
        ? vscode.l10n.t("pair {0} of {1}", current, total)
        : vscode.l10n.t("example {0} of {1}", current, total);
    return secondsLeft === null ? place : vscode.l10n.t("{0}, {1} s left", place, secondsLeft);
  };
}
