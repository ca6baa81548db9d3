/** The command line as it ships: dist/cli.js with dist/engine.js and the embedded model. */
import { spawn } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { examplesOf, pairExamples, parseExampleSet } from "../../src/formats/exampleSet.ts";
import { parseSafetensorsHeader, readFloat32 } from "../../src/formats/safetensors.ts";
import { parseVectorFile } from "../../src/formats/vectorFile.ts";
import { engineContractVersion } from "../../src/shared/engineContract.ts";
import { builtFile, repository } from "./support/engine.ts";

const cli = builtFile("cli.js");
const happySad = join(repository, "examples/sets/happy-sad.jsonl");
const prompt = "One day, Lily went to the park.";

let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "steerscope-cli-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(
  argv: readonly string[],
  interruptWhen?: () => Promise<unknown>,
  program: string = cli,
): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [program, ...argv], {
      env: { ...process.env, STEERSCOPE_CACHE: join(folder, "cache") },
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (data: Buffer) => (stdout += data.toString()));
    child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
    child.on("close", (code) => {
      resolve({ code, stdout, stderr });
    });
    void interruptWhen?.().then(() => child.kill("SIGINT"));
  });
}

async function runJson(...argv: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await run([...argv, "--json"]);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe("the example sets", () => {
  test.each([
    ["happy-sad", 48],
    ["calm-alarm", 16],
  ])("%s: sound, paired throughout, no text twice", (name, least) => {
    const set = parseExampleSet(readFileSync(join(repository, `examples/sets/${name}.jsonl`), "utf8"), name);
    expect(set.problems).toEqual([]);
    const { positive, negative, pairs } = pairExamples(set);
    expect(positive.length).toBeGreaterThanOrEqual(least);
    expect(pairs.length / 2).toBe(positive.length);
    expect(negative.length).toBe(positive.length);
    const texts = examplesOf(set).map(({ example }) => example.text);
    expect(new Set(texts).size).toBe(texts.length);
  });
});

describe("on the embedded model", () => {
  test("doctor finds everything in order", async () => {
    const report = await runJson("doctor");
    expect(report["passed"]).toBe(true);
  });

  test("compute, inspect and generate: the sides separate, and the text changes with the vector", async () => {
    const vector = join(folder, "happy.safetensors");
    await runJson("compute", happySad, "--out", vector);
    const { provenance } = parseVectorFile(readFileSync(vector));
    const best = provenance!.measures[provenance!.suggested.layer]!;
    expect(best.separation!.auroc).toBeGreaterThan(0.9);
    expect(provenance!.examples.pairs).toBeGreaterThanOrEqual(48);

    const ends = async (text: string): Promise<number> => {
      const { tokens } = (await runJson("inspect", vector, "--text", text)) as {
        tokens: { projections: Record<number, number> }[];
      };
      return tokens.at(-1)!.projections[best.layer]!;
    };
    expect(await ends("Mom hugged her and she smiled.")).toBeGreaterThan(
      await ends("She was alone and she cried."),
    );

    const options = ["--vector", vector, "--strength", "0", "--strength", "3", "--prompt", prompt];
    const { completions } = (await runJson("generate", ...options)) as { completions: { text: string }[] };
    expect(completions).toHaveLength(3);
    expect(completions[1]!.text).toBe(completions[0]!.text);
    expect(completions[2]!.text).not.toBe(completions[0]!.text);
  });

  test("activations: steering moves its layer by the vector and no earlier one", async () => {
    const vector = join(folder, "happy.safetensors");
    if (!existsSync(vector)) await runJson("compute", happySad, "--out", vector);
    const read = async (...steering: string[]): Promise<Float32Array> => {
      const out = join(folder, "activations.safetensors");
      await runJson("activations", "--prompt", prompt, "--out", out, ...steering);
      const bytes = readFileSync(out);
      return readFloat32(bytes, parseSafetensorsHeader(bytes, bytes.length).tensors.get("resid")!);
    };
    const plain = await read();
    const steered = await read("--vector", vector, "--layer", "2", "--strength", "-2");
    const { vectors, hidden, layers } = parseVectorFile(readFileSync(vector));
    const rows = plain.length / (layers + 1);
    expect(steered.subarray(0, 3 * rows)).toEqual(plain.subarray(0, 3 * rows));
    for (let index = 0; index < rows; index++) {
      const moved = steered[3 * rows + index]! - plain[3 * rows + index]!;
      expect(Math.abs(moved + 2 * vectors[2 * hidden + (index % hidden)]!)).toBeLessThan(1e-4);
    }
  });

  test("Ctrl-C: 130, nothing printed, no file", async () => {
    const out = join(folder, "interrupted.safetensors");
    const generate = ["generate", "--prompt", prompt, "--max-tokens", "200", "--temperature", "1"];
    for (const [index, argv] of [generate, ["compute", happySad, "--out", out]].entries()) {
      const cache = join(folder, `interrupted-${index}`);
      // The engine makes its folder when it starts: the work has begun, and a signal is listened to.
      const engineRuns = () => vi.waitUntil(() => existsSync(cache), { timeout: 60_000, interval: 10 });
      const { code, stdout } = await run([...argv, "--cache-folder", cache], engineRuns);
      expect([code, stdout]).toEqual([130, ""]);
    }
    expect(readdirSync(folder).filter((name) => name.includes("interrupted.safetensors"))).toEqual([]);
  });
});

describe("an engine that does not end when it is told to", () => {
  /** The command line beside a stand-in engine; `load` is answered by `answer`. */
  function standIn(answer: string): { readonly program: string; readonly loading: string } {
    const place = mkdtempSync(join(folder, "stand-in-"));
    const program = join(place, "cli.js");
    const loading = join(place, "loading");
    copyFileSync(cli, program);
    writeFileSync(
      join(place, "engine.js"),
      `const { writeFileSync } = require("node:fs");
      const send = (type, { id }, rest) => process.send({ type, id, ...rest });
      process.on("SIGINT", () => undefined);
      process.on("message", (call) => {
        if (call.method === "hello") send("result", call, { value: { contractVersion: ${engineContractVersion} } });
        if (call.method === "describe") send("result", call, { value: { memory: { residentBytes: 1 } } });
        if (call.method !== "load") return;
        writeFileSync(${JSON.stringify(loading)}, "");
        ${answer}
      });
      setInterval(() => undefined, 1000);`,
    );
    return { program, loading };
  }
  const out = (): string => join(folder, "never.safetensors");

  test.each([
    ["generate", () => ["generate", "--prompt", prompt]],
    ["compute", () => ["compute", happySad, "--out", out()]],
    ["activations", () => ["activations", "--ids", "1", "--out", out()]],
    ["doctor", () => ["doctor"]],
  ])("Ctrl-C while %s loads a model: 130", async (_, argv) => {
    const { program, loading } = standIn("");
    const loads = () => vi.waitUntil(() => existsSync(loading), { timeout: 60_000, interval: 10 });
    const { code, stdout, stderr } = await run(argv(), loads, program);
    expect([code, stdout, stderr]).toEqual([130, "", "steerscope: Stopped.\n"]);
  });

  test.skipIf(process.platform !== "linux").each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "%s that reaches every process of the group: 130",
    async (signal) => {
      const child = spawn(process.execPath, [cli, "generate", "--prompt", prompt, "--max-tokens", "240"], {
        detached: true,
        env: { ...process.env, STEERSCOPE_CACHE: join(folder, "cache") },
      });
      let stderr = "";
      child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
      const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
      const children = `/proc/${child.pid!}/task/${child.pid!}/children`;
      await vi.waitUntil(() => readFileSync(children, "utf8") !== "", { timeout: 60_000, interval: 5 });
      process.kill(-child.pid!, signal);
      expect([await ended, stderr]).toEqual([130, "steerscope: Stopped.\n"]);
    },
  );

  test("a command that fails: 1", async () => {
    const { program } = standIn(
      `send("error", call, { error: { kind: "ModelNotFound", message: "None." } });`,
    );
    const { code, stderr } = await run(["generate", "--prompt", prompt], undefined, program);
    expect([code, stderr]).toEqual([1, "steerscope: None.\n"]);
  });
});

test("token ids and a folder of checkpoint and config are enough for activations", async () => {
  const model = join(repository, "test/fixtures/decoder-graphs/safetensors/llama");
  const out = join(folder, "ids.safetensors");
  await runJson("activations", "--model", model, "--ids", "1,5,9", "--logits", "--out", out);
  const bytes = readFileSync(out);
  const { tensors } = parseSafetensorsHeader(bytes, bytes.length);
  expect(tensors.get("ids")!.shape).toEqual([3]);
  expect(tensors.get("resid")!.shape[1]).toBe(3);
});

test.each([
  ["an empty file", ""],
  ["text", "this is not a model\n".repeat(50)],
])("a model that is %s is refused with its reason", async (_, content) => {
  const model = mkdtempSync(join(folder, "model-"));
  writeFileSync(join(model, "model.onnx"), content);
  writeFileSync(join(model, "config.json"), '{"model_type":"llama"}');
  const { code, stdout } = await run([
    "activations",
    "--model",
    model,
    "--ids",
    "1",
    "--out",
    join(folder, "x"),
    "--json",
  ]);
  expect(code).toBe(1);
  expect((JSON.parse(stdout) as { error: { kind: string } }).error.kind).toMatch(
    /^Model(Corrupt|Unsupported)$/,
  );
});
