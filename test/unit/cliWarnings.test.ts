import { writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { SteerscopeError } from "../../src/shared/errors.ts";
import {
  answers,
  computed,
  description,
  inFolder,
  measures,
  pairs,
  run,
  writeSet,
  type Answers,
} from "./support/cliRun.ts";

const loaded = (change: object): Answers => ({ load: () => ({ ...description, ...change }) });

describe("what is to be known of a model", () => {
  const q8 = loaded({ warnings: ["Not for extraction: 3.6 %."] });

  test("is said by every command that loads it", async () => {
    const vector = await computed();
    for (const argv of [
      ["compute", writeSet(...pairs), "--out", inFolder("w")],
      ["inspect", vector, "--text", "hi"],
      ["generate", "--prompt", "p"],
      ["activations", "--ids", "5,9", "--out", inFolder("a")],
    ]) {
      expect((await run(argv, q8)).stderr, argv[0]).toBe("steerscope: warning: Not for extraction: 3.6 %.\n");
      expect((await run([...argv, "--json"], q8)).json()["warnings"]).toEqual(["Not for extraction: 3.6 %."]);
    }
  });

  test("is in doctor's report and its last word", async () => {
    const { code, stdout } = await run(["doctor"], q8);
    expect(code).toBe(0);
    expect(stdout).toContain("warn    model stories15m: Not for extraction: 3.6 %.\n");
    expect(stdout).toMatch(/\nEverything works, with 1 warning\.\n$/);
    expect((await run(["doctor", "--json"], q8)).json()).toMatchObject({
      passed: true,
      warnings: ["Not for extraction: 3.6 %."],
    });
  });
});

test("without a tokenizer, commands that take no token ids do not speak of them", async () => {
  const silent = loaded({ tokenizerHash: null });
  const vector = await computed();
  for (const argv of [
    ["compute", writeSet(...pairs), "--out", inFolder("w")],
    ["inspect", vector, "--text", "hi"],
    ["generate", "--prompt", "p"],
  ]) {
    const { code, stderr, calls } = await run(argv, silent);
    expect(code).toBe(1);
    expect(stderr).toContain("tokenizer");
    expect(stderr).not.toContain("token ids");
    expect(calls.map(({ method }) => method)).toEqual(["load"]);
  }
  expect((await run(["activations", "--ids", "5,9", "--out", inFolder("a")], silent)).code).toBe(0);
});

describe("warnings of a set", () => {
  const lonely = Array.from({ length: 10 }, (_, index) => ({
    label: "positive",
    text: `t${index}`,
    pair: `p${index}`,
  }));

  test("are few on the screen, all in JSON, and name the file as errors do", async () => {
    const path = writeSet(...pairs, ...lonely);
    const { stderr } = await run(["compute", path, "--out", inFolder("v")]);
    const lines = stderr.trimEnd().split("\n");
    expect(lines).toHaveLength(4);
    expect(lines[0]).toContain(`warning: ${path}, line 5: `);
    expect(lines[3]).toBe("steerscope: warning: and 7 more like these.");
    const { json } = await run(["compute", path, "--out", inFolder("v"), "--json"]);
    expect(json()["warnings"]).toHaveLength(10);
    writeFileSync(path, "{}\n");
    const bad = await run(["compute", path, "--out", inFolder("v")]);
    expect(bad.stderr).toContain(`steerscope: ${path}, line 1: `);
  });

  test("are not said where the error is what matters", async () => {
    const refuse: Answers = {
      computeVector: () => {
        throw new SteerscopeError("ExampleSetInvalid", "There are no negative examples.");
      },
    };
    const { stderr } = await run(["compute", writeSet(...lonely), "--out", inFolder("v")], refuse);
    expect(stderr).toBe("steerscope: There are no negative examples.\n");
  });
});

describe("a steering that changes nothing", () => {
  test("by a vector of zeros", async () => {
    const vector = await computed();
    const { code, stderr } = await run(["generate", "--prompt", "p", "--vector", vector, "--layer", "0,1"]);
    expect(code).toBe(0);
    expect(stderr).toBe(
      `steerscope: warning: The vector of layer 0 in ${vector} is zero and changes nothing.\n`,
    );
  });

  test("by a scope that no token lies in", async () => {
    const vector = await computed();
    // Activations reads two tokens; generate reads one and writes one, which is not read any more.
    const activations = ["activations", "--ids", "5,9", "--out", inFolder("a"), "--vector", vector];
    const generate = ["generate", "--prompt", "p", "--vector", vector];
    for (const [argv, scope, isSilent] of [
      [activations, "1-5", true],
      [activations, "2-5", false],
      [activations, "generated", false],
      [activations, "after-prompt", true],
      [generate, "0-9", true],
      [generate, "1-9", false],
    ] as const) {
      const { code, stderr } = await run([...argv, "--scope", scope]);
      expect(code).toBe(0);
      expect(stderr === "", `${argv[0]} ${scope}`).toBe(isSilent);
      if (!isSilent) expect(stderr).toContain(`The scope ${scope} holds none of the`);
    }
  });
});

test("token ids take no template", async () => {
  const { code, stderr, calls } = await run([
    "activations",
    "--ids",
    "1",
    "--template",
    "chat",
    "--out",
    inFolder("a"),
  ]);
  expect([code, calls]).toEqual([2, []]);
  expect(stderr).toContain("--template needs a --prompt");
});

test("a vector file that is none is named", async () => {
  const path = inFolder("bad.safetensors");
  writeFileSync(path, "none");
  const { stderr } = await run(["inspect", path]);
  expect(stderr).toContain(`steerscope: ${path}: This is not a sound safetensors file: `);
});

test("one of something is not several", async () => {
  const { stdout } = await run(["compute", writeSet(pairs[0]!, pairs[1]!), "--out", inFolder("v")], {
    computeVector: (request) => ({
      ...(answers.computeVector!(request, {}) as object),
      measures: { ...measures, outliers: [] },
    }),
  });
  expect(stdout).toContain("set: 1 pair;");
});
