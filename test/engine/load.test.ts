/** Loading a model stops when the caller has given up, whatever it is busy with, and leaves nothing behind. */
import { cpSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { ModelSession } from "../../src/engine/session.ts";
import { fixtures, useTestEngine } from "./support/engine.ts";

const test = useTestEngine();

it("says so when a kernel of the runtime refuses the graph, which it does when it runs", async () => {
  const words = "Non-zero status code returned while running GroupQueryAttention node.";
  const run = vi.spyOn(ModelSession.prototype, "run").mockRejectedValue(new Error(words));
  await expect(test.call("load", { model: "stories15m" })).rejects.toMatchObject({
    kind: "ModelUnsupported",
    detail: words,
  });
  run.mockRestore();
});

describe("cancelling a load", () => {
  let model: string;
  beforeAll(() => {
    model = join(test.folder, "model");
    cpSync(join(fixtures, "decoder-graphs/genai-builder/llama-fp32"), model, { recursive: true });
    // Sparse, and far more than can be hashed before the next turn of the event loop.
    truncateSync(join(model, "model.onnx.data"), 256 * 2 ** 20);
  });

  it.each([
    ["as it begins", 0],
    ["before the self-test", 1],
    ["while the weights are hashed", 2],
  ])("%s", async (_, step) => {
    const stop = new AbortController();
    const seen: number[] = [];
    const loading = test.call(
      "load",
      { model },
      {
        signal: stop.signal,
        onProgress: (progress) => {
          if (progress.kind !== "step") return;
          seen.push(progress.done);
          if (progress.done === step) {
            setImmediate(() => {
              stop.abort();
            });
          }
        },
      },
    );
    await expect(loading).rejects.toMatchObject({ kind: "Cancelled" });
    expect(seen.at(-1)).toBe(step);
    expect((await test.call("describe", undefined)).model).toBeNull();
  });

  it("does not stop the next load", async () => {
    expect(await test.call("load", { model })).toMatchObject({ layers: 3, selfTest: { passed: true } });
  });
});
