import { writeFileAtomically } from "../client/files.ts";
import { unitDirections } from "../formats/unitDirections.ts";
import { checkVectorFits, vectorOfLayer, type VectorFile } from "../formats/vectorFile.ts";
import { parseLayers } from "../shared/layers.ts";
import { formatReadPosition } from "../shared/readPosition.ts";
import { templates, type Template } from "../shared/tokenInput.ts";
import { usageError } from "./arguments.ts";
import { defaultModel, modelOption, type Command, type Run } from "./command.ts";
import { usesColours } from "./context.ts";
import { measureCsv, measureLegend, measureTable } from "./measureTable.ts";
import { checkOutput } from "./outputFile.ts";
import { projectionCsv, projectionTable, type Projections } from "./projectionTable.ts";
import { count, csvLine, figure, table } from "./text.ts";
import { readVectorFile, vectorTemplateOption } from "./vectorInput.ts";

export const inspectCommand: Command = {
  name: "inspect",
  usage: "<vector.safetensors> [--text <text>] [options]",
  summary: "Show what is known of each layer's vector, and where in a text it points.",
  options: {
    text: {
      type: "string",
      value: "text",
      help: "Project every token of this text on the vector of each layer.",
    },
    prompt: { type: "string", value: "text", help: "What precedes the text." },
    ...vectorTemplateOption,
    ...modelOption,
    layer: {
      type: "string",
      value: "layers",
      help: "Layers to show: 3, or 3,5, or 3-6. Default: what fits.",
    },
    csv: { type: "boolean", help: "Print CSV." },
    out: { type: "string", value: "file", help: "Write the table, CSV or JSON to this file instead." },
  },
  notes: [
    "A projection is the dot product of a token's residual stream after the layer with the vector scaled to norm 1.",
    'Example: steerscope inspect happy.safetensors --text "Tom lost his toy and began to cry."',
  ],
  prepare(values) {
    const path = values.onlyPath("inspect takes one vector file.");
    const text = values.text("text");
    const prompt = values.text("prompt");
    if (prompt !== undefined && text === undefined) throw usageError("--prompt needs a --text.");
    const layers = values.text("layer");
    const chosen = layers === undefined ? null : parseLayers(layers);
    const template = values.oneOf("template", templates);
    const model = values.path("model") ?? defaultModel;
    const isCsv = values.flag("csv");
    if (isCsv && values.flag("json")) throw usageError("--csv and --json exclude each other.");
    const out = values.path("out");

    return async (run) => {
      if (out !== undefined) await checkOutput(out, text === undefined ? null : model, [path]);
      const file = await readVectorFile(path);
      // A layer that is not there is a mistake, not an empty column.
      chosen?.forEach((layer) => vectorOfLayer(file, layer));
      const shown = chosen ?? file.present;
      let report: Report;
      if (text === undefined) report = measuresReport(file, shown);
      else {
        const input = prompt === undefined ? { text } : { text, prompt };
        const request = { input, model, template: template ?? file.provenance?.template ?? "none" };
        report = projectionReport(file, await project(file, request, run), chosen, run, out === undefined);
      }
      const json = { command: "inspect", vector: path, ...report.json };
      const content = isCsv ? report.csv : report.text;
      if (out === undefined) return { text: content, json };
      await writeFileAtomically(out, run.isJson ? `${JSON.stringify(json)}\n` : content);
      return { text: null, json: { command: "inspect", vector: path, out } };
    };
  },
};

interface Report {
  readonly json: object;
  readonly csv: string;
  readonly text: string;
}

function measuresReport(file: VectorFile, shown: readonly number[]): Report {
  const { provenance } = file;
  if (provenance === null) {
    const norms = shown.map((layer) => ({ layer, vectorNorm: norm(vectorOfLayer(file, layer)) }));
    const columns = [
      { title: "layer", align: "right" },
      { title: "norm", align: "right" },
    ] as const;
    return {
      json: { provenance: null, layers: norms },
      csv: csvLine(["layer", "vector_norm"]) + norms.map((each) => csvLine(Object.values(each))).join(""),
      text:
        `${count(file.present.length, "vector")} of ${file.hidden}, written by another program; nothing else is known of them.\n\n` +
        table(
          columns,
          norms.map(({ layer, vectorNorm }) => [String(layer), figure(vectorNorm)]),
        ),
    };
  }
  const measures = provenance.measures.filter(({ layer }) => shown.includes(layer));
  const { model, examples, suggested } = provenance;
  const head = [
    `model      ${model.id} (${model.architecture}, ${file.layers} layers, ${file.hidden} wide)`,
    `examples   ${examples.name}: ${examples.positive} positive, ${examples.negative} negative, ${count(examples.pairs, "pair")}`,
    `method     ${provenance.method}, ${provenance.scale}, read at ${formatReadPosition(provenance.position)}, template ${provenance.template}`,
    `written    ${provenance.created} by ${provenance.program}`,
    `suggested  ${suggested.reason}`,
  ];
  return {
    json: {
      hidden: file.hidden,
      provenance: { ...provenance, measures, position: formatReadPosition(provenance.position) },
    },
    csv: measureCsv(measures, suggested),
    text: `${head.map((line) => `${line}\n`).join("")}\n${measureTable(measures, suggested)}\n${measureLegend}`,
  };
}

interface ProjectionRequest {
  readonly input: { readonly text: string; readonly prompt?: string };
  readonly model: string;
  readonly template: Template;
}

async function project(
  file: VectorFile,
  { input, model, template }: ProjectionRequest,
  run: Run,
): Promise<Projections> {
  const description = await run.loadForText(model);
  run.warn(...checkVectorFits(file, description));
  const directions = unitDirections(file, description.layers);
  const inputs = [input];
  const [tokens] = await run.engine.tokenize({ inputs, template }, run.call);
  const [projected] = await run.engine.project(
    { inputs, template, directions, count: 1, steering: null },
    run.call,
  );
  return {
    pieces: tokens!.pieces,
    ids: projected!.ids,
    textStart: tokens!.textStart,
    layers: file.present,
    valueAt: (layer, token) => projected!.projections[(layer + 1) * projected!.ids.length + token]!,
  };
}

function projectionReport(
  file: VectorFile,
  projections: Projections,
  chosen: readonly number[] | null,
  run: Run,
  isForTerminal: boolean,
): Report {
  const { stdout } = run.context;
  const { pieces, ids, textStart } = projections;
  const layers = chosen ?? projections.layers;
  return {
    json: {
      textStart,
      tokens: Array.from(ids, (id, token) => ({
        id,
        piece: pieces[token],
        projections: Object.fromEntries(layers.map((layer) => [layer, projections.valueAt(layer, token)])),
      })),
    },
    csv: projectionCsv(projections, layers),
    text: projectionTable(projections, {
      layers: chosen,
      suggested: file.provenance?.suggested.layer ?? null,
      columns: isForTerminal && stdout.isTerminal ? stdout.columns : Infinity,
      isColoured: isForTerminal && usesColours(stdout, run.context),
    }),
  };
}

function norm(vector: Float32Array): number {
  return Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
}
