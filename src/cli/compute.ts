import { basename, extname } from "node:path";
import { readFileBounded, writeFileAtomically } from "../client/files.ts";
import { computedVectorFile, computeRequest } from "../formats/computedVector.ts";
import { examplesOf, parseExampleSet, type ExampleSet } from "../formats/exampleSet.ts";
import { doubtTexts, exampleSetDoubts } from "../formats/exampleSetDoubts.ts";
import { SteerscopeError } from "../shared/errors.ts";
import { english } from "../shared/localisation.ts";
import { defaultMethod, methodIds } from "../shared/methods.ts";
import { defaultReadPosition, formatReadPosition, parseReadPosition } from "../shared/readPosition.ts";
import { templates } from "../shared/tokenInput.ts";
import type { Outlier } from "../shared/vectorMeasures.ts";
import { defaultModel, modelOption, type Command } from "./command.ts";
import { measureLegend, measureTable } from "./measureTable.ts";
import { checkOutput } from "./outputFile.ts";
import { count, size } from "./text.ts";

/** The bound of the format is in characters; this many bytes can hold them. */
const maxSetBytes = 512 * 1024 * 1024;
/** A pair that turns the vector by less than this is like the others. */
const notableShift = 0.02;
const maxOutliersShown = 3;

export const computeCommand: Command = {
  name: "compute",
  usage: "<set.jsonl> --out <vector.safetensors> [options]",
  summary: "Compute a steering vector for every layer from an example set.",
  options: {
    out: { type: "string", value: "file", help: "Vector file to write. Required." },
    ...modelOption,
    method: { type: "string", value: "id", help: `${methodIds.join(", ")}. Default: ${defaultMethod}.` },
    position: {
      type: "string",
      value: "position",
      help: "Token that is read: last, last-K, mean, mean-completion, or an index. Default: last.",
    },
    template: {
      type: "string",
      value: "name",
      help: "none: prompt and text as they are; chat: the model's chat template. Default: none.",
    },
    unit: { type: "boolean", help: "Scale the vector of every layer to norm 1." },
    seed: {
      type: "string",
      value: "n",
      help: "Of the method random, of split halves and bootstrap. Default: 0.",
    },
  },
  notes: [
    'A set has one example a line: {"label":"positive","text":"…"}; "prompt" and "pair" are optional.',
    "Example: steerscope compute examples/sets/happy-sad.jsonl --out happy.safetensors",
  ],
  prepare(values) {
    const path = values.onlyPath("compute takes one example set.");
    const out = values.requiredPath("out", "the vector file to write");
    const model = values.path("model") ?? defaultModel;
    const method = values.oneOf("method", methodIds) ?? defaultMethod;
    const template = values.oneOf("template", templates) ?? "none";
    const spelling = values.text("position");
    const position = spelling === undefined ? defaultReadPosition : parseReadPosition(spelling);
    const seed = values.integer("seed", 0, 2 ** 32 - 1) ?? 0;
    const unit = values.flag("unit");

    return async (run) => {
      await checkOutput(out, model, [path]);
      const set = await readExampleSet(path);
      // Its path tells which file to open; the name alone is for the vector.
      const request = computeRequest({ ...set, name: path }, { template, position, method, unit, seed });

      const description = await run.loadForText(model);
      const started = performance.now();
      const result = await run.engine.computeVector(request, run.call);
      const milliseconds = Math.round(performance.now() - started);
      // Not before: where no vector comes of the set, the error is what matters.
      run.warn(
        ...set.problems.map(({ line, message }) => `${path}, line ${line}: ${message}`),
        ...doubtTexts(exampleSetDoubts(set), english).map((doubt) => `${path}: ${doubt}`),
      );

      const { measures, tokens } = result;
      const { program } = run.context;
      const { bytes, provenance } = await computedVectorFile({
        set,
        request,
        model: description,
        result,
        program,
      });
      await writeFileAtomically(out, bytes);

      const { examples } = provenance;
      const outliers = withLines(measures.outliers, set, request.pairs);
      const counts =
        examples.pairs > 0
          ? count(examples.pairs, "pair")
          : `${examples.positive} positive and ${examples.negative} negative examples, unpaired`;
      const notable = outliers.filter(({ shift }) => shift > notableShift).slice(0, maxOutliersShown);
      const text = [
        `${set.name}: ${counts}; ${description.name}, ${method}, read at ${formatReadPosition(position)}\n\n`,
        measureTable(measures.layers, measures.suggested),
        `\n${measureLegend}`,
        `\nSuggested: ${measures.suggested.reason}\n`,
        ...notable.map(
          ({ lines, shift }) =>
            `The pair of the lines ${lines.join(" and ")} turns the vector more than others (1 - cosine ${shift.toFixed(3)}).\n`,
        ),
        `${out}: ${count(description.layers, "vector")} of ${description.hidden} (${size(bytes.length)}); ${count(tokens.total, "token")}, ${tokens.computed} computed, ${milliseconds} ms.\n`,
      ];
      return {
        text: text.join(""),
        json: {
          command: "compute",
          out,
          hidden: description.hidden,
          provenance: { ...provenance, position: formatReadPosition(position) },
          outliers,
          tokens: { total: tokens.total, computed: tokens.computed, fromCache: tokens.fromCache },
          milliseconds: { load: Math.round(description.loadMilliseconds), compute: milliseconds },
        },
      };
    };
  },
};

/** Throws FileUnreadable, ExampleSetInvalid. */
async function readExampleSet(path: string): Promise<ExampleSet> {
  const bytes = await readFileBounded(path, maxSetBytes);
  let text: string;
  try {
    // The byte order mark is kept, as part of what was read.
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new SteerscopeError("ExampleSetInvalid", `${path} is not UTF-8 text.`, {
      remedy: "Save it as UTF-8.",
    });
  }
  return parseExampleSet(text, basename(path, extname(path)));
}

/** Outliers with the lines of their pair, positive first. */
function withLines(outliers: readonly Outlier[], set: ExampleSet, pairs: Int32Array) {
  const examples = examplesOf(set);
  const lines = {
    positive: examples.filter(({ example }) => example.label === "positive").map(({ line }) => line),
    negative: examples.filter(({ example }) => example.label === "negative").map(({ line }) => line),
  };
  return outliers.map(({ pair, shift }) => ({
    shift,
    lines: [lines.positive[pairs[2 * pair]!]!, lines.negative[pairs[2 * pair + 1]!]!],
  }));
}
