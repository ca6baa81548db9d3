/** Graphs whose token ids, masks and positions are 32-bit integers, as older exporters and JavaScript tools write them. */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ElementType } from "../../src/engine/onnx/encode.ts";
import { parseOnnx } from "../../src/engine/onnx/model.ts";
import { fields, MemoryByteSource } from "../../src/engine/onnx/wire.ts";
import { greedySampling } from "../../src/shared/engineContract.ts";
import { fixtures, largestDifference, readReference, useTestEngine } from "./support/engine.ts";

const integerInputs = ["input_ids", "attention_mask", "position_ids"];

/** The graph with another element type of its integer inputs: one byte each (ValueInfoProto.type.tensor_type.elem_type). */
function withIntegerType(bytes: Uint8Array, elementType: number): { bytes: Uint8Array; changed: string[] } {
  const source = new MemoryByteSource(bytes);
  const result = Uint8Array.from(bytes);
  const changed: string[] = [];
  for (const { name, body } of parseOnnx(source).graph.inputs) {
    if (!integerInputs.includes(name)) continue;
    let range = body;
    for (const wanted of [2, 1]) {
      const field = [...fields(source, range.at, range.at + range.length)].find((f) => f.number === wanted)!;
      range = { at: field.at, length: field.end - field.at };
    }
    // A tag of one byte and a value of one byte.
    expect(result[range.at + 1]).toBe(ElementType.int64);
    result[range.at + 1] = elementType;
    changed.push(name);
  }
  return { bytes: result, changed };
}

describe("a graph with 32-bit inputs", () => {
  const original = join(fixtures, "decoder-graphs/optimum/gpt2");
  const bytes = new Uint8Array(readFileSync(join(original, "model.onnx")));
  const test = useTestEngine();
  const folderWith = (elementType: number): string => {
    const folder = join(test.folder, String(elementType));
    cpSync(original, folder, { recursive: true });
    const { bytes: converted, changed } = withIntegerType(bytes, elementType);
    expect(changed).toEqual(integerInputs);
    writeFileSync(join(folder, "model.onnx"), converted);
    return folder;
  };

  it("gives PyTorch's logits, and the same text as with 64-bit inputs", async () => {
    const reference = readReference(original);
    const input = { ids: Int32Array.from(reference["ids"]!.data), textStart: 0 };
    const texts: number[][] = [];
    for (const model of [folderWith(ElementType.int32), original]) {
      expect((await test.call("load", { model })).selfTest.passed).toBe(true);
      const request = { input, template: "none", steering: null, logits: true } as const;
      const { logits } = await test.call("activations", request);
      expect(largestDifference(logits!, reference["logits"]!.data)).toBeLessThan(1e-5);
      const { completions } = await test.call("generate", {
        input,
        template: "none",
        variants: [null],
        sampling: { ...greedySampling, maxTokens: 8 },
      });
      texts.push([...completions[0]!.ids]);
    }
    expect(texts[0]).toEqual(texts[1]);
  });

  it("is refused with inputs of any other type", async () => {
    await expect(test.call("load", { model: folderWith(ElementType.float64) })).rejects.toMatchObject({
      kind: "ModelUnsupported",
      message: expect.stringMatching(/“input_ids” takes neither 32-bit nor 64-bit whole numbers/) as string,
    });
  });
});
