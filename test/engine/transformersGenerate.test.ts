/** Greedy generation against another implementation: transformers.js `generate()` on the same stock graphs. */
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { AutoModelForCausalLM, env, Tensor } from "@huggingface/transformers";
import { beforeAll, describe, expect, it } from "vitest";
import { greedySampling } from "../../src/shared/engineContract.ts";
import { fixtures, useTestEngine } from "./support/engine.ts";

const models = ["llama", "qwen2", "gpt2", "gpt_neox", "phi3", "gemma2"];
const prompt = [5, 17, 99, 3, 64];
const newTokens = 24;

describe("transformers.js generate()", () => {
  const test = useTestEngine();
  beforeAll(() => {
    env.allowRemoteModels = false;
    env.localModelPath = test.folder;
  });

  it.each(models)("gives the same tokens on %s", async (name) => {
    // The layout that transformers.js expects: the graph below onnx/.
    mkdirSync(join(test.folder, name, "onnx"), { recursive: true });
    const source = join(fixtures, "decoder-graphs/optimum", name);
    cpSync(join(source, "config.json"), join(test.folder, name, "config.json"));
    cpSync(join(source, "model.onnx"), join(test.folder, name, "onnx/model.onnx"));
    const model = await AutoModelForCausalLM.from_pretrained(name, { dtype: "fp32", device: "cpu" });
    const input_ids = new Tensor("int64", BigInt64Array.from(prompt, BigInt), [1, prompt.length]);
    const attention_mask = new Tensor("int64", new BigInt64Array(prompt.length).fill(1n), [1, prompt.length]);
    const output = (await model.generate({
      inputs: input_ids,
      attention_mask,
      max_new_tokens: newTokens,
      do_sample: false,
    })) as Tensor;
    const expected = Array.from(output.data as BigInt64Array, Number).slice(prompt.length);
    await model.dispose();

    await test.call("load", { model: join(test.folder, name) });
    const { completions } = await test.call("generate", {
      input: { ids: Int32Array.from(prompt), textStart: 0 },
      template: "none",
      variants: [null],
      sampling: { ...greedySampling, maxTokens: newTokens },
    });
    expect(expected.length).toBeGreaterThan(0);
    expect([...completions[0]!.ids]).toEqual(expected);
  });
});
