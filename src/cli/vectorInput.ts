/** `--vector`, `--layer` and `--strength`: from the words of a command line to the terms of a steering. */
import { checkVectorFits, parseVectorFile, vectorOfLayer, type VectorFile } from "../formats/vectorFile.ts";
import { readFileBounded } from "../client/files.ts";
import type { ModelDescription, Steering } from "../shared/engineContract.ts";
import { isSteerscopeError, SteerscopeError } from "../shared/errors.ts";
import { parseLayers } from "../shared/layers.ts";
import { formatScope, isSteered, parseScope, type Scope } from "../shared/scope.ts";
import type { Arguments, OptionSpecs } from "./arguments.ts";
import { usageError } from "./arguments.ts";
import type { Run } from "./command.ts";
import { count } from "./text.ts";

/** A vector of the largest models at every layer takes a tenth of this. */
const maxVectorBytes = 512 * 1024 * 1024;
/** Strengths beyond it only overflow. */
const maxStrength = 1e6;

export const vectorOptions: OptionSpecs = {
  vector: {
    type: "string",
    value: "file",
    help: "Vector file of steerscope compute, or safetensors with tensors direction.L.",
  },
  layer: {
    type: "string",
    value: "layers",
    help: "0-based layers to steer: 3, or 3,5, or 3-6. Default: the layer that the file suggests.",
  },
  strength: {
    type: "string",
    multiple: true,
    value: "x",
    help: "What the vector is multiplied by before it is added. Default: 1.",
  },
  scope: {
    type: "string",
    value: "scope",
    help: "Steered tokens: all, after-prompt, generated, prompt, or a range such as 3-7.",
  },
};

/** Of commands that take the vector's own template unless told otherwise. */
export const vectorTemplateOption: OptionSpecs = {
  template: {
    type: "string",
    value: "name",
    help: "none or chat. Default: what the vector was computed with.",
  },
};

/** What was asked for; the file is not read yet. */
export interface VectorRequest {
  readonly path: string;
  readonly layers: readonly number[] | null;
  readonly strengths: readonly number[];
  readonly scope: Scope;
}

/** null without `--vector`. Throws InvalidRequest. */
export function readVectorRequest(values: Arguments, defaultScope: Scope): VectorRequest | null {
  const path = values.path("vector");
  const layers = values.text("layer");
  const strengths = values.numbers("strength", -maxStrength, maxStrength);
  const scope = values.text("scope");
  if (path === undefined) {
    if (layers !== undefined || strengths.length > 0 || scope !== undefined) {
      throw usageError("--layer, --strength and --scope need a --vector.");
    }
    return null;
  }
  return {
    path,
    layers: layers === undefined ? null : parseLayers(layers),
    strengths: strengths.length === 0 ? [1] : strengths,
    scope: scope === undefined ? defaultScope : parseScope(scope),
  };
}

/** Throws FileUnreadable, VectorInvalid. */
export async function readVectorFile(path: string): Promise<VectorFile> {
  const bytes = await readFileBounded(path, maxVectorBytes);
  try {
    return parseVectorFile(bytes);
  } catch (error) {
    if (!isSteerscopeError(error)) throw error;
    const { kind, message, remedy, detail } = error;
    throw new SteerscopeError(kind, `${path}: ${message}`, {
      ...(remedy === undefined ? {} : { remedy }),
      ...(detail === undefined ? {} : { detail }),
    });
  }
}

export interface VectorInUse {
  readonly file: VectorFile;
  readonly layers: readonly number[];
  /** One steering for each strength of the request, in its order. */
  readonly steerings: readonly Steering[];
}

/** Reads the file, holds it against the model (with warnings) and builds the steerings. Throws VectorMismatch. */
export async function useVector(
  request: VectorRequest,
  model: ModelDescription,
  run: Run,
): Promise<VectorInUse> {
  const file = await readVectorFile(request.path);
  run.warn(...checkVectorFits(file, model));
  const layers = request.layers ?? suggestedLayers(file);
  const zero = layers.filter((layer) => vectorOfLayer(file, layer).every((value) => value === 0));
  run.warn(
    ...zero.map((layer) => `The vector of layer ${layer} in ${request.path} is zero and changes nothing.`),
  );
  const steerings = request.strengths.map((strength) => ({
    terms: layers.map((layer) => ({ layer, vector: vectorOfLayer(file, layer), strength })),
    scope: request.scope,
  }));
  return { file, layers, steerings };
}

/** Warns where no token of a text of `tokens` tokens, `promptLength` of them its prompt, lies in the scope. */
export function warnIfNothingSteered(run: Run, scope: Scope, tokens: number, promptLength: number): void {
  for (let index = 0; index < tokens; index++) if (isSteered(scope, index, promptLength)) return;
  run.warn(
    `The scope ${formatScope(scope)} holds none of the ${count(tokens, "token")} read: nothing was steered.`,
  );
}

function suggestedLayers(file: VectorFile): readonly number[] {
  if (file.provenance !== null) return [file.provenance.suggested.layer];
  if (file.present.length === 1) return file.present;
  throw new SteerscopeError("InvalidRequest", "The vector file does not suggest a layer.", {
    remedy: "Name one with --layer.",
  });
}
