/** What is applied: Set Layer and Strength, Switch Vector On or Off, Edit Recipe. */
import * as vscode from "vscode";
import type { VectorFile } from "../../formats/vectorFile.ts";
import { SteerscopeError, isSteerscopeError } from "../../shared/errors.ts";
import { formatApplied, readApplied } from "../appliedRecipe.ts";
import { doseOf, formatLayerStrength, parseLayerStrength, type LayerStrength } from "../layerStrength.ts";
import { requireTrust } from "../notices.ts";
import { registerCommand } from "../registerCommand.ts";
import type { Services } from "../services.ts";
import { settings } from "../settings.ts";
import { chooseVector, chooseVectors, type VectorArgument } from "../vectorChoice.ts";
import type { VectorEntry, Vectors } from "../vectors.ts";

export function registerSteeringCommands(services: Services): vscode.Disposable {
  const { vectors } = services;
  return vscode.Disposable.from(
    registerCommand(services, "setStrength", async (argument?: VectorArgument, spelling?: unknown) => {
      requireTrust();
      const title = vscode.l10n.t("Set Layer and Strength");
      const entry = await chooseVector(vectors, [argument], { title });
      if (entry?.file === undefined || entry.file === null) return undefined;
      // The second argument is the text, or what VS Code gives for a selection.
      const text = typeof spelling === "string" ? spelling : await askStrength(title, vectors, entry);
      if (text === undefined) return undefined;
      const chosen = parseLayerStrength(text, entry.file);
      await vectors.apply(entry.uri, { on: true, ...chosen });
      vectors.setCurrent(entry.uri);
      return { uri: entry.uri.toString(), ...chosen };
    }),
    registerCommand(services, "switchVector", async (...args: unknown[]) => {
      requireTrust();
      const title = vscode.l10n.t("Switch Vector On or Off");
      const entries = await chooseVectors(vectors, args, { title });
      if (entries === undefined) return undefined;
      // Several at once become alike.
      const on = !entries.every((entry) => vectors.isOn(entry));
      for (const { uri } of entries) await vectors.apply(uri, { on });
      return { on, uris: entries.map(({ uri }) => uri.toString()) };
    }),
    registerCommand(services, "editRecipe", async (recipe?: unknown) => {
      requireTrust();
      await vectors.ready;
      const line = typeof recipe === "string" ? recipe : await askRecipe(vectors);
      if (line === undefined) return undefined;
      await applyRecipe(vectors, line);
      return currentRecipe(vectors);
    }),
  );
}

function askStrength(title: string, vectors: Vectors, entry: VectorEntry): Thenable<string | undefined> {
  const now = { layers: vectors.layersOf(entry), strength: vectors.strengthOf(entry) };
  const value = formatLayerStrength(now);
  const hint = vscode.l10n.t("Layers and strength, such as 3 4 or 2-4 1.5");
  const dose = entry.file === null ? undefined : describeDose(entry.file, now);
  return vscode.window.showInputBox({
    title: `${title}: ${entry.name}`,
    value,
    valueSelection: [value.lastIndexOf(" ") + 1, value.length],
    // What is typed is judged below; what is there at first is not.
    prompt: dose === undefined ? hint : `${hint}. ${dose.message}`,
    validateInput: (text) => checkStrength(entry, text),
  });
}

/** Why the text cannot be used, or what the strength means in the model. */
function checkStrength(
  { file }: VectorEntry,
  text: string,
): string | vscode.InputBoxValidationMessage | undefined {
  if (file === null) return undefined;
  try {
    return describeDose(file, parseLayerStrength(text, file));
  } catch (error) {
    if (!isSteerscopeError(error)) throw error;
    return error.remedy === undefined ? error.message : `${error.message} ${error.remedy}`;
  }
}

function describeDose(file: VectorFile, chosen: LayerStrength): vscode.InputBoxValidationMessage | undefined {
  const dose = doseOf(file, chosen);
  if (dose === null) return undefined;
  const decimals = Math.max(2, settings.decimals());
  const [least, most] = [dose.least.toFixed(decimals), dose.most.toFixed(decimals)];
  const { Info, Warning } = vscode.InputBoxValidationSeverity;
  return {
    message:
      least === most
        ? vscode.l10n.t("Strength {0} = {1} of the residual norm", chosen.strength, least)
        : vscode.l10n.t("Strength {0} = {1} to {2} of the residual norm", chosen.strength, least, most),
    // More than the stream itself: what follows is the vector, not the text.
    severity: dose.most > 1 ? Warning : Info,
  };
}

function currentRecipe(vectors: Vectors): string {
  return formatApplied(vectors.applied(), vectors.scope());
}

function askRecipe(vectors: Vectors): Thenable<string | undefined> {
  const value = currentRecipe(vectors);
  return vscode.window.showInputBox({
    title: vscode.l10n.t("Edit Recipe"),
    value,
    valueSelection: [value.length, value.length],
    prompt: vscode.l10n.t("What is applied, such as 0.8*mood@3 - 0.3*formal@2-4 scope:after-prompt"),
    validateInput: (text) => {
      const read = readApplied(text, vectors.all());
      return "message" in read ? placed(text, read) : undefined;
    },
  });
}

async function applyRecipe(vectors: Vectors, line: string): Promise<void> {
  const read = readApplied(line, vectors.all());
  if ("message" in read) throw new SteerscopeError("InvalidRequest", placed(line, read));
  const uris = new Set(read.terms.map(({ entry }) => entry.uri.toString()));
  for (const { entry } of vectors.applied()) {
    if (!uris.has(entry.uri.toString())) await vectors.apply(entry.uri, { on: false });
  }
  for (const { entry, layers, strength } of read.terms) {
    await vectors.apply(entry.uri, { on: true, layers, strength });
  }
  await vectors.setScope(read.scope);
}

/** An input box cannot underline: the place is named. */
function placed(line: string, { from, to, message }: { from: number; to: number; message: string }): string {
  const spelled = line.slice(from, to).trim();
  return spelled === ""
    ? vscode.l10n.t("Column {0}: {1}", from + 1, message)
    : vscode.l10n.t('Column {0}, "{1}": {2}', from + 1, spelled, message);
}
