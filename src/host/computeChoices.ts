/** What a computation is made with besides its examples, as it is remembered for each set. */
import type { ComputeSettings } from "../formats/computedVector.ts";
import type { VectorProvenance } from "../formats/vectorFile.ts";
import { SteerscopeError } from "../shared/errors.ts";
import { methodIds } from "../shared/methods.ts";
import { formatReadPosition, parseReadPosition } from "../shared/readPosition.ts";
import { templates } from "../shared/tokenInput.ts";

export interface ComputeChoices extends Pick<ComputeSettings, "method" | "position" | "template"> {
  /** Catalogue id or folder. */
  readonly model: string;
}

/** The same as text: what is stored, and what commands take. */
export interface SpelledChoices {
  readonly model?: string;
  readonly method?: string;
  readonly position?: string;
  readonly template?: string;
}

export function spellChoices({
  model,
  method,
  position,
  template,
}: ComputeChoices): Required<SpelledChoices> {
  return { model, method, position: formatReadPosition(position), template };
}

/** `spelled` with `defaults` where it says nothing. Throws InvalidRequest for what does not exist. */
export function readChoices(spelled: SpelledChoices, defaults: ComputeChoices): ComputeChoices {
  const { model, method, position, template } = spelled;
  return {
    model: model ?? defaults.model,
    method: method === undefined ? defaults.method : oneOf("method", method, methodIds),
    position: position === undefined ? defaults.position : parseReadPosition(position),
    template: template === undefined ? defaults.template : oneOf("template", template, templates),
  };
}

/** Whether a vector was computed from the same model, examples and settings, so that doing it again gives it again. */
export function isRepeat(
  provenance: VectorProvenance,
  inputs: ComputeSettings & { readonly modelHash: string; readonly setHash: string },
): boolean {
  return (
    provenance.combined === null &&
    provenance.model.hash === inputs.modelHash &&
    provenance.examples.hash === inputs.setHash &&
    provenance.method === inputs.method &&
    formatReadPosition(provenance.position) === formatReadPosition(inputs.position) &&
    provenance.template === inputs.template &&
    (provenance.scale === "unit") === inputs.unit &&
    provenance.seed === inputs.seed
  );
}

function oneOf<T extends string>(what: string, value: string, values: readonly T[]): T {
  const found = values.find((candidate) => candidate === value);
  if (found !== undefined) return found;
  throw new SteerscopeError("InvalidRequest", `"${value}" is not a ${what}.`, {
    remedy: `Use one of ${values.join(", ")}.`,
  });
}
