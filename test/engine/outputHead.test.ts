/** The output head is a session of its own: made when logits are wanted, and checked then. */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { parseSafetensorsHeader } from "../../src/formats/safetensors.ts";
import { greedySampling } from "../../src/shared/engineContract.ts";
import { fixtures, useTestEngine } from "./support/engine.ts";

const test = useTestEngine();

beforeAll(async () => {
  const model = join(test.folder, "model");
  cpSync(join(fixtures, "checkpoints/llama3-rope"), model, { recursive: true });
  const path = join(model, "model.safetensors");
  const bytes = readFileSync(path);
  const head = parseSafetensorsHeader(bytes, bytes.length).tensors.get("lm_head.weight")!;
  bytes.writeFloatLE(Infinity, head.begin + 4 * 100);
  writeFileSync(path, bytes);
  await test.call("load", { model });
});

const input = { ids: Int32Array.of(1, 2, 3), textStart: 0 };

it("is not needed for activations", async () => {
  const { activations } = await test.call("capture", {
    inputs: [input],
    template: "none",
    position: { kind: "last", back: 0 },
    withEmbedding: false,
  });
  expect(activations.length).toBeGreaterThan(0);
  expect(activations.every(Number.isFinite)).toBe(true);
});

it("is refused, each time, where its weights are no numbers", async () => {
  for (let time = 0; time < 2; time++) {
    const generating = test.call("generate", {
      input,
      template: "none",
      variants: [null],
      sampling: { ...greedySampling, maxTokens: 2 },
    });
    await expect(generating).rejects.toMatchObject({ kind: "SelfTestFailed" });
  }
});
