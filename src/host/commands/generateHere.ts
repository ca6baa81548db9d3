/** "Generate Here": the model goes on where the cursor is, steered by the vectors that are switched on. */
import * as vscode from "vscode";
import { greedySampling, type ModelDescription, type Sampling } from "../../shared/engineContract.ts";
import { SteerscopeError, isSteerscopeError } from "../../shared/errors.ts";
import type { TokenInput } from "../../shared/tokenInput.ts";
import { formatApplied } from "../appliedRecipe.ts";
import { StreamedInsertion } from "../editor/streamedInsertion.ts";
import { requireWritable } from "../editor/writableText.ts";
import type { Job } from "../engineHost.ts";
import { contextKeys } from "../ids.ts";
import { requireTrust } from "../notices.ts";
import { registerCommand } from "../registerCommand.ts";
import type { Services } from "../services.ts";
import { settings } from "../settings.ts";
import { steeringOf } from "../steering.ts";

/** A token of ordinary text is rarely longer; what is cut beyond it would not fit into the context anyway. */
const charactersAToken = 12;

/** All optional: default is the cursor or the selection of the active editor, and the settings. */
export interface GenerateArguments {
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly seed?: number;
}

/** What the command gives to callers. */
export interface GeneratedText {
  readonly text: string;
  readonly ids: readonly number[];
  /** Recipe line of what steered it; empty: nothing. */
  readonly recipe: string;
  readonly model: string;
  readonly seed: number;
  /** Stopped by the person, or by an edit of the text. */
  readonly isStopped: boolean;
}

export function registerGenerateHere(services: Services): vscode.Disposable {
  return registerCommand(services, "generateHere", (given?: GenerateArguments | vscode.Uri) =>
    generateHere(services, given === undefined || given instanceof vscode.Uri ? {} : given),
  );
}

async function generateHere(services: Services, given: GenerateArguments): Promise<GeneratedText> {
  requireTrust();
  const { engine, models, vectors } = services;
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) {
    throw new SteerscopeError("InvalidRequest", vscode.l10n.t("No text is open."), {
      remedy: vscode.l10n.t("Open a file and put the cursor where the model shall go on."),
    });
  }
  await requireWritable(editor);
  await vectors.ready;
  const { document, selection } = editor;
  const applied = vectors.applied();
  const scope = vectors.scope();
  const recipe = applied.length === 0 ? "" : formatApplied(applied, scope);
  const sampling = samplingOf(given, document.uri);
  const prompt = promptBefore(document, selection);
  const ids: number[] = [];
  let text = "";
  /** Empty until a model is loaded. */
  let modelName = "";
  let isStopped = false;
  const stop = new AbortController();
  const insertion = new StreamedInsertion(editor, selection.end, () => {
    stop.abort();
  });
  await setGenerating(true);
  try {
    const title =
      recipe === ""
        ? vscode.l10n.t("Generating unsteered: no vector is switched on")
        : vscode.l10n.t("Generating with {0}", recipe);
    await engine.run({ title }, async (job) => {
      const model = await models.load(job);
      modelName = model.model;
      const steering = steeringOf(applied, scope, model);
      const input = await tokenizedPrompt(job, model, prompt, sampling.maxTokens);
      const signal = AbortSignal.any([job.signal, stop.signal]);
      const { completions } = await job.engine.generate(
        { input, template: "none", variants: [steering], sampling },
        {
          signal,
          onProgress: (event) => {
            // Tokens that were on their way when somebody stopped are not wanted any more.
            if (event.kind !== "token" || signal.aborted) return;
            ids.push(event.id);
            text += event.text;
            insertion.push(event.text);
            job.report(vscode.l10n.t("{0} of {1} tokens", ids.length, sampling.maxTokens));
          },
        },
      );
      // What the decoder held back to the end: half a character, or the beginning of a stop text.
      const [completion] = completions;
      if (completion?.text.startsWith(text) === true) {
        insertion.push(completion.text.slice(text.length));
        text = completion.text;
      }
    });
  } catch (error) {
    // What was written stays: it is what the person saw when they stopped.
    if (!isSteerscopeError(error, "Cancelled") || modelName === "") throw error;
    isStopped = true;
  } finally {
    try {
      await insertion.finish();
    } finally {
      insertion.dispose();
      await setGenerating(false);
    }
  }
  return {
    text,
    ids,
    recipe,
    model: modelName,
    seed: sampling.seed,
    isStopped,
  };
}

function samplingOf(given: GenerateArguments, uri: vscode.Uri): Sampling {
  const temperature = given.temperature ?? settings.temperature(uri);
  return {
    ...greedySampling,
    maxTokens: given.maxTokens ?? settings.maxTokens(uri),
    temperature,
    seed: given.seed ?? (temperature === 0 ? greedySampling.seed : Math.floor(Math.random() * 2 ** 32)),
  };
}

/** The selection, else all that precedes the cursor; with line feeds, whatever the document has. */
function promptBefore(document: vscode.TextDocument, selection: vscode.Selection): string {
  const range = selection.isEmpty
    ? new vscode.Range(new vscode.Position(0, 0), selection.active)
    : new vscode.Range(selection.start, selection.end);
  return document.getText(range).replaceAll("\r\n", "\n");
}

/** The end of the prompt that leaves room for what is generated, after the special tokens that begin every text. */
async function tokenizedPrompt(
  job: Job,
  model: ModelDescription,
  prompt: string,
  maxTokens: number,
): Promise<TokenInput> {
  // At least half of the context is for the prompt: text that goes on from nothing is not what was asked for.
  const room = Math.max(Math.floor(model.contextLength / 2), model.contextLength - maxTokens);
  const cut = prompt.slice(-room * charactersAToken);
  const [tokenized] = await job.engine.tokenize({ inputs: [{ text: cut }], template: "none" }, job.call);
  const { ids, offsets } = tokenized!;
  let special = 0;
  while (special < ids.length && offsets[2 * special + 1] === 0) special++;
  if (ids.length === 0) {
    throw new SteerscopeError("InvalidRequest", vscode.l10n.t("There is no text before the cursor."), {
      remedy: vscode.l10n.t("Write the beginning, or select it."),
    });
  }
  const kept = ids.subarray(Math.max(special, ids.length - (room - special)));
  return { ids: Int32Array.from([...ids.subarray(0, special), ...kept]), textStart: special };
}

async function setGenerating(isGenerating: boolean): Promise<void> {
  await vscode.commands.executeCommand("setContext", contextKeys.generating, isGenerating);
}
