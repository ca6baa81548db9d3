/** Peer: the unpatched graph, opened by path, in the plainest loop: greedy, batch 1, a cache that grows by its outputs. */
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { servePeer } from "../support/servePeer.ts";

let session: InferenceSession | undefined;

interface Step {
  readonly ids: readonly number[];
  readonly past: number;
  readonly outputs: InferenceSession.OnnxValueMapType | null;
}

function integers(values: readonly number[]): Tensor {
  return new Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
}

function feedsOf(open: InferenceSession, { ids, past, outputs }: Step): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  for (const input of open.inputMetadata) {
    if (!input.isTensor) throw new Error(`${input.name} is not a tensor`);
    if (input.name === "input_ids") feeds[input.name] = integers(ids);
    else if (input.name === "attention_mask")
      feeds[input.name] = integers(Array.from({ length: past + ids.length }, () => 1));
    else if (input.name === "position_ids") feeds[input.name] = integers(ids.map((_, index) => past + index));
    else if (outputs !== null) feeds[input.name] = outputs[input.name.replace("past_key_values", "present")]!;
    else {
      const [, heads, , size] = input.shape;
      feeds[input.name] = new Tensor("float32", new Float32Array(0), [1, Number(heads), 0, Number(size)]);
    }
  }
  return feeds;
}

/** Of the last token. */
function largestLogit(logits: Tensor): number {
  const vocabulary = logits.dims.at(-1)!;
  const row = (logits.data as Float32Array).subarray(-vocabulary);
  let best = 0;
  for (let id = 1; id < vocabulary; id++) if (row[id]! > row[best]!) best = id;
  return best;
}

servePeer({
  load: async ({ folder, threads }) => {
    session = await InferenceSession.create(join(folder, "model.onnx"), {
      executionProviders: ["cpu"],
      intraOpNumThreads: threads,
      logSeverityLevel: 4,
    });
  },
  decode: async ({ ids, newTokens }) => {
    const open = session!;
    // As ours: the last token of the prompt is the first step of decoding.
    let past = ids.length - 1;
    let outputs = await open.run(feedsOf(open, { ids: ids.slice(0, -1), past: 0, outputs: null }));
    let next = ids.at(-1)!;
    const chosen: number[] = [];
    const started = performance.now();
    for (let step = 0; step < newTokens; step++) {
      outputs = await open.run(feedsOf(open, { ids: [next], past, outputs }));
      past++;
      next = largestLogit(outputs["logits"]!);
      chosen.push(next);
    }
    return { ids: chosen, millisecondsPerToken: (performance.now() - started) / newTokens };
  },
});
