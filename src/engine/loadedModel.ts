/** A model ready for work: its session has passed the self-test, and it is known by the hash of all that it consists of. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ModelDescription, SelfTestReport } from "../shared/engineContract.ts";
import { isSteerscopeError, SteerscopeError } from "../shared/errors.ts";
import { throwIfCancelled, type JobContext } from "./asyncEngine.ts";
import { hashFile } from "./hashFile.ts";
import type { ModelGraph } from "./modelGraph.ts";
import { resolveModelFolder, type ModelRoots } from "./models/catalogue.ts";
import { quantisationWarnings } from "./quantisationWarnings.ts";
import { runSelfTest } from "./selfTest.ts";
import { ModelSession } from "./session.ts";
import { loadTokenizer, readEndOfSequence, type TextTokenizer } from "./text/tokenizer.ts";

export interface LoadedModel {
  readonly session: ModelSession;
  /** null: the folder has none, and token ids are all that the model takes. */
  readonly tokenizer: TextTokenizer | null;
  readonly description: ModelDescription;
}

export interface LoadOptions {
  readonly roots: ModelRoots;
  /** Remembers the hashes of large files. */
  readonly cacheFolder: string;
  /** 0: onnxruntime decides. */
  readonly threads: number;
}

/**
 * Loads a catalogue id or a folder. Throws ModelNotFound, ModelCorrupt, ModelUnsupported, OutOfMemory, SelfTestFailed or
 * Cancelled; then nothing stays loaded.
 */
export async function loadModel(
  model: string,
  { roots, cacheFolder, threads }: LoadOptions,
  { signal, progress }: JobContext,
): Promise<LoadedModel> {
  const started = performance.now();
  const stage = (done: number): void => {
    progress({ kind: "step", stage: "Loading the model", done, total: 3, unit: "steps" });
  };
  stage(0);
  const resolved = resolveModelFolder(model, roots);
  const session = await ModelSession.open(resolved.folder, { threads });
  try {
    throwIfCancelled(signal);
    stage(1);
    const { folder, graph, config, layout } = session.model;
    const tokenizer = existsSync(join(folder, "tokenizer.json")) ? await loadTokenizer(folder) : null;
    const { report: selfTest, grouping } = await runSelfTest(session, signal).catch((error: unknown) => {
      throw isSteerscopeError(error) ? error : unrunnable(error);
    });
    requirePassed(selfTest);
    stage(2);
    const modelHash = await hashModel(session.model, cacheFolder, signal);
    stage(3);
    return {
      session,
      tokenizer,
      description: {
        model,
        name: resolved.name,
        architecture: config.architecture,
        layers: graph.layers,
        hidden: config.hidden,
        vocabulary: config.vocabulary,
        contextLength: config.contextLength,
        precision: graph.precision,
        layout,
        modelHash,
        revision: resolved.revision,
        tokenizerHash: tokenizer?.hash ?? null,
        hasChatTemplate: tokenizer?.hasChatTemplate ?? false,
        beginOfSequenceId: tokenizer?.beginOfSequenceId ?? null,
        endOfSequenceIds: readEndOfSequence(folder),
        warnings: quantisationWarnings(graph.activationQuantisation, grouping),
        selfTest,
        loadMilliseconds: performance.now() - started,
      },
    };
  } catch (error) {
    await session.release();
    throw error;
  }
}

const mostNamed = 3;

function requirePassed(selfTest: SelfTestReport): void {
  const failed = selfTest.checks.filter(({ passed }) => !passed);
  if (failed.length === 0) return;
  throw new SteerscopeError(
    "SelfTestFailed",
    `This model cannot be steered correctly. What does not hold: ${failed
      .slice(0, mostNamed)
      .map(({ name }) => name)
      .join("; ")}${failed.length > mostNamed ? `; and ${failed.length - mostNamed} more` : ""}.`,
    {
      remedy: "Use another export of the model; fp32 is the safest.",
      detail: JSON.stringify(selfTest.checks),
    },
  );
}

/** Some kernels look at their inputs only when they run. */
function unrunnable(error: unknown): SteerscopeError {
  const detail = error instanceof Error ? error.message : String(error);
  return new SteerscopeError("ModelUnsupported", "The CPU of onnxruntime cannot run this model.", {
    remedy: "Choose another export of the model, or its safetensors weights.",
    detail,
    cause: error,
  });
}

/** Over the patched graph and every file it takes weights from: large files are hashed once and remembered. */
async function hashModel(
  { graph, files }: ModelGraph,
  cacheFolder: string,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash("sha256").update(graph.bytes);
  for (const file of files) hash.update(await hashFile(file, cacheFolder, signal));
  return hash.digest("hex");
}
