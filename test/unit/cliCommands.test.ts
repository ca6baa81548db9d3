import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runCommandLine } from "../../src/cli/commandLine.ts";
import { parseSafetensorsHeader, readFloat32 } from "../../src/formats/safetensors.ts";
import { parseVectorFile } from "../../src/formats/vectorFile.ts";
import type { EngineMethod, ModelDescription } from "../../src/shared/engineContract.ts";
import { engineProxy, type CallOptions } from "../../src/shared/engineProxy.ts";
import { SteerscopeError } from "../../src/shared/errors.ts";
import { HubServer } from "../support/hubServer.ts";

const layers = 3;
const hidden = 2;

const description = {
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

const measures = {
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

type Answers = Partial<Record<EngineMethod, (request: never, options: CallOptions) => unknown>>;

const answers: Answers = {
  hello: () => ({ contractVersion: 1, engine: "local", processId: 1 }),
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

async function run(argv: readonly string[], changed: Answers = {}, isTerminal = false) {
  const calls: { method: EngineMethod; request: unknown }[] = [];
  let stdout = "";
  let stderr = "";
  let disposed = 0;
  const controller = new AbortController();
  const code = await runCommandLine(argv, {
    stdout: { write: (text) => void (stdout += text), isTerminal, columns: 80 },
    stderr: { write: (text) => void (stderr += text), isTerminal, columns: 80 },
    environment: { STEERSCOPE_CACHE: join(folder, "cache") },
    signal: controller.signal,
    program: "steerscope 1.2.3",
    embeddedModels: join(import.meta.dirname, "../../models"),
    startEngine: () => ({
      engine: engineProxy((method, request, options = {}) => {
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
    asked,
    calls,
    json: () => JSON.parse(stdout) as Record<string, unknown>,
  };
}

function writeSet(...lines: object[]): string {
  const path = join(folder, "set.jsonl");
  writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  return path;
}

const pairs = [
  { label: "positive", text: "p0" },
  { label: "negative", text: "n0" },
  { label: "positive", text: "p1" },
  { label: "negative", text: "n1" },
];

async function computed(): Promise<string> {
  const out = join(folder, "v.safetensors");
  expect((await run(["compute", writeSet(...pairs), "--out", out])).code).toBe(0);
  return out;
}

describe("help and mistakes", () => {
  test.each([
    [["--help"], 0],
    [["help", "compute"], 0],
    [["--version"], 0],
    [[], 2],
    [["fly"], 2],
    [["compute"], 2],
    [["compute", "a", "b", "--out", "c"], 2],
    [["compute", "a"], 2],
    [["compute", "a", "--out", "b", "--method", "magic"], 2],
    [["compute", "a", "--out", "b", "--position", "first"], 2],
    [["inspect"], 2],
    [["inspect", "v", "--prompt", "p"], 2],
    [["generate"], 2],
    [["generate", "--prompt", "a", "--layer", "3"], 2],
    [["generate", "--prompt", "a", "--top-p", "2"], 2],
    [["activations", "--out", "a"], 2],
    [["activations", "--out", "a", "--prompt", "p", "--ids", "1"], 2],
    [
      ["activations", "--out", "a", "--prompt", "p", "--vector", "v", "--strength", "1", "--strength", "2"],
      2,
    ],
    [["models", "extra"], 2],
    [["models", "download"], 2],
    [["models", "download", "a/b", "c/d"], 2],
    [["models", "--endpoint", "https://x"], 2],
    [["doctor", "--threads", "0"], 2],
  ])("%j gives %i and starts no engine", async (argv, code) => {
    const result = await run(argv);
    expect(result.code).toBe(code);
    expect(result.calls).toEqual([]);
    expect(code === 0 ? result.stdout : result.stderr).not.toBe("");
    expect(code === 0 ? result.stderr : result.stdout).toBe("");
  });

  test.each(["compute", "inspect", "generate", "activations", "models", "doctor"])(
    "%s --help lists its options",
    async (name) => {
      const { code, stdout } = await run([name, "--nonsense", "--help"]);
      expect(code).toBe(0);
      expect(stdout).toContain(`Usage: steerscope ${name}`);
      expect(stdout).toContain("--json");
    },
  );

  test("with --json a mistake is one object on standard output", async () => {
    const { code, json, stderr } = await run(["generate", "--json"]);
    expect(code).toBe(2);
    expect(json()).toMatchObject({ error: { kind: "InvalidRequest" } });
    expect(stderr).toBe("");
  });
});

describe("failures", () => {
  const broken: Answers = {
    load: () => {
      throw new SteerscopeError("ModelNotFound", "No \x1b[31mmodel.", {
        remedy: "Name one.",
        detail: "deep",
      });
    },
  };

  test("message and remedy on standard error, code 1, engine stopped", async () => {
    const { code, stdout, stderr, disposed } = await run(["generate", "--prompt", "a"], broken);
    expect([code, stdout, disposed]).toEqual([1, "", 1]);
    expect(stderr).toBe("steerscope: No \uFFFD[31mmodel.\nName one.\n");
    expect((await run(["generate", "--prompt", "a", "--verbose"], broken)).stderr).toContain("deep");
  });

  test("with --json on standard output", async () => {
    const { code, json } = await run(["generate", "--prompt", "a", "--json"], broken);
    expect(code).toBe(1);
    expect(json()).toMatchObject({ error: { kind: "ModelNotFound", remedy: "Name one." } });
  });

  test("a stop is 130 and leaves the engine stopped and no file", async () => {
    const stopped: Answers = {
      computeVector: () => {
        throw new SteerscopeError("Cancelled", "Stopped.");
      },
    };
    const out = join(folder, "v.safetensors");
    const { code, disposed } = await run(["compute", writeSet(...pairs), "--out", out], stopped);
    expect([code, disposed]).toEqual([130, 1]);
    expect(readdirSync(folder)).toEqual(["set.jsonl"]);
  });

  test("a place that cannot be written is known before the work", async () => {
    for (const out of [join(writeSet(...pairs), "v"), folder]) {
      const { code, stderr, calls } = await run(["compute", writeSet(...pairs), "--out", out]);
      expect([code, calls]).toEqual([1, []]);
      expect(stderr).toContain("cannot be written");
    }
  });
});

describe("compute", () => {
  test("writes the file with its provenance and shows the layers", async () => {
    const out = join(folder, "v.safetensors");
    const { stdout, asked } = await run([
      "compute",
      writeSet(...pairs),
      "--out",
      out,
      "--position",
      "last-1",
      "--seed",
      "4",
    ]);
    expect(asked("computeVector")).toEqual({
      positive: [{ text: "p0" }, { text: "p1" }],
      negative: [{ text: "n0" }, { text: "n1" }],
      pairs: Int32Array.of(0, 0, 1, 1),
      template: "none",
      position: { kind: "last", back: 1 },
      method: "mean-difference",
      unit: false,
      seed: 4,
    });
    expect(parseVectorFile(readFileSync(out))).toMatchObject({
      layers,
      hidden,
      vectors: Float32Array.of(0, 0, 1, 0, 0, 2),
      provenance: {
        program: "steerscope 1.2.3",
        examples: { name: "set", positive: 2, negative: 2, pairs: 2 },
        suggested: { layer: 1 },
        seed: 4,
      },
    });
    expect(stdout).toContain("<- suggested");
    expect(stdout).toContain("The pair of the lines 3 and 4 turns the vector");
  });

  test("a bad line is refused by its number, a lonely pair is a warning", async () => {
    const bad = await run([
      "compute",
      writeSet(pairs[0]!, { label: "x", text: "y" }),
      "--out",
      join(folder, "v"),
    ]);
    expect(bad.code).toBe(1);
    expect(bad.stderr).toContain("line 2");
    const lonely = await run([
      "compute",
      writeSet(...pairs, { label: "positive", text: "p", pair: "q" }),
      "--out",
      join(folder, "v"),
      "--json",
    ]);
    expect(lonely.code).toBe(0);
    expect(lonely.json()["warnings"]).toEqual([expect.stringContaining("line 5")]);
  });

  test("a set that is not UTF-8 is refused", async () => {
    const path = join(folder, "latin1.jsonl");
    writeFileSync(path, Buffer.from([0x7b, 0xff, 0x7d]));
    const { code, stderr } = await run(["compute", path, "--out", join(folder, "v")]);
    expect(code).toBe(1);
    expect(stderr).toContain("UTF-8");
  });
});

describe("inspect", () => {
  test("without a text, the file is enough", async () => {
    const out = await computed();
    const { stdout, calls } = await run(["inspect", out]);
    expect(calls).toEqual([]);
    expect(stdout).toContain("method     mean-difference, raw, read at last, template none");
    expect((await run(["inspect", out, "--csv", "--layer", "1"])).stdout.split("\r\n")).toHaveLength(3);
    expect((await run(["inspect", out, "--layer", "3"])).code).toBe(1);
  });

  test("with a text, unit vectors are projected on, row L + 1 for layer L", async () => {
    const out = await computed();
    const { asked, json } = await run(["inspect", out, "--text", "hi", "--json"]);
    expect(asked("project")).toMatchObject({
      inputs: [{ text: "hi" }],
      directions: Float32Array.of(0, 0, 0, 0, 1, 0, 0, 1),
      count: 1,
    });
    expect(json()["tokens"]).toEqual([
      { id: 1, piece: "<s>", projections: { 0: 1, 1: 3, 2: 5 } },
      { id: 2, piece: " hi\x1b", projections: { 0: 2, 1: 4, 2: 6 } },
    ]);
    const coloured = await run(["inspect", out, "--text", "hi"], {}, true);
    expect(coloured.stdout).toContain("\x1b[38;5;16;48;5;");
    expect((await run(["inspect", out, "--text", "hi"])).stdout).not.toContain("\x1b");
  });

  test("--out writes what would have been printed", async () => {
    const vector = await computed();
    const file = join(folder, "table.csv");
    const printed = await run(["inspect", vector, "--csv", "--text", "hi"]);
    const written = await run(["inspect", vector, "--csv", "--text", "hi", "--out", file]);
    expect(written.stdout).toBe("");
    expect(readFileSync(file, "utf8")).toBe(printed.stdout);
  });
});

describe("generate", () => {
  test("unsteered and every strength in one batch, at the suggested layer", async () => {
    const vector = await computed();
    const { asked, stdout } = await run([
      "generate",
      "--vector",
      vector,
      "--strength",
      "-2",
      "--strength",
      "3",
      "--prompt",
      "One day",
    ]);
    const term = { layer: 1, vector: Float32Array.of(1, 0) };
    expect(asked("generate")).toMatchObject({
      input: { text: "One day" },
      variants: [
        null,
        { terms: [{ ...term, strength: -2 }], scope: "after-prompt" },
        { terms: [{ ...term, strength: 3 }], scope: "after-prompt" },
      ],
    });
    expect(stdout).toMatch(
      /^unsteered\nOne day text 0\n\nstrength -2\nOne day text 1\n\nstrength 3\nOne day text 2\n/,
    );
  });

  test("several layers, scope and sampling", async () => {
    const vector = await computed();
    const options = [
      "--layer",
      "0,2",
      "--scope",
      "3-7",
      "--top-k",
      "5",
      "--temperature",
      "0.5",
      "--stop",
      "a",
      "--stop",
      "b",
    ];
    const { asked, json } = await run([
      "generate",
      "--vector",
      vector,
      "--prompt",
      "p",
      "--json",
      ...options,
    ]);
    expect(asked("generate")).toMatchObject({
      variants: [null, { terms: [{ layer: 0 }, { layer: 2 }], scope: { from: 3, to: 7 } }],
      sampling: { topK: 5, temperature: 0.5, stop: ["a", "b"], maxTokens: 64 },
    });
    expect(json()["completions"]).toMatchObject([
      { strength: null },
      { strength: 1, text: " text 1", ids: [1] },
    ]);
  });

  test("a terminal sees the first text as it comes, and each text once", async () => {
    const generate: Answers["generate"] = (request: never, { onProgress }) => {
      for (const text of [" te", "xt 0"]) onProgress?.({ kind: "token", variant: 0, id: 0, text });
      return answers.generate!(request, {});
    };
    const { stdout } = await run(["generate", "--prompt", "p"], { generate }, true);
    expect(stdout).toMatch(/^\x1b\[1munsteered\x1b\[22m\n\x1b\[2mp\x1b\[22m text 0\n\n/);
  });

  test("vectors of another width are refused, of another model warned about", async () => {
    const vector = await computed();
    const other = (change: object): Answers => ({ load: () => ({ ...description, ...change }) });
    const wide = await run(["generate", "--vector", vector, "--prompt", "p"], other({ hidden: 3 }));
    expect(wide.code).toBe(1);
    expect(wide.stderr).toContain("width 2 (the model: 3)");
    const near = await run(["generate", "--vector", vector, "--prompt", "p"], other({ modelHash: "x" }));
    expect(near.code).toBe(0);
    expect(near.stderr).toContain("warning");
  });
});

test("activations writes ids, resid and logits in their shapes", async () => {
  const vector = await computed();
  const out = join(folder, "a.safetensors");
  const steering = ["--vector", vector, "--layer", "2", "--strength", "0.5"];
  const { asked, stdout } = await run(["activations", "--ids", "5,9", "--logits", "--out", out, ...steering]);
  expect(asked("activations")).toEqual({
    input: { ids: Int32Array.of(5, 9), textStart: 0 },
    template: "none",
    steering: { terms: [{ layer: 2, vector: Float32Array.of(0, 2), strength: 0.5 }], scope: "all" },
    logits: true,
  });
  const bytes = readFileSync(out);
  const { tensors } = parseSafetensorsHeader(bytes, bytes.length);
  expect(
    Object.fromEntries([...tensors].map(([name, { dtype, shape }]) => [name, [dtype, ...shape]])),
  ).toEqual({
    ids: ["I32", 2],
    resid: ["F32", 4, 2, 2],
    logits: ["F32", 2, 3],
  });
  expect(readFloat32(bytes, tensors.get("resid")!)[15]).toBe(15);
  expect(stdout).toContain("resid [4, 2, 2]");
});

describe("models download", () => {
  const commit = "0123456789abcdef0123456789abcdef01234567";
  let hub: HubServer;
  beforeEach(async () => {
    const file = (text: string, isLarge: boolean) => ({ bytes: Buffer.from(text), isLarge });
    hub = new HubServer({
      repository: "someone/Tiny",
      commit,
      licence: "mit",
      files: new Map([
        ["config.json", file("{}", false)],
        ["model.safetensors", file("weights", true)],
        ["onnx/model_q4.onnx", file("graph", true)],
      ]),
    });
    await hub.start();
  });
  afterEach(() => hub.stop());

  test("fetches a repository into the cache folder, weights as asked for, and starts no engine", async () => {
    const target = join(folder, "cache/models/someone/Tiny");
    const result = await run(["models", "download", "someone/Tiny", "--endpoint", hub.endpoint]);
    expect(result).toMatchObject({ code: 0, calls: [] });
    expect(result.stderr).toContain("licence mit");
    expect(result.stdout).toContain(`--model ${target}`);
    expect(readdirSync(join(target, "onnx"))).toEqual(["model_q4.onnx"]);
    const other = await run([
      ...["models", "download", "someone/Tiny", "--endpoint", hub.endpoint],
      ...["--weights", "model.safetensors", "--json"],
    ]);
    expect(other.json()).toMatchObject({ model: target, repository: "someone/Tiny", commit, licence: "mit" });
    expect(readdirSync(target)).toContain("model.safetensors");
  });

  test.each([
    [["nowhere"], "ModelNotFound"],
    [["stories15m"], "InvalidRequest"],
    [["someone/Tiny", "--weights", "x.onnx"], "InvalidRequest"],
    [["someone/Other"], "DownloadFailed"],
  ])("of %j fails with %s", async (argv, kind) => {
    const result = await run(["models", "download", ...argv, "--endpoint", hub.endpoint, "--json"]);
    expect(result.code).toBe(1);
    expect(result.json()["error"]).toMatchObject({ kind });
  });
});

test("models lists what can be named", async () => {
  expect((await run(["models"])).stdout).toContain("on the hub  ~1 GB");
  expect((await run(["models", "--json"])).json()["models"]).toHaveLength(1);
});

describe("doctor", () => {
  test("all is well", async () => {
    const { code, stdout } = await run(["doctor"]);
    expect(code).toBe(0);
    expect(stdout).toContain("self-test: zero");
    expect(stdout).toContain("Everything works.");
  });

  test("a check that fails is named with its remedy, and what needs it is not tried", async () => {
    const noRuntime: Answers = {
      describe: () => {
        throw new SteerscopeError("EngineCrashed", "No runtime.", { remedy: "Install it." });
      },
    };
    const { code, stdout, asked } = await run(["doctor"], noRuntime);
    expect(code).toBe(1);
    expect(stdout).toContain("failed  onnxruntime: No runtime.\n        Install it.");
    expect(asked("load")).toBeUndefined();
    expect((await run(["doctor", "--json"], noRuntime)).json()).toMatchObject({ passed: false });
  });
});
