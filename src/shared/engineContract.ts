/**
 * The contract between the editor or command line and an engine. It speaks of models, tokens, blocks, vectors and
 * rows, never of files, sessions or KV caches, so that a remote engine can implement it too. Layer L is the 0-based
 * decoder block L; its activation is its output, resid[L+1] (docs/concepts.md). Arrays travel as one typed array,
 * row-major, with their shape in the doc comment.
 */
import type { MethodId } from "./methods.ts";
import type { ReadPosition } from "./readPosition.ts";
import type { Scope } from "./scope.ts";
import type { SerialisedError } from "./errors.ts";
import type { ModelInput, Template } from "./tokenInput.ts";
import type { VectorMeasures } from "./vectorMeasures.ts";

/**
 * Asked for first; engine and caller must agree on it. They ship together, but a program that is running starts the engine
 * that is on the disk, which an update may have replaced. Counts up with every change: test/unit/engineContract.test.ts.
 */
export const engineContractVersion = 2;

/** Results of the self-test at load: strength 0 changes nothing, a probe moves its layer exactly, prefill and decode. */
export interface SelfTestReport {
  readonly passed: boolean;
  readonly checks: readonly SelfTestCheck[];
  readonly milliseconds: number;
}

export interface SelfTestCheck {
  readonly name: string;
  readonly passed: boolean;
  /** Largest deviation found, relative to the residual norm of the layer, and the limit it is held to. */
  readonly deviation: number;
  readonly limit: number;
}

export interface ModelDescription {
  /** As asked for: a catalogue id, or a folder. */
  readonly model: string;
  /** Short name for people. */
  readonly name: string;
  /** `model_type` of the configuration, e.g. llama, qwen2. */
  readonly architecture: string;
  readonly layers: number;
  readonly hidden: number;
  readonly vocabulary: number;
  readonly contextLength: number;
  /** What the weights are stored as: fp32, fp16, bf16, q4, q4f16, q8. */
  readonly precision: string;
  /** Where the graph comes from. */
  readonly layout: "optimum" | "optimum-merged" | "onnxruntime-genai" | "dynamo" | "onnx" | "safetensors";
  /** sha256 that changes when the weights, graph or configuration change; keys the activation cache. */
  readonly modelHash: string;
  /** Commit of the download or of the cache's snapshot, else what the catalogue pins; null where none is known. */
  readonly revision: string | null;
  /** null where the folder has no tokenizer: then only token ids can be given. */
  readonly tokenizerHash: string | null;
  readonly hasChatTemplate: boolean;
  readonly beginOfSequenceId: number | null;
  readonly endOfSequenceIds: readonly number[];
  /** Sentences for people, e.g. that a q8 model's activations depend on the batch. */
  readonly warnings: readonly string[];
  readonly selfTest: SelfTestReport;
  readonly loadMilliseconds: number;
}

export interface EngineInfo {
  readonly contractVersion: number;
  readonly engine: "local";
  readonly processId: number;
}

/** A model that can be named in `load`. */
export interface ModelListing {
  readonly id: string;
  readonly name: string;
  readonly origin: "embedded" | "hub";
  /** Its files are on this machine. */
  readonly present: boolean;
  /** Bytes on disk when present, else bytes to download. */
  readonly bytes: number;
  /** `bytes` is an estimate. */
  readonly approximate: boolean;
  readonly licence: string;
  readonly note: string;
}

export interface MemoryFigures {
  /** Bytes of physical memory of the engine process, now and at its highest. */
  readonly residentBytes: number;
  readonly peakResidentBytes: number;
  /** Bytes of activations kept on disk and their bound. */
  readonly activationCacheBytes: number;
  readonly activationCacheLimitBytes: number;
}

export interface EngineDescription {
  readonly model: ModelDescription | null;
  readonly memory: MemoryFigures;
}

/** `strength` times `vector` ([hidden]) added to the output of block `layer`. */
export interface SteeringTerm {
  readonly layer: number;
  readonly vector: Float32Array;
  readonly strength: number;
}

/**
 * All terms of one row; terms on the same layer add up. No terms: unsteered. What the scope calls the prompt: for
 * `generate` all of the input; for `scoreChoices` all before the choice; for `activations` and `project` what precedes the
 * text of an input with a prompt (TokenInput: with a `textStart` above 0), and all of an input without one; for
 * `logLikelihood`, where every text is read as if it had been generated, what precedes the text in any case (without a
 * prompt: the BOS, and a template's opening).
 */
export interface Steering {
  readonly terms: readonly SteeringTerm[];
  readonly scope: Scope;
}

export interface TokenizedText {
  readonly ids: Int32Array;
  /** Index of the first token of the text, after special tokens, template and prompt. */
  readonly textStart: number;
  /** Index after the last token of the text, before what a template or tokenizer puts behind it. */
  readonly textEnd: number;
  /** What each token looks like on its own, for display. */
  readonly pieces: readonly string[];
  /** [tokens, 2]: UTF-16 offsets [from, to) of each token in `rendered`; special tokens that stand for no text are empty spans. */
  readonly offsets: Int32Array;
  /** The whole text that was tokenised: template, prompt and text. */
  readonly rendered: string;
}

export interface Sampling {
  readonly maxTokens: number;
  /** 0: greedy. */
  readonly temperature: number;
  /** 0: off. */
  readonly topK: number;
  /** 1: off. */
  readonly topP: number;
  /** 0: off. */
  readonly minP: number;
  /** 1: off. */
  readonly repetitionPenalty: number;
  readonly seed: number;
  /** Texts that end a row; they are not part of its text. */
  readonly stop: readonly string[];
}

export const greedySampling: Sampling = {
  maxTokens: 64,
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  seed: 0,
  stop: [],
};

export type FinishReason = "end-of-text" | "stop" | "max-tokens" | "context-full";

export interface Completion {
  readonly ids: Int32Array;
  readonly text: string;
  /** Log-probability of each generated token under the row's own (steered) distribution before sampling settings. */
  readonly logProbabilities: Float32Array;
  readonly finish: FinishReason;
}

export interface ChoiceItem {
  readonly input: ModelInput;
  /** Continuations to compare, at least two. */
  readonly choices: readonly string[];
}

export interface ChoiceScores {
  /** Log-probability of the first distinguishing token of each choice, after what the choices share. */
  readonly logProbabilities: Float32Array;
  /** Probability mass on none of the choices. */
  readonly neither: number;
}

/** Events of a running call. `done`/`total` count `unit`; token events carry text as it is decided. */
export type Progress =
  | {
      readonly kind: "step";
      readonly stage: string;
      readonly done: number;
      readonly total: number;
      readonly unit: string;
    }
  | { readonly kind: "token"; readonly variant: number; readonly id: number; readonly text: string };

export interface EngineApi {
  hello(): EngineInfo;
  /** The catalogue, the embedded model first. */
  listModels(): readonly ModelListing[];
  /** Loads a model (and unloads another). Loading what is loaded answers at once. */
  load(request: { readonly model: string }): ModelDescription;
  unload(): null;
  describe(): EngineDescription;
  tokenize(request: {
    readonly inputs: readonly ModelInput[];
    readonly template: Template;
  }): readonly TokenizedText[];
  /** Residual-stream activations: `activations` is [inputs, layers, hidden], or [inputs, layers + 1, hidden] `withEmbedding` (row 0: what enters block 0). */
  capture(request: {
    readonly inputs: readonly ModelInput[];
    readonly template: Template;
    readonly position: ReadPosition;
    readonly withEmbedding: boolean;
  }): { readonly activations: Float32Array; readonly tokens: CapturedTokens };
  /** Every token of one input: `resid` [layers + 1, tokens, hidden]; `logits` [tokens, vocabulary] when asked for. */
  activations(request: {
    readonly input: ModelInput;
    readonly template: Template;
    readonly steering: Steering | null;
    readonly logits: boolean;
  }): { readonly ids: Int32Array; readonly resid: Float32Array; readonly logits: Float32Array | null };
  /** Dot products with directions [layers + 1, hidden, count]: one `projections` [layers + 1, tokens, count] an input. */
  project(request: {
    readonly inputs: readonly ModelInput[];
    readonly template: Template;
    readonly directions: Float32Array;
    readonly count: number;
    readonly steering: Steering | null;
  }): readonly { readonly ids: Int32Array; readonly projections: Float32Array }[];
  computeVector(request: ComputeVectorRequest): ComputeVectorResult;
  /** A choice continues prompt and text. With template chat: without a prompt the text is the user's turn and the choice begins the answer. */
  scoreChoices(request: {
    readonly items: readonly ChoiceItem[];
    readonly template: Template;
    readonly steering: Steering | null;
  }): readonly ChoiceScores[];
  /**
   * Natural-log likelihood of each token but the first, given all tokens before it or, beyond the context length, at least
   * context length - `stride` of them. A `stride` of the context length or more counts as one less.
   */
  logLikelihood(request: {
    readonly inputs: readonly ModelInput[];
    readonly template: Template;
    readonly steering: Steering | null;
    readonly stride: number;
  }): readonly { readonly ids: Int32Array; readonly logProbabilities: Float32Array }[];
  /** One completion a variant; all variants decode as one batch. null: unsteered. */
  generate(request: {
    readonly input: ModelInput;
    readonly template: Template;
    readonly variants: readonly (Steering | null)[];
    readonly sampling: Sampling;
  }): GenerateResult;
  clearCaches(): null;
}

export interface GenerateResult {
  readonly promptIds: Int32Array;
  readonly completions: readonly Completion[];
  readonly prefillMilliseconds: number;
  readonly decodeMilliseconds: number;
  /** Decode steps; each adds a token to every row that is still open. */
  readonly decodeSteps: number;
}

/** What a capture read and what it cost. */
export interface CapturedTokens {
  /** Tokens of all inputs together. */
  readonly total: number;
  /** Tokens that the model computed, after sharing prefixes and the cache. */
  readonly computed: number;
  /** Inputs answered from the cache. */
  readonly fromCache: number;
  /** [inputs]: id of the (first) token that was read. */
  readonly readIds: Int32Array;
}

export interface ComputeVectorRequest {
  readonly positive: readonly ModelInput[];
  readonly negative: readonly ModelInput[];
  /** [pairs, 2]: index into `positive`, index into `negative`; empty: unpaired lists. */
  readonly pairs: Int32Array;
  readonly template: Template;
  readonly position: ReadPosition;
  readonly method: MethodId;
  /** true: every layer's vector is scaled to norm 1. */
  readonly unit: boolean;
  /** For `random`, split halves and bootstrap. */
  readonly seed: number;
}

export interface ComputeVectorResult {
  /** [layers, hidden] */
  readonly vectors: Float32Array;
  readonly measures: VectorMeasures;
  readonly tokens: CapturedTokens;
}

export type EngineMethod = keyof EngineApi;

/** Every method of `EngineApi`, for checking what arrives from another process. */
export const engineMethods = Object.keys({
  hello: true,
  listModels: true,
  load: true,
  unload: true,
  describe: true,
  tokenize: true,
  capture: true,
  activations: true,
  project: true,
  computeVector: true,
  scoreChoices: true,
  logLikelihood: true,
  generate: true,
  clearCaches: true,
} satisfies Record<EngineMethod, true>) as readonly EngineMethod[];

export type EngineRequest<M extends EngineMethod> = Parameters<EngineApi[M]>[0];
export type EngineResult<M extends EngineMethod> = ReturnType<EngineApi[M]>;

/** How a local engine process is set up; travels as JSON in the environment variable `engineOptionsVariable`. */
export interface EngineProcessOptions {
  /** Folder that holds the models that ship with the program, one folder each. */
  readonly embeddedModels: string;
  /** Folder of downloaded models and of activations; all of it can be made again. */
  readonly cacheFolder: string;
  /** Threads of one operator; 0 or left out: the runtime's choice. */
  readonly threads?: number;
  /** Bytes up to which captured activations are kept on disk; left out: 2 GiB. */
  readonly activationCacheLimitBytes?: number;
}

/** Folder inside the cache folder that holds captured activations. */
export const activationsFolder = "activations";

export const engineOptionsVariable = "STEERSCOPE_ENGINE_OPTIONS";

/** Messages to the engine. */
export type EngineCall =
  | { readonly type: "call"; readonly id: number; readonly method: EngineMethod; readonly request: unknown }
  | { readonly type: "cancel"; readonly id: number };

/** Messages from the engine. */
export type EngineAnswer =
  | { readonly type: "result"; readonly id: number; readonly value: unknown }
  | { readonly type: "error"; readonly id: number; readonly error: SerialisedError }
  | { readonly type: "progress"; readonly id: number; readonly progress: Progress };
