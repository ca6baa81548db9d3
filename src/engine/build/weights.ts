/** The weights of a checkpoint as initializers whose bytes stay in the safetensors files. */
import type { SafetensorsEntry, SafetensorsHeader } from "../../formats/safetensors.ts";
import { SteerscopeError } from "../../shared/errors.ts";
import { ElementType, encodeExternalTensor } from "../onnx/encode.ts";

export interface Shard {
  /** Name of the file in the model's folder. */
  readonly file: string;
  readonly header: SafetensorsHeader;
}

export type Precision = "fp32" | "fp16" | "bf16";

const storage: ReadonlyMap<string, { readonly precision: Precision; readonly elementType: number }> = new Map(
  [
    ["F32", { precision: "fp32", elementType: ElementType.float32 }],
    ["F16", { precision: "fp16", elementType: ElementType.float16 }],
    ["BF16", { precision: "bf16", elementType: ElementType.bfloat16 }],
  ],
);

/** Buffers that old checkpoints carry and that are computed here. */
const knownBuffer = /^model\.(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq$/;

function corrupt(detail: string): SteerscopeError {
  return new SteerscopeError("ModelCorrupt", `The checkpoint does not fit its config.json: ${detail}.`, {
    remedy: "Download the model again.",
  });
}

export interface Weight {
  readonly precision: Precision;
  /** The content of a TensorProto. */
  readonly initializer: Uint8Array;
}

/** Hands out each tensor of a checkpoint by name and expected shape, and knows which ones nobody asked for. */
export class CheckpointWeights {
  readonly #tensors = new Map<string, { readonly file: string; readonly entry: SafetensorsEntry }>();
  readonly #unused: Set<string>;

  /** Throws ModelCorrupt when a tensor is in two shards or a shard is not a plain file name. */
  constructor(shards: readonly Shard[]) {
    for (const { file, header } of shards) {
      if (!/^[^/\\\0]+$/.test(file) || file === "." || file === "..") {
        throw corrupt(`${file} is not a file of the model's folder`);
      }
      for (const [name, entry] of header.tensors) {
        if (this.#tensors.has(name)) throw corrupt(`${name} occurs twice`);
        this.#tensors.set(name, { file, entry });
      }
    }
    this.#unused = new Set([...this.#tensors.keys()].filter((name) => !knownBuffer.test(name)));
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** The tensor `name`. Throws ModelCorrupt when it is missing or of another shape, ModelUnsupported for its type. */
  take(name: string, shape: readonly number[]): Weight {
    const found = this.#tensors.get(name);
    if (!found) throw corrupt(`the tensor ${name} is missing`);
    const { file, entry } = found;
    if (entry.shape.length !== shape.length || entry.shape.some((dim, axis) => dim !== shape[axis])) {
      throw corrupt(`${name} is [${entry.shape.join(", ")}], not [${shape.join(", ")}]`);
    }
    const stored = storage.get(entry.dtype);
    if (!stored) {
      throw new SteerscopeError("ModelUnsupported", `Weights of type ${entry.dtype} cannot be run.`, {
        detail: name,
        remedy: "Choose a checkpoint in float32, float16 or bfloat16.",
      });
    }
    this.#unused.delete(name);
    const external = { location: file, offset: entry.begin, length: entry.end - entry.begin };
    const initializer = encodeExternalTensor(name, stored.elementType, shape, external);
    return { precision: stored.precision, initializer };
  }

  /** Says that `name` may be there and is not needed. */
  ignore(name: string): void {
    this.#unused.delete(name);
  }

  /** Throws ModelUnsupported when there are tensors that no one took: the model has parts that are not known here. */
  refuseUnused(): void {
    const [name] = this.#unused;
    if (name === undefined) return;
    throw new SteerscopeError("ModelUnsupported", `This checkpoint has a part that is not known: ${name}.`, {
      detail: `${this.#unused.size} tensors more than a model of its type has`,
      remedy: "Export the model to ONNX, with Optimum for example, and open the export.",
    });
  }
}
