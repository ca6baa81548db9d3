/** The engine contract on this machine: one model in one onnxruntime session, one job at a time. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import {
  activationsFolder,
  engineContractVersion,
  type CapturedTokens,
  type EngineProcessOptions,
  type EngineRequest,
  type ModelDescription,
  type TokenizedText,
} from "../shared/engineContract.ts";
import { SteerscopeError } from "../shared/errors.ts";
import { resolveReadPosition, type ReadPosition } from "../shared/readPosition.ts";
import { hasPrompt, type ModelInput, type Template } from "../shared/tokenInput.ts";
import { ActivationCache } from "./activationCache.ts";
import type { AsyncEngine, JobContext } from "./asyncEngine.ts";
import { capture, type CaptureResult } from "./capture.ts";
import { computeVector } from "./computeVector.ts";
import { generate } from "./generate.ts";
import { readEveryToken } from "./everyToken.ts";
import { loadModel, type LoadedModel } from "./loadedModel.ts";
import { listModels, type ModelRoots } from "./models/catalogue.ts";
import { logLikelihood, scoreChoices } from "./scores.ts";
import type { ModelSession } from "./session.ts";
import { checkSteering } from "./steeringRows.ts";
import type { TextTokenizer } from "./text/tokenizer.ts";

/** Enough for some 30,000 examples of a 135M model; the oldest go first. */
const defaultActivationCacheLimitBytes = 2 * 1024 ** 3;
/** Bounds what one call can ask for. */
const maximumInputs = 100_000;

/** An engine for one process. Nothing is loaded until the first call that needs it. */
export function createLocalEngine(options: EngineProcessOptions): AsyncEngine {
  const engine = new LocalEngine(options);
  return {
    hello: () =>
      Promise.resolve({ contractVersion: engineContractVersion, engine: "local", processId: process.pid }),
    listModels: async () => Promise.resolve(listModels(engine.roots)),
    load: (request, context) => engine.load(request, context),
    unload: () => engine.unload(),
    describe: () => Promise.resolve(engine.describe()),
    tokenize: async (request) => Promise.resolve(engine.tokenize(request)),
    capture: (request, context) => engine.capture(request, context),
    activations: (request, context) => engine.activations(request, context),
    project: (request, context) => engine.project(request, context),
    computeVector: (request, context) => engine.computeVector(request, context),
    scoreChoices: (request, context) => engine.scoreChoices(request, context),
    logLikelihood: (request, context) => engine.logLikelihood(request, context),
    generate: async (request, context) => engine.generate(request, context),
    clearCaches: () => engine.clearCaches(),
  };
}

class LocalEngine {
  readonly #options: EngineProcessOptions;
  readonly #cacheLimitBytes: number;
  readonly #cache: ActivationCache;
  #loaded: LoadedModel | null = null;

  constructor(options: EngineProcessOptions) {
    this.#options = options;
    this.#cacheLimitBytes = options.activationCacheLimitBytes ?? defaultActivationCacheLimitBytes;
    this.#cache = ActivationCache.open(join(options.cacheFolder, activationsFolder), this.#cacheLimitBytes);
  }

  get roots(): ModelRoots {
    return { embedded: this.#options.embeddedModels, downloads: join(this.#options.cacheFolder, "models") };
  }

  async load({ model }: EngineRequest<"load">, context: JobContext): Promise<ModelDescription> {
    if (this.#loaded?.description.model === model) return this.#loaded.description;
    await this.unload();
    const { cacheFolder } = this.#options;
    // More threads than cores wait for each other: a hundred times slower with a thousand.
    const threads = Math.min(this.#options.threads ?? 0, availableParallelism());
    this.#loaded = await loadModel(model, { roots: this.roots, cacheFolder, threads }, context);
    return this.#loaded.description;
  }

  async unload(): Promise<null> {
    const loaded = this.#loaded;
    this.#loaded = null;
    await loaded?.session.release();
    return null;
  }

  describe(): { model: ModelDescription | null; memory: ReturnType<LocalEngine["memory"]> } {
    return { model: this.#loaded?.description ?? null, memory: this.memory() };
  }

  memory(): {
    residentBytes: number;
    peakResidentBytes: number;
    activationCacheBytes: number;
    activationCacheLimitBytes: number;
  } {
    return {
      residentBytes: process.memoryUsage.rss(),
      // maxRSS is in kibibytes.
      peakResidentBytes: process.resourceUsage().maxRSS * 1024,
      activationCacheBytes: this.#cache.bytes(),
      activationCacheLimitBytes: this.#cacheLimitBytes,
    };
  }

  tokenize({ inputs, template }: EngineRequest<"tokenize">): ReturnType<TextTokenizer["encode"]>[] {
    const { tokenizer } = this.#model();
    return inputs.map((input) => requireTokenizer(tokenizer).encode(input, template));
  }

  async capture(
    request: EngineRequest<"capture">,
    context: JobContext,
  ): Promise<{ activations: Float32Array; tokens: CapturedTokens }> {
    const { session } = this.#model();
    const { rows, tokens } = await this.#captureInputs(
      request.inputs,
      request.template,
      request.position,
      context,
    );
    return { activations: request.withEmbedding ? rows : withoutEmbedding(rows, session), tokens };
  }

  async computeVector(
    request: EngineRequest<"computeVector">,
    context: JobContext,
  ): Promise<Awaited<ReturnType<typeof computeVector>>> {
    const { session } = this.#model();
    const inputs = [...request.positive, ...request.negative];
    const { rows, tokens } = await this.#captureInputs(inputs, request.template, request.position, context);
    return computeVector(request, withoutEmbedding(rows, session), session.layers, tokens, context);
  }

  async activations(
    request: EngineRequest<"activations">,
    { signal }: JobContext,
  ): Promise<{ ids: Int32Array; resid: Float32Array; logits: Float32Array | null }> {
    const { session } = this.#model();
    const encoded = this.#encode(request.input, request.template);
    const { ids } = encoded;
    const { resid, logits } = await readEveryToken(session, ids, {
      steering: this.#checked(request.steering),
      promptLength: promptTokens(request.input, encoded),
      resid: true,
      logits: request.logits,
      directions: null,
      signal,
    });
    return { ids, resid, logits: request.logits ? logits : null };
  }

  async project(
    request: EngineRequest<"project">,
    { signal, progress }: JobContext,
  ): Promise<{ ids: Int32Array; projections: Float32Array }[]> {
    const { session } = this.#model();
    const { directions, count, inputs } = request;
    if (
      !Number.isInteger(count) ||
      count < 1 ||
      directions.length !== (session.layers + 1) * session.hidden * count
    ) {
      throw new SteerscopeError(
        "VectorMismatch",
        "The directions do not have the shape [layers + 1, hidden, count] of this model.",
      );
    }
    const steering = this.#checked(request.steering);
    const results: { ids: Int32Array; projections: Float32Array }[] = [];
    for (const input of bounded(inputs)) {
      const encoded = this.#encode(input, request.template);
      const { ids } = encoded;
      const { projections } = await readEveryToken(session, ids, {
        steering,
        promptLength: promptTokens(input, encoded),
        resid: false,
        logits: false,
        directions: { values: directions, count },
        signal,
      });
      results.push({ ids, projections });
      progress({
        kind: "step",
        stage: "Projecting",
        done: results.length,
        total: inputs.length,
        unit: "texts",
      });
    }
    return results;
  }

  async scoreChoices(
    request: EngineRequest<"scoreChoices">,
    { signal, progress }: JobContext,
  ): Promise<Awaited<ReturnType<typeof scoreChoices>>[]> {
    const { session, tokenizer } = this.#model();
    const steering = this.#checked(request.steering);
    const results: Awaited<ReturnType<typeof scoreChoices>>[] = [];
    for (const { input, choices } of bounded(request.items)) {
      if ("ids" in input) {
        throw new SteerscopeError("InvalidRequest", "Choices are scored after text, not after token ids.");
      }
      const { prompt, beginning } =
        input.prompt === undefined
          ? { prompt: input.text, beginning: "" }
          : { prompt: input.prompt, beginning: input.text };
      const texts = choices.map((choice) => {
        const text = beginning + choice;
        const encoded = requireTokenizer(tokenizer).encode({ prompt, text }, request.template);
        return { ids: encoded.ids, choiceStart: firstTokenOfEnd(encoded, choice.length) };
      });
      results.push(
        await scoreChoices(
          session,
          texts.map(({ ids }) => ids),
          { steering, promptLength: Math.min(...texts.map(({ choiceStart }) => choiceStart)), signal },
        ),
      );
      progress({
        kind: "step",
        stage: "Scoring",
        done: results.length,
        total: request.items.length,
        unit: "items",
      });
    }
    return results;
  }

  async logLikelihood(
    request: EngineRequest<"logLikelihood">,
    { signal, progress }: JobContext,
  ): Promise<{ ids: Int32Array; logProbabilities: Float32Array }[]> {
    const { session } = this.#model();
    const steering = this.#checked(request.steering);
    const results: { ids: Int32Array; logProbabilities: Float32Array }[] = [];
    for (const input of bounded(request.inputs)) {
      const { ids, textStart } = this.#encode(input, request.template);
      const { stride } = request;
      results.push({
        ids,
        logProbabilities: await logLikelihood(session, ids, {
          steering,
          promptLength: textStart,
          stride,
          signal,
        }),
      });
      progress({
        kind: "step",
        stage: "Reading",
        done: results.length,
        total: request.inputs.length,
        unit: "texts",
      });
    }
    return results;
  }

  generate(
    request: EngineRequest<"generate">,
    { signal, progress }: JobContext,
  ): ReturnType<typeof generate> {
    const { session, tokenizer, description } = this.#model();
    const { ids } = this.#encode(request.input, request.template);
    return generate(session, {
      promptIds: ids,
      variants: request.variants.map((steering) => this.#checked(steering)),
      sampling: request.sampling,
      endOfSequenceIds: description.endOfSequenceIds,
      newTextStream: tokenizer && (() => tokenizer.stream(ids)),
      signal,
      onToken: (variant, id, text) => {
        progress({ kind: "token", variant, id, text });
      },
    });
  }

  clearCaches(): Promise<null> {
    this.#cache.clear();
    return Promise.resolve(null);
  }

  #model(): LoadedModel {
    if (this.#loaded === null) {
      throw new SteerscopeError("ModelNotLoaded", "No model is loaded.", { remedy: "Load a model first." });
    }
    return this.#loaded;
  }

  #encode(input: ModelInput, template: Template): EncodedInput {
    if ("ids" in input) return { ...input, textEnd: input.ids.length };
    return requireTokenizer(this.#model().tokenizer).encode(input, template);
  }

  #checked<T extends EngineRequest<"generate">["variants"][number]>(steering: T): T {
    const { session } = this.#model();
    if (steering !== null) checkSteering(steering, session.layers, session.hidden);
    return steering;
  }

  async #captureInputs(
    inputs: readonly ModelInput[],
    template: Template,
    position: ReadPosition,
    { signal, progress }: JobContext,
  ): Promise<CaptureResult> {
    const { session, description } = this.#model();
    const encoded = bounded(inputs).map((input) => {
      const { ids, textStart, textEnd } = this.#encode(input, template);
      const readable = { length: ids.length, textStart, textEnd, hasPrompt: hasPrompt(input) };
      return { ids, span: resolveReadPosition(position, readable) };
    });
    return capture(session, encoded, this.#cache, description.modelHash, {
      signal,
      onProgress: (done, total) => {
        progress({ kind: "step", stage: "Reading activations", done, total, unit: "tokens" });
      },
    });
  }
}

type EncodedInput = Pick<TokenizedText, "ids" | "textStart" | "textEnd">;

/** Tokens that a scope calls the prompt where an input is read and not scored: an input without a prompt is one. */
function promptTokens(input: ModelInput, { ids, textStart }: EncodedInput): number {
  return hasPrompt(input) ? textStart : ids.length;
}

/** The first token that reaches into the last `length` characters of what was tokenised. */
function firstTokenOfEnd({ ids, offsets, rendered }: TokenizedText, length: number): number {
  const first = ids.findIndex((_, token) => offsets[2 * token + 1]! > rendered.length - length);
  return first < 0 ? ids.length : first;
}

function requireTokenizer(tokenizer: TextTokenizer | null): TextTokenizer {
  if (tokenizer === null) {
    throw new SteerscopeError(
      "InvalidRequest",
      "This model folder has no tokenizer.json, so it cannot read text.",
      {
        remedy: "Add the tokenizer files of the model, or give token ids.",
      },
    );
  }
  return tokenizer;
}

function bounded<T>(items: readonly T[]): readonly T[] {
  if (items.length === 0 || items.length > maximumInputs) {
    throw new SteerscopeError(
      "InvalidRequest",
      `A call takes 1 to ${maximumInputs} inputs, not ${items.length}.`,
    );
  }
  return items;
}

/** [inputs, layers + 1, hidden] to [inputs, layers, hidden]. */
function withoutEmbedding(rows: Float32Array, { layers, hidden }: ModelSession): Float32Array {
  const inputs = rows.length / ((layers + 1) * hidden);
  const result = new Float32Array(inputs * layers * hidden);
  for (let input = 0; input < inputs; input++) {
    const from = (input * (layers + 1) + 1) * hidden;
    result.set(rows.subarray(from, from + layers * hidden), input * layers * hidden);
  }
  return result;
}
