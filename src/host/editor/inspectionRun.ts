/** Projects texts of a document, token by token, on the vectors of all layers of a file. */
import { unitDirections } from "../../formats/unitDirections.ts";
import { checkVectorFits, type VectorFile } from "../../formats/vectorFile.ts";
import type { ModelDescription, TokenizedText } from "../../shared/engineContract.ts";
import type { Job } from "../engineHost.ts";
import type { Models } from "../models.ts";
import { regionOf, tokenCells, tokenWindows, type DocumentText, type Region } from "./inspectedText.ts";

/** What a small model reads in some seconds. */
const maximumTokens = 8192;

export interface Projected {
  /** One a text, in their order; without cells where the bound was reached before. */
  readonly regions: readonly Region[];
  readonly model: ModelDescription;
  /** Sentences for people. */
  readonly warnings: readonly string[];
  /** Tokens that were read; fewer than there are where `isCut`. */
  readonly tokens: number;
  readonly isCut: boolean;
}

/**
 * Loads the selected model and runs it. Text is read as it is, without a chat template: it is a document, not a
 * conversation. Throws VectorMismatch, and what the engine throws.
 */
export async function projectTexts(
  job: Job,
  models: Models,
  file: VectorFile,
  texts: readonly DocumentText[],
): Promise<Projected> {
  const model = await models.load(job);
  const warnings = checkVectorFits(file, model);
  const inputs = texts.map(({ text, prompt }) => (prompt === "" ? { text } : { text, prompt }));
  const tokenized = await job.engine.tokenize({ inputs, template: "none" }, job.call);
  const directions = unitDirections(file, model.layers);
  const regions: Region[] = [];
  let tokens = 0;
  let isCut = false;
  for (const [index, text] of texts.entries()) {
    const all = tokenized[index]!;
    const count = Math.min(all.ids.length, maximumTokens - tokens);
    if (count < all.ids.length) isCut = true;
    tokens += count;
    if (count === 0) regions.push(regionOf(text));
    else regions.push(await projectText(job, model, directions, text, all, count));
  }
  return { regions, model, warnings, tokens, isCut };
}

async function projectText(
  job: Job,
  model: ModelDescription,
  directions: Float32Array,
  text: DocumentText,
  { ids, offsets, pieces }: TokenizedText,
  count: number,
): Promise<Region> {
  let special = 0;
  while (special < count && offsets[2 * special + 1] === 0) special++;
  const windows = tokenWindows(count, special, model.contextLength);
  const inputs = windows.map(({ start, end }) => ({
    ids: Int32Array.from([...ids.subarray(0, special), ...ids.subarray(start, end)]),
    textStart: 0,
  }));
  const projected = await job.engine.project(
    { inputs, template: "none", directions, count: 1, steering: null },
    job.call,
  );
  const projections = new Float32Array(model.layers * count);
  windows.forEach(({ start, end, keepFrom }, window) => {
    const from = projected[window]!;
    for (let layer = 0; layer < model.layers; layer++) {
      // Row 0 is what enters layer 0.
      const row = from.projections.subarray((layer + 1) * from.ids.length, (layer + 2) * from.ids.length);
      const kept = row.subarray(keepFrom === 0 ? 0 : special + keepFrom - start, special + end - start);
      projections.set(kept, layer * count + keepFrom);
    }
  });
  return {
    ...regionOf(text),
    cells: tokenCells(text, offsets, count),
    pieces: pieces.slice(0, count),
    projections,
    sink: 0,
  };
}
