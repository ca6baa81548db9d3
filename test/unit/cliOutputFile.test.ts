import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { computed, inFolder, pairs, run, writeSet } from "./support/cliRun.ts";

/** Refused before the engine starts, and `path` is as it was. */
async function expectRefused(argv: readonly string[], path: string): Promise<void> {
  const before = readFileSync(path);
  const { code, calls, json } = await run([...argv, "--json"]);
  expect([code, calls]).toEqual([1, []]);
  expect(json()).toMatchObject({
    error: { kind: "InvalidRequest", message: expect.stringContaining("would be overwritten") as string },
  });
  expect(readFileSync(path)).toEqual(before);
}

test("a set is not overwritten by its vector, under no name or link", async () => {
  const set = writeSet(...pairs);
  symlinkSync(set, inFolder("link.jsonl"));
  await expectRefused(["compute", set, "--out", set], set);
  await expectRefused(["compute", set, "--out", inFolder("link.jsonl")], set);
  await expectRefused(["compute", inFolder("link.jsonl"), "--out", inFolder(".", "set.jsonl")], set);
});

test("a vector is not overwritten by its table or by activations", async () => {
  const vector = await computed();
  const printed = inFolder("v.txt");
  symlinkSync(vector, printed);
  const before = readFileSync(vector);
  const { code } = await run(["inspect", vector, "--csv", "--out", vector]);
  expect(code).toBe(1);
  await expectRefused(["inspect", vector, "--out", printed], vector);
  await expectRefused(["activations", "--ids", "1", "--vector", vector, "--out", vector], vector);
  expect(readFileSync(vector)).toEqual(before);
});

test("files of the model stay, wherever they lie; earlier results beside them can be written again", async () => {
  const model = inFolder("model");
  mkdirSync(inFolder("model", "onnx"), { recursive: true });
  const weights = inFolder("blob");
  writeFileSync(weights, "weights");
  symlinkSync(weights, inFolder("model", "onnx", "model.onnx"));
  const config = inFolder("model", "config.json");
  writeFileSync(config, "{}");
  const set = writeSet(...pairs);
  for (const named of [model, inFolder("model", "onnx", "model.onnx")]) {
    await expectRefused(["compute", set, "--model", named, "--out", weights], weights);
    await expectRefused(["compute", set, "--model", named, "--out", config], config);
  }
  const earlier = inFolder("model", "v.safetensors");
  copyFileSync(await computed(), earlier);
  expect((await run(["compute", set, "--model", model, "--out", earlier])).code).toBe(0);
});

test("an output that cannot be is told before the engine starts, and nothing is made", async () => {
  const deep = await run(["compute", writeSet(...pairs), "--out", inFolder("no", "such", "v.safetensors")]);
  expect([deep.code, deep.calls]).toEqual([1, []]);
  expect(deep.stderr).toContain(`There is no folder ${inFolder("no", "such")} to write to.`);
  expect(existsSync(inFolder("no"))).toBe(false);
});

test.each([
  [["compute", "set.jsonl", "--out", ""], "--out is empty."],
  [["compute", "", "--out", "v"], "compute takes one example set."],
  [["inspect", "v", "--out", ""], "--out is empty."],
  [["activations", "--ids", "1", "--out", ""], "--out is empty."],
  [["generate", "--prompt", "a", "--vector", ""], "--vector is empty."],
  [["doctor", "--model="], "--model is empty."],
  [["doctor", "--cache-folder", ""], "--cache-folder is empty."],
])("%j is a usage error", async (argv, message) => {
  const { code, stderr, calls } = await run(argv);
  expect([code, calls]).toEqual([2, []]);
  expect(stderr).toContain(message);
});
