/** The reader: bounded, never reads weights, answers broken files with typed errors only. */
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FileByteSource } from "../../src/engine/fileByteSource.ts";
import { attributeOf, parseOnnx } from "../../src/engine/onnx/model.ts";
import { patchGraph } from "../../src/engine/onnx/patch.ts";
import { fields as fieldsOf, MemoryByteSource, MessageWriter } from "../../src/engine/onnx/wire.ts";
import { SteerscopeError } from "../../src/shared/errors.ts";
import { SeededRandom } from "../../src/steering/random.ts";
import {
  fixtureOptions,
  fixtures,
  graphBytes,
  patchBytes,
  toyDecoder,
  toyOptions,
} from "./support/onnxGraphs.ts";

describe("parseOnnx", () => {
  it("reads nodes, tensors, inputs, operator sets and producer", () => {
    const { graph, opsets, producer, externalFiles } = parseOnnx(
      new MemoryByteSource(graphBytes("genai-builder/llama-fp32")),
    );
    expect(producer).toBe("onnxruntime-genai");
    expect([...opsets]).toEqual([
      ["", 21],
      ["com.microsoft", 1],
    ]);
    expect([...externalFiles.keys()]).toEqual(["model.onnx.data"]);
    expect(graph.nodes.length).toBe(44);
    expect(graph.inputs[2]).toMatchObject({
      name: "past_key_values.0.key",
      elementType: 1,
      dims: ["batch_size", 2, "past_sequence_length", "kv_cache_dim"],
    });
    const attention = graph.nodes.find((node) => node.operator === "GroupQueryAttention")!;
    expect(attention.domain).toBe("com.microsoft");
    expect(attributeOf(attention, "kv_num_heads")?.int).toBe(2);
    expect(graph.initializers.get("lm_head.MatMul.weight")).toMatchObject({
      dims: [64, 136],
      external: { location: "model.onnx.data" },
    });
  });

  it("reads graphs inside attributes", () => {
    const { graph } = parseOnnx(new MemoryByteSource(graphBytes("variants/llama-merged")));
    expect(graph.nodes.length).toBe(1);
    const branches = ["then_branch", "else_branch"].map((name) => attributeOf(graph.nodes[0]!, name)!.graph!);
    for (const branch of branches) expect(branch.nodes.length).toBeGreaterThan(400);
  });

  it("refuses graphs nested without end, and files of too many fields", () => {
    let graph = new MessageWriter();
    for (let depth = 0; depth < 40; depth++) {
      const attribute = new MessageWriter().text(1, "body").message(6, graph);
      graph = new MessageWriter().message(1, new MessageWriter().text(4, "Loop").message(5, attribute));
    }
    const deep = new MessageWriter().varint(1, 10).message(7, graph).finish();
    expect(() => parseOnnx(new MemoryByteSource(deep))).toThrow(/nested too deeply/);
    // Twelve million empty nodes, two bytes each.
    const wide = new Uint8Array(24_000_000);
    for (let i = 0; i < wide.length; i += 2) wide[i] = 0x0a;
    const many = new MessageWriter().varint(1, 10).bytes(7, wide).finish();
    expect(() => parseOnnx(new MemoryByteSource(many))).toThrow(/more parts than any model/);
  });

  it("does not read the weights of a file", () => {
    const source = new FileByteSource(
      join(fixtures, "refused", "tiny_gpt2_greedysearch_with_init_decoder.onnx"),
    );
    const { graph } = parseOnnx(source);
    const inBranches = graph.nodes[0]!.attributes.flatMap((attribute) => [
      ...(attribute.graph?.initializers.values() ?? []),
    ]);
    const weights = inBranches.reduce((sum, tensor) => sum + (tensor.raw?.length ?? 0), 0);
    expect(weights).toBeGreaterThan(source.size / 2);
    expect(source.bytesRead).toBeLessThan(source.size);
    source.close();
  });

  it("reads and references positions beyond 2 GiB and 4 GiB", () => {
    const toy = toyDecoder();
    const plain = parseOnnx(new MemoryByteSource(toy));
    const ballast = 5 * 2 ** 30;
    const folder = mkdtempSync(join(tmpdir(), "steerscope-"));
    const path = join(folder, "model.onnx");
    try {
      // The toy's graph, with a tensor of 5 GiB put before the rest of it.
      const tensorHead = new MessageWriter()
        .varint(1, ballast / 4)
        .varint(2, 1)
        .text(8, "ballast")
        .finish();
      const tag = (field: number, length: number): Uint8Array => {
        const whole = new MessageWriter().varint(field, length).finish();
        whole[0]! += 2; // varint -> length-delimited: the same number, another wire type
        return whole;
      };
      const graphField = [...topFields(toy)].find((field) => field.number === 7)!;
      const body = toy.subarray(graphField.at, graphField.at + graphField.length);
      const rawHead = tag(9, ballast);
      const tensorLength = tensorHead.length + rawHead.length + ballast;
      const tensorTag = tag(5, tensorLength);
      const graphTag = tag(7, tensorTag.length + tensorLength + body.length);
      const file = openSync(path, "w");
      let at = 0;
      for (const part of [toy.subarray(0, graphField.start), graphTag, tensorTag, tensorHead, rawHead]) {
        at += writeSync(file, part, 0, part.length, at);
      }
      const rawAt = at;
      at += ballast;
      const bodyAt = at;
      for (const part of [body, toy.subarray(graphField.end)])
        at += writeSync(file, part, 0, part.length, at);
      ftruncateSync(file, at);
      closeSync(file);

      const source = new FileByteSource(path);
      const model = parseOnnx(source);
      expect(model.graph.initializers.get("ballast")!.raw).toEqual({ at: rawAt, length: ballast });
      const head = plain.graph.initializers.get("head")!.raw!;
      expect(model.graph.initializers.get("head")!.raw).toEqual({
        at: head.at - graphField.at + bodyAt,
        length: head.length,
      });
      const patched = patchGraph(model, source, toyOptions);
      expect(source.bytesRead).toBeLessThan(2 ** 20);
      source.close();
      const again = parseOnnx(new MemoryByteSource(patched.bytes));
      expect(again.graph.initializers.get("ballast")!.external).toEqual({
        location: "model.onnx",
        offset: rawAt,
        length: ballast,
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

function* topFields(
  bytes: Uint8Array,
): Generator<{ number: number; start: number; at: number; length: number; end: number }> {
  yield* fieldsOf(new MemoryByteSource(bytes), 0, bytes.length);
}

describe.each([
  ["genai-builder/llama-fp32", 400],
  ["optimum/opt", 60],
  ["variants/llama-merged", 30],
] as const)("fuzzing %s", (folder, rounds) => {
  const original = graphBytes(folder);
  const options = fixtureOptions(folder);

  function attempt(bytes: Uint8Array): "accepted" | "refused" {
    try {
      patchBytes(bytes, options);
      return "accepted";
    } catch (error) {
      if (error instanceof SteerscopeError) return "refused";
      throw error;
    }
  }

  it("answers flipped bits with typed errors or with a graph", () => {
    const random = new SeededRandom(20250, folder.length);
    const outcomes = { accepted: 0, refused: 0 };
    for (let round = 0; round < rounds; round++) {
      const bytes = original.slice();
      for (let flips = 1 + random.below(6); flips > 0; flips--) {
        bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
      }
      outcomes[attempt(bytes)]++;
    }
    expect(outcomes.refused).toBeGreaterThan(0);
  });

  it("refuses every truncation", () => {
    const random = new SeededRandom(4711, folder.length);
    for (let round = 0; round < 100; round++) {
      expect(attempt(original.subarray(0, random.below(original.length)))).toBe("refused");
    }
  });
});
