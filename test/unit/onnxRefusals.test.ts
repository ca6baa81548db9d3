/** What is no decoder that can be steered is refused with its own kind and a reason; nothing is half steered. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ElementType, encodeValueInfo, type NodeSpec } from "../../src/engine/onnx/encode.ts";
import { parseOnnx } from "../../src/engine/onnx/model.ts";
import { checkSteerable } from "../../src/engine/onnx/patch.ts";
import { MemoryByteSource } from "../../src/engine/onnx/wire.ts";
import type { ErrorKind } from "../../src/shared/errors.ts";
import {
  fixtureOptions,
  fixtures,
  graphBytes,
  graphFolders,
  patchBytes,
  toyDecoder,
  toyOptions,
} from "./support/onnxGraphs.ts";

function refusal(run: () => unknown): { kind: string; message: string; remedy: string | undefined } {
  try {
    run();
  } catch (error) {
    const { name, message, remedy } = error as Error & { remedy?: string };
    return { kind: name, message, remedy };
  }
  throw new Error("accepted");
}

function expectRefusal(run: () => unknown, kind: ErrorKind, reason: RegExp): void {
  const { message, remedy, ...rest } = refusal(run);
  expect(rest.kind).toBe(kind);
  expect(message).toMatch(reason);
  expect(remedy).toMatch(/\.$|git lfs pull/);
}

const int64Input = (name: string): Uint8Array =>
  encodeValueInfo(name, ElementType.int64, ["batch", "tokens"]);
const floatInput = (name: string, dims: (number | string)[]): Uint8Array =>
  encodeValueInfo(name, ElementType.float32, dims);

describe("files", () => {
  it.each([
    ["dummy_decoder.onnx", /holds no operations/],
    ["tiny_gpt2_beamsearch.onnx", /BeamSearch/],
    ["tiny_gpt2_greedysearch_with_init_decoder.onnx", /GreedySearch/],
  ])("refuses %s", (file, reason) => {
    const bytes = readFileSync(join(fixtures, "refused", file));
    expectRefusal(() => patchBytes(bytes, toyOptions), "ModelUnsupported", reason);
  });

  it.each<[string, string | Uint8Array, RegExp]>([
    ["an empty file", "", /empty/],
    ["a text file", '{"model_type": "llama"}\n', /text file/],
    ["a Git LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", /Git LFS pointer/],
    ["a truncated file", graphBytes("genai-builder/llama-fp32").subarray(0, 9000), /ends in the middle/],
    ["noise", Uint8Array.from({ length: 4096 }, (_, i) => (i * 193 + 7) % 251), /ONNX/],
  ])("refuses %s", (_, content, reason) => {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    expectRefusal(() => patchBytes(bytes, toyOptions), "ModelCorrupt", reason);
  });
});

describe("graphs", () => {
  it("accepts the toy they are made from", () => {
    expect(patchBytes(toyDecoder(), toyOptions).layers).toBe(2);
  });

  const withNode = (node: Partial<NodeSpec>): Uint8Array =>
    toyDecoder({ nodes: [{ operator: "Identity", inputs: ["x1"], outputs: ["other"], ...node }] });

  it.each<[string, Uint8Array, RegExp]>([
    [
      "an encoder-decoder",
      toyDecoder({ inputs: [floatInput("encoder_hidden_states", ["b", "s", 8])] }),
      /encoder/,
    ],
    [
      "embeddings instead of ids",
      toyDecoder({ frontInputs: [floatInput("inputs_embeds", ["b", "s", 8])] }),
      /embeddings/,
    ],
    ["an unknown input", toyDecoder({ inputs: [int64Input("token_type_ids")] }), /token_type_ids/],
    ["no token ids", toyDecoder({ frontInputs: [] }), /token ids/],
    [
      "fractional token ids",
      toyDecoder({ frontInputs: [floatInput("input_ids", ["b", "t"])] }),
      /whole numbers/,
    ],
    ["no cache", toyDecoder({ withoutCache: true }), /no KV cache/],
    ["an int8 cache", toyDecoder({ cacheType: ElementType.int8 }), /number type/],
    [
      "a state that is no cache",
      toyDecoder({ inputs: [floatInput("past_conv.0", ["b", 8, 3])] }),
      /past_conv\.0/,
    ],
    ["no logits", toyDecoder({ logitsName: "last_hidden_state" }), /no logits/],
    ["an old operator set", toyDecoder({ opset: 9 }), /operator set 9/],
    ["paged attention", withNode({ operator: "PagedAttention" }), /PagedAttention/],
    [
      "attention with fused norms",
      withNode({ operator: "GroupQueryAttention", inputs: ["x1", ...new Array<string>(13).fill(""), "w"] }),
      /GPU/,
    ],
    ["one layer more than configured", toyDecoder({ layers: 3 }), /3 blocks.*2 layers/],
    ["one layer less than configured", toyDecoder({ layers: 1 }), /1 blocks.*2 layers/],
  ])("refuses %s", (_, bytes, reason) => {
    expectRefusal(() => patchBytes(bytes, toyOptions), "ModelUnsupported", reason);
  });

  const changed = (change: (nodes: NodeSpec[]) => NodeSpec[]): Uint8Array => toyDecoder({ change });
  const rewire = (output: string, inputs: string[]): ((nodes: NodeSpec[]) => NodeSpec[]) => {
    return (nodes) => nodes.map((node) => (node.outputs[0] === output ? { ...node, inputs } : node));
  };

  it.each<[string, Uint8Array, RegExp]>([
    ["a stream that bypasses a block", changed(rewire("logits", ["x0", "head"])), /cache|stream/],
    [
      "a second embedding that joins late",
      changed((nodes) => [
        { operator: "Gather", inputs: ["table", "input_ids"], outputs: ["extra"] },
        ...rewire("mlp1", ["extra", "w"])(nodes),
      ]),
      /carries the whole stream/,
    ],
    [
      "blocks that end in different operations",
      changed((nodes) =>
        nodes.map((node) => (node.outputs[0] === "x2" ? { ...node, operator: "Sum" } : node)),
      ),
      /same kind of operation/,
    ],
    [
      "logits of some tokens only",
      changed((nodes) => [
        ...nodes.slice(0, -1),
        { operator: "Gather", inputs: ["x2", "heads"], outputs: ["last"] },
        { operator: "MatMul", inputs: ["last", "head"], outputs: ["logits"] },
      ]),
      /some tokens only/,
    ],
    [
      "logits without a token embedding",
      changed((nodes) => rewire("x0", ["table", "heads"])(nodes)),
      /do not depend on a token embedding/,
    ],
  ])("refuses %s, whatever the configuration says", (_, bytes, reason) => {
    expectRefusal(() => patchBytes(bytes, toyOptions), "ModelUnsupported", reason);
    const parsed = parseOnnx(new MemoryByteSource(bytes));
    expectRefusal(
      () => {
        checkSteerable(parsed);
      },
      "ModelUnsupported",
      reason,
    );
  });

  it("refuses a skip over two blocks, which may be one block", () => {
    const bytes = changed(rewire("mlp1", ["x0", "w"]));
    expectRefusal(() => patchBytes(bytes, toyOptions), "ModelUnsupported", /1 blocks.*2 layers/);
  });

  it.each(graphFolders)("finds %s steerable without its configuration", (folder) => {
    expect(() => {
      checkSteerable(parseOnnx(new MemoryByteSource(graphBytes(folder))));
    }).not.toThrow();
  });

  it("refuses a graph of another width than configured", () => {
    expectRefusal(
      () => patchBytes(toyDecoder(), { ...toyOptions, hidden: 12 }),
      "ModelUnsupported",
      /8 wide.*12/,
    );
    const options = { ...fixtureOptions("optimum/llama"), hidden: 48 };
    expectRefusal(() => patchBytes(graphBytes("optimum/llama"), options), "ModelUnsupported", /32 wide.*48/);
  });

  it("refuses a graph that is patched already", () => {
    const patched = patchBytes(toyDecoder(), { ...toyOptions, weightsFile: "" });
    expectRefusal(
      () => patchBytes(patched.bytes, toyOptions),
      "ModelUnsupported",
      /patched for steering before/,
    );
  });

  it("refuses operations that form a circle", () => {
    const bytes = changed(rewire("mlp0", ["x1", "w"]));
    expectRefusal(() => patchBytes(bytes, toyOptions), "ModelCorrupt", /circle/);
  });
});
