/** Tokenizer files are hostile: each defect gives its own typed error, quickly. */
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadTokenizer, readEndOfSequence } from "../../src/engine/text/tokenizer.ts";

type Json = Record<string, unknown>;

const original = join(import.meta.dirname, "../fixtures/tokenizers/smollm");
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "steerscope-tokenizer-"));
  cpSync(original, folder, { recursive: true });
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function edit(name: string, change: (parsed: Json) => unknown): void {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, "utf8")) as Json)));
}

function editModel(change: (model: Json) => Json): void {
  edit("tokenizer.json", (parsed) => ({ ...parsed, model: change(parsed["model"] as Json) }));
}

/** The folder's tokenizer with a chat template in a file of its own. */
async function withTemplate(template: string): ReturnType<typeof loadTokenizer> {
  writeFileSync(join(folder, "chat_template.jinja"), template);
  return loadTokenizer(folder);
}

async function errorKind(): Promise<unknown> {
  const error: unknown = await loadTokenizer(folder).catch((reason: unknown) => reason);
  return (error as { kind?: unknown }).kind;
}

describe("loadTokenizer", () => {
  it.each<[string, string, () => void]>([
    [
      "a missing file",
      "ModelCorrupt",
      () => {
        rmSync(join(folder, "tokenizer.json"));
      },
    ],
    [
      "a truncated file",
      "ModelCorrupt",
      () => {
        truncateSync(join(folder, "tokenizer.json"), 1000);
      },
    ],
    [
      "an enormous file",
      "ModelCorrupt",
      () => {
        truncateSync(join(folder, "tokenizer.json"), 2 ** 31);
      },
    ],
    [
      "a list",
      "ModelCorrupt",
      () => {
        edit("tokenizer.json", () => []);
      },
    ],
    [
      "no model",
      "ModelCorrupt",
      () => {
        edit("tokenizer.json", (parsed) => ({ ...parsed, model: undefined }));
      },
    ],
    [
      "a kind of model that nobody knows",
      "ModelUnsupported",
      () => {
        editModel((model) => ({ ...model, type: "Oracle" }));
      },
    ],
    [
      "a kind of normaliser that nobody knows",
      "ModelUnsupported",
      () => {
        edit("tokenizer.json", (parsed) => ({ ...parsed, normalizer: { type: "Oracle" } }));
      },
    ],
    [
      "no vocabulary",
      "ModelCorrupt",
      () => {
        editModel((model) => ({ ...model, vocab: undefined }));
      },
    ],
    [
      "an id that is no index",
      "ModelCorrupt",
      () => {
        editModel((model) => ({ ...model, vocab: { ...(model["vocab"] as Json), x: 4e9 } }));
      },
    ],
    [
      "a vocabulary of strings",
      "ModelCorrupt",
      () => {
        editModel((model) => ({ ...model, vocab: ["a", "b"] }));
      },
    ],
    [
      "no merges",
      "ModelCorrupt",
      () => {
        editModel((model) => ({ ...model, merges: 7 }));
      },
    ],
    [
      "added tokens that are none",
      "ModelCorrupt",
      () => {
        edit("tokenizer.json", (parsed) => ({ ...parsed, added_tokens: [{ id: -1, content: "x" }] }));
      },
    ],
    [
      "a configuration that is not JSON",
      "ModelCorrupt",
      () => {
        writeFileSync(join(folder, "tokenizer_config.json"), "{");
      },
    ],
    [
      "a chat template of the wrong shape",
      "ModelUnsupported",
      () => {
        edit("tokenizer_config.json", (parsed) => ({ ...parsed, chat_template: [{ name: 3 }] }));
      },
    ],
    [
      "a normaliser nested without end",
      "ModelUnsupported",
      () => {
        const depth = 20_000;
        const nested = '{"type":"Sequence","normalizers":['.repeat(depth) + "]}".repeat(depth);
        const text = readFileSync(join(folder, "tokenizer.json"), "utf8");
        writeFileSync(
          join(folder, "tokenizer.json"),
          text.replace('"normalizer":null', `"normalizer":${nested}`),
        );
      },
    ],
  ])("refuses %s with %s", async (_, kind, damage) => {
    damage();
    expect(await errorKind()).toBe(kind);
  });

  it("works without tokenizer_config.json", async () => {
    rmSync(join(folder, "tokenizer_config.json"));
    const tokenizer = await loadTokenizer(folder);
    expect(tokenizer.hasChatTemplate).toBe(false);
    expect(tokenizer.beginOfSequenceId).toBeNull();
    expect(tokenizer.decode(tokenizer.encode({ text: "A cat , here" }, "none").ids)).toBe("A cat , here");
  });

  it("takes a chat template from its own file first, and hashes it", async () => {
    const before = await loadTokenizer(folder);
    const after = await withTemplate("{{ 'Q: ' + messages[0]['content'] + ' A:' }}");
    expect(after.encode({ text: "why?" }, "chat").rendered).toBe("Q: why? A:");
    expect(after.hash).not.toBe(before.hash);
    expect((await loadTokenizer(folder)).hash).toBe(after.hash);
  });

  it.each(["{{ raise_exception('no system turn') }}", "{% for x in %}", "{{ messages | nonsense }}"])(
    "says that the template %s cannot be applied",
    async (template) => {
      const tokenizer = await withTemplate(template);
      expect(() => tokenizer.encode({ text: "hi" }, "chat")).toThrow(
        expect.objectContaining({ kind: "ModelUnsupported" }) as Error,
      );
    },
  );

  it("finds a text that the template writes elsewhere or twice", async () => {
    const tokenizer = await withTemplate(
      "{{ 'user user\n' + messages[0]['content'] + '\n(' + messages[0]['content'] | upper + ')' }}",
    );
    const { rendered, offsets, textStart, textEnd } = tokenizer.encode({ text: "user" }, "chat");
    expect(rendered.slice(offsets[2 * textStart])).toBe("user\n(USER)");
    expect(rendered.slice(offsets[2 * textStart], offsets[2 * textEnd - 1])).toBe("user");
  });

  it("takes what stands between the template's own words for a text that it rewrites", async () => {
    const tokenizer = await withTemplate("{{ 'Q: ' + messages[0]['content'] | upper + '\n\nA:' }}");
    const { rendered, offsets, textStart, textEnd } = tokenizer.encode({ text: "why?" }, "chat");
    expect(rendered.slice(offsets[2 * textStart], offsets[2 * textEnd - 1]).trim()).toBe("WHY?");
  });

  it("refuses a text longer than anything a model reads", async () => {
    const tokenizer = await loadTokenizer(folder);
    expect(() => tokenizer.encode({ text: "x".repeat(20_000_000) }, "none")).toThrow(
      expect.objectContaining({ kind: "InvalidRequest" }) as Error,
    );
  });
});

describe("readEndOfSequence", () => {
  const write = (name: string, value: unknown): void => {
    writeFileSync(join(folder, name), JSON.stringify(value));
  };

  it("prefers generation_config.json, and takes a number or a list", () => {
    expect(readEndOfSequence(folder)).toEqual([]);
    write("config.json", { eos_token_id: 2 });
    expect(readEndOfSequence(folder)).toEqual([2]);
    write("generation_config.json", { eos_token_id: [5, 7, 5] });
    expect(readEndOfSequence(folder)).toEqual([5, 7]);
    write("generation_config.json", { temperature: 1 });
    expect(readEndOfSequence(folder)).toEqual([2]);
  });

  it("looks into the decoder's part of a multimodal configuration", () => {
    write("config.json", { text_config: { eos_token_id: 9 } });
    expect(readEndOfSequence(folder)).toEqual([9]);
  });

  it("ignores what is no id and refuses what is no JSON", () => {
    write("config.json", { eos_token_id: ["</s>", -1, 1.5, 3] });
    expect(readEndOfSequence(folder)).toEqual([3]);
    writeFileSync(join(folder, "config.json"), "{");
    expect(() => readEndOfSequence(folder)).toThrow(
      expect.objectContaining({ kind: "ModelCorrupt" }) as Error,
    );
  });
});
