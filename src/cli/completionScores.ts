/** `generate --score`: how far the vector moves what the model writes, beside random vectors of the same norm. */
import { readFileBounded } from "../client/files.ts";
import {
  measureCompletionEffect,
  type CompletionEffect,
  type Movement,
} from "../evaluation/completionEffect.ts";
import { vectorOfLayer } from "../formats/vectorFile.ts";
import type { ModelDescription, Sampling } from "../shared/engineContract.ts";
import { SteerscopeError } from "../shared/errors.ts";
import type { Template } from "../shared/tokenInput.ts";
import type { Run } from "./command.ts";
import { figure } from "./text.ts";
import type { VectorInUse, VectorRequest } from "./vectorInput.ts";

const maxPromptFileBytes = 1024 * 1024;
const maxPrompts = 1000;
/** Single random directions move text too, some of them far: the first of 20 would be so by chance once in 20. */
const controls = 19;

/** One prompt a line; empty lines do not count. Throws FileUnreadable or InvalidRequest. */
export async function readPrompts(path: string): Promise<readonly string[]> {
  const text = new TextDecoder().decode(await readFileBounded(path, maxPromptFileBytes));
  const prompts = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  if (prompts.length < 2 || prompts.length > maxPrompts) {
    throw new SteerscopeError(
      "InvalidRequest",
      `${path} has ${prompts.length} prompts; 2 to ${maxPrompts} can be scored.`,
      {
        remedy: "Write one prompt a line; about 20 give a usable interval.",
      },
    );
  }
  return prompts;
}

/** Generates and measures. Throws InvalidRequest for more than one layer. */
export async function scoreCompletions(
  run: Run,
  model: ModelDescription,
  vector: VectorInUse,
  request: Pick<VectorRequest, "strengths" | "scope">,
  prompts: readonly string[],
  settings: { readonly template: Template; readonly sampling: Sampling },
): Promise<CompletionEffect> {
  const [layer, ...others] = vector.layers;
  if (layer === undefined || others.length > 0) {
    throw new SteerscopeError("InvalidRequest", "Completions are scored along the vector of one layer.", {
      remedy: "Give --layer one number.",
    });
  }
  const effect = await measureCompletionEffect(
    run.engine,
    {
      prompts,
      layer,
      layers: model.layers,
      vector: vectorOfLayer(vector.file, layer),
      strengths: request.strengths,
      controls,
      scope: request.scope,
      seed: settings.sampling.seed,
      ...settings,
    },
    {
      signal: run.context.signal,
      onProgress: (done, total) => {
        run.call.onProgress?.({ kind: "step", stage: "Scoring completions", done, total, unit: "prompts" });
      },
    },
  );
  run.endProgress();
  return effect;
}

/** The table for people, with sentences that say what follows from it. */
export function formatEffect(effect: CompletionEffect): string {
  const { layer, prompts, vector, controls } = effect;
  const rows = vector.strengths.map(({ strength, change, interval }) =>
    tableRow("vector", strength, change, interval),
  );
  const chance = vector.strengths.map(({ strength }, index) => {
    const changes = controls.map(({ strengths }) => strengths[index]!.change).sort((a, b) => a - b);
    const range = { low: changes[0]!, high: changes.at(-1)! };
    return tableRow(`${controls.length} random`, strength, changes[changes.length >> 1]!, range);
  });
  return [
    `What ${prompts} completions say, read back without steering: change of their mean projection on the vector of layer ${layer}`,
    "at the ends of sentences. The vector with its 95 % bootstrap interval over prompts; random vectors of the same norm with the",
    "median, the lowest and the highest.",
    "",
    "steered by  strength    change  range",
    ...[...rows, ...chance].map((row) => `  ${row}`),
    "",
    conclusion(effect),
  ].join("\n");
}

function tableRow(
  name: string,
  strength: number,
  change: number,
  { low, high }: { readonly low: number; readonly high: number },
): string {
  return `${name.padEnd(9)}  ${signed(strength).padStart(7)}  ${figure(change).padStart(8)}  [${figure(low)}, ${figure(high)}]`;
}

function signed(strength: number): string {
  return `${strength > 0 ? "+" : ""}${strength}`;
}

/** Whether the vector moved the text its way at every strength, where not, and whether chance does as much. */
function conclusion({ vector, controls, rank }: CompletionEffect): string {
  const tried = vector.strengths.filter(({ strength }) => strength !== 0);
  if (tried.length === 0) {
    return "Strength 0 adds nothing, so this says nothing about the vector. Give a --strength other than 0.";
  }
  const random = `${controls.length} random vectors`;
  const alike = controls.filter(({ movesAsIntended }) => movesAsIntended).length;
  const atStrengths = (movement: Movement): string =>
    tried
      .filter((effect) => effect.movement === movement)
      .map(({ strength }) => signed(strength))
      .join(", ");
  const reversed = atStrengths("reversed");
  const unclear = atStrengths("unclear");
  const isReliable = vector.movesAsIntended && rank === 1;
  return [
    `The vector ${vector.movesAsIntended ? "moves" : "does not move"} the text in the intended direction at every strength tried.`,
    ...(reversed === "" ? [] : [`It is reversed at strength ${reversed}: the text moves the other way.`]),
    ...(unclear === "" ? [] : [`No movement is certain at strength ${unclear}: the interval holds 0.`]),
    `In the intended direction at every strength: ${alike} of ${random}.`,
    `As far as this one or farther, to whichever side, all strengths together: ${rank - 1} of ${controls.length}.`,
    ...(isReliable ? [] : ["Do not rely on this effect."]),
  ].join(" ");
}
