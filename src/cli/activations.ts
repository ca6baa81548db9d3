import { writeFileAtomically } from "../client/files.ts";
import { encodeSafetensors } from "../formats/safetensors.ts";
import { formatScope } from "../shared/scope.ts";
import { templates, type ModelInput } from "../shared/tokenInput.ts";
import { parseIds, usageError, type Arguments } from "./arguments.ts";
import { defaultModel, modelOption, type Command } from "./command.ts";
import { checkOutput } from "./outputFile.ts";
import { size } from "./text.ts";
import { readVectorRequest, useVector, vectorOptions, warnIfNothingSteered } from "./vectorInput.ts";

export const activationsCommand: Command = {
  name: "activations",
  usage: "(--prompt <text> | --ids <5,9,33>) --out <file.safetensors> [options]",
  summary: "Write the residual stream (and logits) of every token to a file, steered or not.",
  options: {
    prompt: { type: "string", value: "text", help: "Text to read." },
    ids: {
      type: "string",
      value: "ids",
      help: "Token ids to read, as they are; the model's folder then needs no tokenizer.",
    },
    out: { type: "string", value: "file", help: "Safetensors file to write. Required." },
    logits: { type: "boolean", help: "Write logits as well." },
    ...modelOption,
    template: { type: "string", value: "name", help: "none or chat, with --prompt. Default: none." },
    ...vectorOptions,
  },
  notes: [
    "resid is F32 [layers + 1, tokens, hidden]: row 0 enters block 0, row L + 1 leaves block L, after steering there.",
    "logits is F32 [tokens, vocabulary]; ids is I32 [tokens]. The scope is all unless said otherwise; one --strength only.",
    'Example: steerscope activations --prompt "Once upon a time" --logits --out once.safetensors',
  ],
  prepare(values) {
    if (values.positionals.length > 0) throw usageError("activations takes options only.");
    const input = readInput(values);
    const out = values.requiredPath("out", "the file to write");
    const model = values.path("model") ?? defaultModel;
    const template = values.oneOf("template", templates) ?? "none";
    if (template !== "none" && "ids" in input) {
      throw usageError("--template needs a --prompt: token ids are read as they are.");
    }
    const logits = values.flag("logits");
    const request = readVectorRequest(values, "all");
    if (request !== null && request.strengths.length > 1)
      throw usageError("activations takes one --strength.");

    return async (run) => {
      await checkOutput(out, model, request === null ? [] : [request.path]);
      const description = await run.load(model);
      const vector = request === null ? null : await useVector(request, description, run);
      const steering = vector?.steerings[0] ?? null;
      const result = await run.engine.activations({ input, template, steering, logits }, run.call);
      const tokens = result.ids.length;
      // Nothing is generated here: all of it is the prompt.
      if (request !== null) warnIfNothingSteered(run, request.scope, tokens, tokens);
      const shapes = {
        ids: [tokens],
        resid: [description.layers + 1, tokens, description.hidden],
        ...(result.logits === null ? {} : { logits: [tokens, result.logits.length / tokens] }),
      };
      const applied =
        request === null || vector === null
          ? null
          : {
              file: request.path,
              layers: vector.layers,
              strength: request.strengths[0]!,
              scope: formatScope(request.scope),
            };
      const bytes = encodeSafetensors(
        [
          { name: "ids", dtype: "I32", shape: shapes.ids, data: result.ids },
          { name: "resid", dtype: "F32", shape: shapes.resid, data: result.resid },
          ...(result.logits === null || shapes.logits === undefined
            ? []
            : [{ name: "logits", dtype: "F32" as const, shape: shapes.logits, data: result.logits }]),
        ],
        {
          format: "steerscope-activations",
          program: run.context.program,
          model: description.model,
          model_hash: description.modelHash,
          ...(applied === null ? {} : { steering: JSON.stringify(applied) }),
        },
      );
      await writeFileAtomically(out, bytes);
      const list = Object.entries(shapes).map(([name, shape]) => `${name} [${shape.join(", ")}]`);
      return {
        text: `${out}: ${list.join(", ")} (${size(bytes.length)})\n`,
        json: {
          command: "activations",
          out,
          model: { id: description.model, hash: description.modelHash },
          ids: Array.from(result.ids),
          shapes,
          steering: applied,
        },
      };
    };
  },
};

function readInput(values: Arguments): ModelInput {
  const prompt = values.text("prompt");
  const ids = values.text("ids");
  if (prompt !== undefined && ids === undefined) return { text: prompt };
  if (prompt === undefined && ids !== undefined) return { ids: parseIds(ids), textStart: 0 };
  throw usageError("activations needs either --prompt or --ids.");
}
