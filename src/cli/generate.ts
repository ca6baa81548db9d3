import { greedySampling, type Completion, type Progress, type Sampling } from "../shared/engineContract.ts";
import { defaultScope, formatScope } from "../shared/scope.ts";
import { templates } from "../shared/tokenInput.ts";
import type { Arguments } from "./arguments.ts";
import { usageError } from "./arguments.ts";
import { defaultModel, modelOption, type Command, type Run } from "./command.ts";
import { formatEffect, readPrompts, scoreCompletions } from "./completionScores.ts";
import { usesColours } from "./context.ts";
import { bold, dim, figure, printable } from "./text.ts";
import {
  readVectorRequest,
  useVector,
  vectorOptions,
  vectorTemplateOption,
  warnIfNothingSteered,
} from "./vectorInput.ts";

export const generateCommand: Command = {
  name: "generate",
  usage: "--prompt <text> [--vector <file> --layer <layers> --strength <x>] [options]",
  summary: "Write text with and without a steering vector, side by side in one batch.",
  options: {
    prompt: {
      type: "string",
      value: "text",
      help: "Where the text begins; with --template chat, the user's turn. Required.",
    },
    ...vectorOptions,
    ...modelOption,
    ...vectorTemplateOption,
    "max-tokens": { type: "string", value: "n", help: `Default: ${greedySampling.maxTokens}.` },
    temperature: { type: "string", value: "x", help: "0 takes the likeliest token. Default: 0." },
    "top-k": { type: "string", value: "n", help: "Only the k likeliest tokens. Default: 0, off." },
    "top-p": {
      type: "string",
      value: "x",
      help: "Only the likeliest tokens that make up p. Default: 1, off.",
    },
    "min-p": {
      type: "string",
      value: "x",
      help: "Only tokens at least min-p as likely as the likeliest. Default: 0, off.",
    },
    "repetition-penalty": { type: "string", value: "x", help: "Default: 1, off." },
    seed: { type: "string", value: "n", help: "Default: 0." },
    score: {
      type: "string",
      value: "file",
      help: "Also continue every line of this file and say how far the text moves, beside random vectors.",
    },
    stop: { type: "string", multiple: true, value: "text", help: "Ends a text where it would appear." },
  },
  notes: [
    "Each --strength is a variant; all of them and the unsteered text are written in one batch.",
    `The scope is ${formatScope(defaultScope)} unless said otherwise: the last token of the prompt and what follows.`,
    'Example: steerscope generate --vector happy.safetensors --layer 3 --strength -2 --strength 2 --prompt "One day, Lily"',
  ],
  prepare(values) {
    if (values.positionals.length > 0) {
      throw usageError("generate takes options only.", "Put the prompt in quotes after --prompt.");
    }
    const prompt = values.required("prompt", "the text to begin with");
    const request = readVectorRequest(values, defaultScope);
    const template = values.oneOf("template", templates);
    const model = values.path("model") ?? defaultModel;
    const sampling = readSampling(values);
    const promptFile = values.path("score");
    if (promptFile !== undefined && request === null) throw usageError("--score needs a --vector.");

    return async (run) => {
      const prompts = promptFile === undefined ? [] : await readPrompts(promptFile);
      const description = await run.loadForText(model);
      const vector = request === null ? null : await useVector(request, description, run);
      const variants = [null, ...(vector?.steerings ?? [])];
      const labels = ["unsteered", ...(request?.strengths ?? []).map((strength) => `strength ${strength}`)];
      const form = template ?? vector?.file.provenance?.template ?? "none";
      const writer = new VariantWriter(run, prompt, labels);
      const result = await run.engine
        .generate(
          {
            input: { text: prompt },
            template: form,
            variants,
            sampling,
          },
          {
            ...run.call,
            onProgress: (progress) => {
              writer.progress(progress);
            },
          },
        )
        .catch((error: unknown) => {
          writer.abandon();
          throw error;
        });
      run.endProgress();
      writer.finish(result.completions);
      if (request !== null) {
        const lengths = result.completions.slice(1).map(({ ids }) => ids.length);
        // The last token of a text is not read any more.
        const read = result.promptIds.length + Math.max(...lengths) - 1;
        warnIfNothingSteered(run, request.scope, read, result.promptIds.length);
      }
      const { prefillMilliseconds, decodeMilliseconds, decodeSteps } = result;
      const applied =
        vector === null
          ? null
          : { file: request!.path, layers: vector.layers, scope: formatScope(request!.scope) };
      writer.footer(
        [
          description.name,
          ...(applied === null ? [] : [`layer ${applied.layers.join(", ")}`, `scope ${applied.scope}`]),
          ...(decodeSteps > 0 ? [`${figure((1000 * decodeSteps) / decodeMilliseconds)} steps/s`] : []),
        ].join(", "),
      );
      const effect =
        vector === null || request === null || prompts.length === 0
          ? null
          : await scoreCompletions(run, description, vector, request, prompts, { template: form, sampling });
      if (effect !== null) writer.paragraph(formatEffect(effect));
      return {
        text: null,
        json: {
          command: "generate",
          model: { id: description.model, hash: description.modelHash },
          prompt,
          vector: applied,
          sampling,
          promptIds: Array.from(result.promptIds),
          completions: result.completions.map((completion, index) => ({
            strength: index === 0 ? null : request!.strengths[index - 1],
            text: completion.text,
            finish: completion.finish,
            ids: Array.from(completion.ids),
            logProbabilities: Array.from(completion.logProbabilities),
          })),
          milliseconds: { prefill: prefillMilliseconds, decode: decodeMilliseconds },
          decodeSteps,
          effect,
        },
      };
    };
  },
};

function readSampling(values: Arguments): Sampling {
  const { maxTokens, temperature, topK, topP, minP, repetitionPenalty, seed } = greedySampling;
  return {
    maxTokens: values.integer("max-tokens", 1, 1_000_000) ?? maxTokens,
    temperature: values.number("temperature", 0, 100) ?? temperature,
    topK: values.integer("top-k", 0, 10_000_000) ?? topK,
    topP: values.number("top-p", 0, 1) ?? topP,
    minP: values.number("min-p", 0, 1) ?? minP,
    repetitionPenalty: values.number("repetition-penalty", 0.01, 100) ?? repetitionPenalty,
    seed: values.integer("seed", 0, 2 ** 32 - 1) ?? seed,
    stop: stopTexts(values.texts("stop")),
  };
}

function stopTexts(texts: readonly string[]): readonly string[] {
  if (texts.includes("")) throw usageError("--stop is empty.");
  return texts;
}

/**
 * Prints variants one below the other. On a terminal the first is written as it comes; the others, which advance in the
 * same batch, follow when all are done. Elsewhere everything is printed at the end.
 */
class VariantWriter {
  readonly #run: Run;
  readonly #prompt: string;
  readonly #labels: readonly string[];
  readonly #isColoured: boolean;
  readonly #streams: boolean;
  /** What has come of the first variant's text. */
  #text = "";
  /** Characters of the current variant's text that are on the screen; -1: not even its head. */
  #shown = -1;

  constructor(run: Run, prompt: string, labels: readonly string[]) {
    const { stdout } = run.context;
    this.#run = run;
    this.#prompt = prompt;
    this.#labels = labels;
    this.#isColoured = usesColours(stdout, run.context);
    this.#streams = stdout.isTerminal && !run.isJson;
  }

  progress(progress: Progress): void {
    if (progress.kind === "step") {
      // Text and progress share a terminal; once there is text, it shows the progress.
      if (this.#shown < 0) this.#run.call.onProgress?.(progress);
      return;
    }
    if (progress.variant !== 0 || !this.#streams) return;
    this.#run.endProgress();
    this.#text += progress.text;
    this.#head(0);
    this.#rest(this.#text);
  }

  /** Ends the line of a text that will not be finished. */
  abandon(): void {
    if (this.#shown >= 0) this.#write("\n");
  }

  finish(completions: readonly Completion[]): void {
    if (this.#run.isJson) return;
    completions.forEach(({ text, finish }, index) => {
      this.#head(index);
      this.#rest(text);
      this.#shown = -1;
      const why = finish === "context-full" ? ` ${dim("[context full]", this.#isColoured)}` : "";
      this.#write(`${why}\n\n`);
    });
  }

  footer(text: string): void {
    if (!this.#run.isJson) this.#write(`${dim(text, this.#isColoured)}\n`);
  }

  /** A paragraph below everything. */
  paragraph(text: string): void {
    if (!this.#run.isJson) this.#write(`\n${text}\n`);
  }

  #head(index: number): void {
    if (this.#shown >= 0) return;
    this.#shown = 0;
    this.#write(`${bold(this.#labels[index]!, this.#isColoured)}\n`);
    this.#write(dim(printable(this.#prompt), this.#isColoured));
  }

  #rest(text: string): void {
    this.#write(printable(text.slice(this.#shown)));
    this.#shown = text.length;
  }

  #write(text: string): void {
    this.#run.context.stdout.write(text);
  }
}
