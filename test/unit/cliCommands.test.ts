import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseSafetensorsHeader, readFloat32 } from "../../src/formats/safetensors.ts";
import { parseVectorFile } from "../../src/formats/vectorFile.ts";
import { SteerscopeError } from "../../src/shared/errors.ts";
import { HubServer } from "../support/hubServer.ts";
import {
  answers,
  computed,
  description,
  hidden,
  inFolder,
  layers,
  pairs,
  run,
  writeSet,
  type Answers,
} from "./support/cliRun.ts";

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
    const out = inFolder("v.safetensors");
    const { code, disposed } = await run(["compute", writeSet(...pairs), "--out", out], stopped);
    expect([code, disposed]).toEqual([130, 1]);
    expect(readdirSync(inFolder())).toEqual(["set.jsonl"]);
  });

  test("a place that cannot be written is known before the work", async () => {
    for (const out of [join(writeSet(...pairs), "v"), inFolder()]) {
      const { code, stderr, calls } = await run(["compute", writeSet(...pairs), "--out", out]);
      expect([code, calls]).toEqual([1, []]);
      expect(stderr).toContain("cannot be written");
    }
  });
});

describe("compute", () => {
  test("writes the file with its provenance and shows the layers", async () => {
    const out = inFolder("v.safetensors");
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
      inFolder("v"),
    ]);
    expect(bad.code).toBe(1);
    expect(bad.stderr).toContain("line 2");
    const lonely = await run([
      "compute",
      writeSet(...pairs, { label: "positive", text: "p", pair: "q" }),
      "--out",
      inFolder("v"),
      "--json",
    ]);
    expect(lonely.code).toBe(0);
    expect(lonely.json()["warnings"]).toEqual([expect.stringContaining("line 5")]);
  });

  test("a set that is not UTF-8 is refused", async () => {
    const path = inFolder("latin1.jsonl");
    writeFileSync(path, Buffer.from([0x7b, 0xff, 0x7d]));
    const { code, stderr } = await run(["compute", path, "--out", inFolder("v")]);
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
    const file = inFolder("table.csv");
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
  const out = inFolder("a.safetensors");
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
    const target = inFolder("cache/models/someone/Tiny");
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

  test("a cache folder that cannot be used is a finding, and the rest is tested with another", async () => {
    const file = inFolder("file");
    writeFileSync(file, "");
    const { code, stdout, asked, cacheFolders } = await run(["doctor", "--cache-folder", file]);
    expect(code).toBe(1);
    expect(stdout).toContain(`failed  cache folder: The folder ${file} cannot be written to.`);
    expect(stdout).toContain("ok      self-test: zero");
    expect(stdout).toContain("1 of 6 checks failed.");
    expect(asked("load")).toEqual({ model: "stories15m" });
    expect(cacheFolders).toEqual([expect.not.stringContaining(file)]);
    // It was there for the run only.
    expect(existsSync(cacheFolders[0]!)).toBe(false);
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
