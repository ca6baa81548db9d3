/** Peer: transformers.js on a stock graph, with its own `generate()`. */
import { mkdtempSync, readdirSync, rmSync, symlinkSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AutoModelForCausalLM, AutoTokenizer, env, Tensor } from "@huggingface/transformers";
import { servePeer } from "../support/servePeer.ts";

type Model = Awaited<ReturnType<typeof AutoModelForCausalLM.from_pretrained>>;

let model: Model | undefined;

/** Puts the files where transformers.js looks for them: the graph below onnx/. Returns the folder above. */
function linkedFolder(folder: string): string {
  const local = mkdtempSync(join(tmpdir(), "steerscope-transformers-"));
  mkdirSync(join(local, "model/onnx"), { recursive: true });
  for (const file of readdirSync(folder)) {
    const target = file.startsWith("model.onnx") ? join("onnx", file) : file;
    symlinkSync(join(folder, file), join(local, "model", target));
  }
  return local;
}

async function generate(ids: readonly number[], newTokens: number): Promise<number[]> {
  const dims = [1, ids.length];
  const output = (await model!.generate({
    inputs: new Tensor("int64", BigInt64Array.from(ids, BigInt), dims),
    attention_mask: new Tensor("int64", new BigInt64Array(ids.length).fill(1n), dims),
    max_new_tokens: newTokens,
    min_new_tokens: newTokens,
    do_sample: false,
  })) as Tensor;
  return Array.from(output.data as BigInt64Array, Number).slice(ids.length);
}

servePeer({
  load: async ({ folder, threads }) => {
    const local = linkedFolder(folder);
    env.allowRemoteModels = false;
    env.localModelPath = local;
    try {
      await AutoTokenizer.from_pretrained("model");
      model = await AutoModelForCausalLM.from_pretrained("model", {
        dtype: "fp32",
        device: "cpu",
        session_options: { intraOpNumThreads: threads },
      });
    } finally {
      rmSync(local, { recursive: true });
    }
  },
  decode: async ({ ids, newTokens }) => {
    const started = performance.now();
    // The prompt and its first token, which the second run does again.
    await generate(ids, 1);
    const once = performance.now();
    const chosen = await generate(ids, newTokens + 1);
    const decoding = performance.now() - once - (once - started);
    return { ids: chosen.slice(0, newTokens), millisecondsPerToken: decoding / newTokens };
  },
});
