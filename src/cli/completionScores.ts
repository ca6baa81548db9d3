/** `generate --score`: how far the vector moves what the model writes, beside random vectors of the same norm. */
import { readFileBounded } from "../client/files.ts";
import { measureCompletionEffect, type CompletionEffect } from "../evaluation/completionEffect.ts";
import { vectorOfLayer } from "../formats/vectorFile.ts";
import type { ModelDescription, Sampling } from "../shared/engineContract.ts";
import { SteerscopeError } from "../shared/errors.ts";
import type { Template } from "../shared/tokenInput.ts";
import type { Run } from "./command.ts";
import { figure } from "./text.ts";
import type { VectorInUse, VectorRequest } from "./vectorInput.ts";

const maxPromptFileBytes = 1024 * 1024;
const maxPrompts = 1000;
/** One random direction may by chance point somewhere; four show what chance does. */
const controls = 4;

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

/** The table for people, with a sentence that says what follows from it. */
export function formatEffect(effect: CompletionEffect, prompts: number): string {
  const rows = effect.effects.map(({ control, strength, change, interval }) => {
    const name = control ? "random" : "vector";
    const sign = strength > 0 ? "+" : "";
    const range = `[${figure(interval.low)}, ${figure(interval.high)}]`;
    return `${name}  ${`${sign}${strength}`.padStart(8)}  ${figure(change).padStart(8)}  ${range}`;
  });
  return [
    `What ${prompts} completions say, read back without steering: change of their mean projection on the vector of layer ${effect.layer}`,
    "at the ends of sentences (95 % bootstrap interval over prompts).",
    "",
    "steered by  strength    change  interval",
    ...rows.map((row) => `  ${row}`),
    "",
    conclusion(effect),
  ].join("\n");
}

/** Whether every strength of the vector moved the text its way, and whether chance does the same. */
function conclusion({ effects }: CompletionEffect): string {
  const own = effects.filter(({ control, strength }) => !control && strength !== 0);
  const moved = own.filter(({ strength, interval }) => (strength > 0 ? interval.low > 0 : interval.high < 0));
  const chance = effects.filter(({ control, strength, interval }) => {
    return control && (strength > 0 ? interval.low > 0 : interval.high < 0);
  });
  const first =
    moved.length === own.length
      ? "The vector moves the text in the intended direction at every strength tried."
      : `The vector moves the text in the intended direction at ${moved.length} of ${own.length} strengths tried; at the others the interval contains 0.`;
  const second =
    chance.length === 0
      ? "Random vectors of the same norm do not."
      : `Random vectors of the same norm do so at ${chance.length}: do not trust this effect.`;
  return `${first} ${second}`;
}
