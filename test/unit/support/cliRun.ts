/** Runs the command line in this process, with an engine whose answers are given, in a folder that each test has for itself. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect } from "vitest";
import { runCommandLine } from "../../../src/cli/commandLine.ts";
import {
  engineContractVersion,
  type EngineMethod,
  type ModelDescription,
} from "../../../src/shared/engineContract.ts";
import { engineProxy, type CallOptions } from "../../../src/shared/engineProxy.ts";

export const layers = 3;
export const hidden = 2;

export const description = {
  model: "stories15m",
  name: "stories15m",
  architecture: "llama",
  layers,
  hidden,
  precision: "fp16",
  modelHash: "hash",
  revision: null,
  tokenizerHash: "tokens",
  warnings: [],
  selfTest: {
    passed: true,
    milliseconds: 1,
    checks: [{ name: "zero", passed: true, deviation: 0, limit: 0 }],
  },
  loadMilliseconds: 1,
} as unknown as ModelDescription;

export const measures = {
  layers: Array.from({ length: layers }, (_, layer) => ({
    layer,
    vectorNorm: layer,
    medianResidualNorm: 10,
    relativeNorm: layer / 10,
    separation: { auroc: 0.75, cohensD: 1, folds: 2 },
    stability: null,
    cosineWithPrevious: null,
  })),
  suggested: { layer: 1, reason: "It is in the middle." },
  outliers: [{ pair: 1, shift: 0.5 }],
};

export type Answers = Partial<Record<EngineMethod, (request: never, options: CallOptions) => unknown>>;

export const answers: Answers = {
  hello: () => ({ contractVersion: engineContractVersion, engine: "local", processId: 1 }),
  describe: () => ({ model: null, memory: { residentBytes: 1e6 } }),
  load: () => description,
  computeVector: () => ({
    vectors: Float32Array.of(0, 0, 1, 0, 0, 2),
    measures,
    tokens: { total: 9, computed: 7, fromCache: 0, readIds: new Int32Array(4) },
  }),
  tokenize: () => [{ ids: Int32Array.of(1, 2), pieces: ["<s>", " hi\x1b"], textStart: 1 }],
  project: () => [{ ids: Int32Array.of(1, 2), projections: Float32Array.of(9, 9, 1, 2, 3, 4, 5, 6) }],
  generate: ({ variants }: { variants: unknown[] }) => ({
    promptIds: Int32Array.of(1),
    completions: variants.map((_, index) => ({
      ids: Int32Array.of(index),
      text: ` text ${index}`,
      logProbabilities: Float32Array.of(-1),
      finish: "max-tokens",
    })),
    prefillMilliseconds: 1,
    decodeMilliseconds: 2,
    decodeSteps: 1,
  }),
  activations: ({ logits }: { logits: boolean }) => ({
    ids: Int32Array.of(5, 9),
    resid: Float32Array.from({ length: 16 }, (_, index) => index),
    logits: logits ? Float32Array.from({ length: 6 }, (_, index) => -index) : null,
  }),
  listModels: () => [
    {
      id: "m",
      name: "M",
      origin: "hub",
      present: false,
      bytes: 1e9,
      approximate: true,
      licence: "MIT",
      note: "n",
    },
  ],
};

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "steerscope-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** A path in the test's own folder. */
export const inFolder = (...names: readonly string[]): string => join(folder, ...names);

export async function run(argv: readonly string[], changed: Answers = {}, isTerminal = false) {
  const calls: { method: EngineMethod; request: unknown }[] = [];
  let stdout = "";
  let stderr = "";
  let disposed = 0;
  const cacheFolders: string[] = [];
  const controller = new AbortController();
  const code = await runCommandLine(argv, {
    stdout: { write: (text) => void (stdout += text), isTerminal, columns: 80 },
    stderr: { write: (text) => void (stderr += text), isTerminal, columns: 80 },
    environment: { STEERSCOPE_CACHE: inFolder("cache") },
    signal: controller.signal,
    program: "steerscope 1.2.3",
    embeddedModels: join(import.meta.dirname, "../../../models"),
    startEngine: ({ cacheFolder }) => ({
      engine: engineProxy((method, request, options = {}) => {
        if (calls.length === 0) cacheFolders.push(cacheFolder);
        calls.push({ method, request });
        const answer = { ...answers, ...changed }[method];
        return Promise.resolve().then(() => answer!(request as never, options) as never);
      }),
      dispose: () => {
        disposed++;
        return Promise.resolve();
      },
    }),
  });
  const asked = (method: EngineMethod): unknown => calls.find((call) => call.method === method)?.request;
  return {
    code,
    stdout,
    stderr,
    disposed,
    cacheFolders,
    asked,
    calls,
    json: () => JSON.parse(stdout) as Record<string, unknown>,
  };
}

export function writeSet(...lines: object[]): string {
  const path = inFolder("set.jsonl");
  writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  return path;
}

export const pairs = [
  { label: "positive", text: "p0" },
  { label: "negative", text: "n0" },
  { label: "positive", text: "p1" },
  { label: "negative", text: "n1" },
];

/** A vector file: layer 0 zero, layer 1 (1, 0), layer 2 (0, 2). */
export async function computed(): Promise<string> {
  const out = inFolder("v.safetensors");
  expect((await run(["compute", writeSet(...pairs), "--out", out])).code).toBe(0);
  return out;
}
