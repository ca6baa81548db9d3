/**
 * Writes a parsed model again with changes. What is not changed is copied byte for byte; weights are not copied but
 * referenced where they lie in the original file.
 *
 * Declared shapes of values inside a graph are left out: some no longer hold, and some never did (the onnxruntime-genai
 * builder declares keys of the whole past as long as the new tokens, so its fp16 graphs fail at the first cached step).
 * onnxruntime works out all of them by itself.
 */
import { SteerscopeError } from "../../shared/errors.ts";
import { encodeExternalTensor } from "./encode.ts";
import type { ByteRange, OnnxGraph, OnnxModel, OnnxNode, OnnxTensor } from "./model.ts";
import { fields, MessageWriter, type ByteSource } from "./wire.ts";

/** Additions are encoded messages (encode.ts). */
export interface GraphEdit {
  /** The nodes to write, in order: an original with or without a change, or a new one. */
  readonly nodes: readonly (EditedNode | Uint8Array)[];
  readonly initializers: readonly Uint8Array[];
  readonly inputs: readonly Uint8Array[];
  /** All outputs: originals to keep, and new ones. */
  readonly outputs: readonly (ByteRange | Uint8Array)[];
}

export interface EditedNode {
  readonly node: OnnxNode;
  readonly inputs?: readonly string[];
  readonly outputs?: readonly string[];
  readonly dropAttributes?: readonly string[];
  /** New content of graph attributes, by attribute name. */
  readonly graphs?: ReadonlyMap<string, GraphEdit>;
}

/** Smaller tensors are copied: some of them are shapes that onnxruntime wants to see before it maps weights. */
const smallestReference = 1024;

/** onnxruntime takes a graph of at most 2 GiB; one that keeps half of that inline was not made to be loaded. */
const maximumInlineBytes = 2 ** 30;

export class ModelRewriter {
  readonly #source: ByteSource;
  readonly #weightsFile: string;
  #inlineBytes = 0;

  /** `weightsFile`: what the original file is called, relative to the folder of weights; "" copies all weights. */
  constructor(source: ByteSource, weightsFile: string) {
    this.#source = source;
    this.#weightsFile = weightsFile;
  }

  /** The bytes of `model` with `edit` applied to its graph. Throws ModelUnsupported when they would be too many. */
  write(model: OnnxModel, edit: GraphEdit): Uint8Array {
    const writer = new MessageWriter();
    for (const range of model.rest) writer.raw(this.#copy(range));
    return writer.message(7, this.#graph(model.graph, edit)).finish();
  }

  #graph(graph: OnnxGraph, edit: GraphEdit): MessageWriter {
    const writer = new MessageWriter();
    for (const node of edit.nodes) writer.bytes(1, node instanceof Uint8Array ? node : this.#node(node));
    for (const range of graph.rest) writer.raw(this.#copy(range));
    for (const tensor of graph.initializers.values()) writer.bytes(5, this.#tensor(tensor));
    for (const tensor of edit.initializers) writer.bytes(5, tensor);
    for (const input of graph.inputs) writer.bytes(11, this.#copy(input.body));
    for (const input of edit.inputs) writer.bytes(11, input);
    for (const output of edit.outputs)
      writer.bytes(12, output instanceof Uint8Array ? output : this.#copy(output));
    return writer;
  }

  #node({ node, inputs, outputs, dropAttributes, graphs }: EditedNode): Uint8Array {
    if (!inputs && !outputs && !dropAttributes && !graphs) return this.#copy(node.body);
    const writer = new MessageWriter();
    for (const input of inputs ?? node.inputs) writer.text(1, input);
    for (const output of outputs ?? node.outputs) writer.text(2, output);
    for (const attribute of node.attributes) {
      if (dropAttributes?.includes(attribute.name)) continue;
      const edit = graphs?.get(attribute.name);
      if (edit && attribute.graph)
        writer.message(5, this.#graphAttribute(attribute.body, attribute.graph, edit));
      else writer.bytes(5, this.#copy(attribute.body));
    }
    for (const field of fields(this.#source, node.body.at, node.body.at + node.body.length)) {
      if (field.number === 1 || field.number === 2 || field.number === 5) continue;
      writer.raw(this.#copy({ at: field.start, length: field.end - field.start }));
    }
    return writer.finish();
  }

  #graphAttribute(body: ByteRange, graph: OnnxGraph, edit: GraphEdit): MessageWriter {
    const writer = new MessageWriter();
    for (const field of fields(this.#source, body.at, body.at + body.length)) {
      if (field.number !== 6) writer.raw(this.#copy({ at: field.start, length: field.end - field.start }));
    }
    return writer.message(6, this.#graph(graph, edit));
  }

  #tensor({ name, elementType, dims, raw, body }: OnnxTensor): Uint8Array {
    if (raw === null || raw.length < smallestReference || this.#weightsFile === "") return this.#copy(body);
    const external = { location: this.#weightsFile, offset: raw.at, length: raw.length };
    return encodeExternalTensor(name, elementType, dims, external);
  }

  #copy({ at, length }: ByteRange): Uint8Array {
    this.#inlineBytes += length;
    if (this.#inlineBytes > maximumInlineBytes) {
      throw new SteerscopeError(
        "ModelUnsupported",
        "This model keeps its weights in a form that cannot be mapped.",
        {
          remedy: "Export it again with raw or external data.",
        },
      );
    }
    // A copy: what a source returns is valid until its next read only.
    return this.#source.read(at, length).slice();
  }
}
