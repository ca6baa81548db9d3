/** Models in the form of Hugging Face's cache: named links to blobs that lie in another folder. */
import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ModelSession } from "../../src/engine/session.ts";

const fixtures = join(import.meta.dirname, "../fixtures");
let base = "";
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "steerscope-links-"));
});
afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

function asCache(folder: string): string {
  const blobs = join(base, "blobs");
  const snapshot = join(base, "snapshots/main");
  mkdirSync(blobs);
  mkdirSync(snapshot, { recursive: true });
  for (const name of readdirSync(join(fixtures, folder))) {
    const path = join(fixtures, folder, name);
    const blob = createHash("sha256").update(readFileSync(path)).digest("hex");
    copyFileSync(path, join(blobs, blob));
    symlinkSync(`../../blobs/${blob}`, join(snapshot, name));
  }
  return snapshot;
}

it.each([
  ["decoder-graphs/dynamo/llama", "", 3],
  ["decoder-graphs/dynamo/llama", "model.onnx", 3],
  ["decoder-graphs/genai-builder/llama-fp32", "", 3],
  ["checkpoints/qwen2-fp16-sharded", "", 3],
])("loads %s/%s behind links", async (folder, file, layers) => {
  const session = await ModelSession.open(join(asCache(folder), file), { threads: 1 });
  try {
    expect(session.layers).toBe(layers);
    expect(
      session.files.every((path) => readdirSync(join(base, "blobs")).some((blob) => path.endsWith(blob))),
    ).toBe(true);
  } finally {
    await session.release();
  }
});

it("follows no link of external data out of the folder of the graph", async () => {
  const snapshot = asCache("decoder-graphs/dynamo/llama");
  const data = join(snapshot, "model.onnx_data");
  rmSync(data);
  copyFileSync(join(fixtures, "decoder-graphs/dynamo/llama/model.onnx_data"), join(base, "elsewhere"));
  symlinkSync("../../elsewhere", data);
  await expect(ModelSession.open(snapshot, { threads: 1 })).rejects.toThrow(
    expect.objectContaining({ kind: "ModelCorrupt" }) as Error,
  );
});
