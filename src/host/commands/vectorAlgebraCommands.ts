/** Negate and Combine: new vector files out of others. */
import * as vscode from "vscode";
import { combinationFormula } from "../../formats/combinedTerms.ts";
import { encodeVectorFile } from "../../formats/vectorFile.ts";
import { SteerscopeError, isSteerscopeError } from "../../shared/errors.ts";
import { parseCombination, type ExpressionTerm } from "../combinationExpression.ts";
import { combineVectors, isZeroSum, type Combination, type WeightedFile } from "../combineVectors.ts";
import { requireTrust } from "../notices.ts";
import { program } from "../program.ts";
import { registerCommand } from "../registerCommand.ts";
import type { Services } from "../services.ts";
import { chooseVectors, findVector } from "../vectorChoice.ts";
import { freeVectorName, vectorNameNotice } from "../vectorNames.ts";
import type { VectorEntry, Vectors } from "../vectors.ts";

/** What `steering.combineVectors` takes to run without asking. */
interface CombineArguments {
  /** Such as `0.8*happy - 0.3*"more formal"`. */
  readonly expression?: string;
  readonly name?: string;
}

export function registerAlgebraCommands(services: Services): vscode.Disposable {
  const { vectors } = services;
  return vscode.Disposable.from(
    registerCommand(services, "negateVector", async (...args: unknown[]) => {
      requireTrust();
      const title = vscode.l10n.t("Negate Vector");
      const written: string[] = [];
      for (const entry of (await chooseVectors(vectors, args, { title })) ?? []) {
        const negated = combineVectors([weighted(entry, -1)], program, new Date().toISOString());
        written.push(await write(vectors, `not-${entry.name}`, negated, entry.uri));
      }
      return written;
    }),
    registerCommand(services, "combineVectors", async (argument?: unknown, selection?: unknown) => {
      requireTrust();
      await vectors.ready;
      const asked = (argument ?? {}) as CombineArguments;
      // An item of the view, which has a name too, is no order to use it.
      const given = asked.expression === undefined ? {} : asked;
      const expression = given.expression ?? (await askExpression(vectors, argument, selection));
      if (expression === undefined) return undefined;
      const combined = readCombination(vectors, expression);
      const name = given.name ?? (await askName(vectors, combined));
      if (name === undefined) return undefined;
      return write(vectors, name, combined.combination, combined.near);
    }),
  );
}

async function write(
  vectors: Vectors,
  name: string,
  { layers, hidden, vectors: values, provenance }: Combination,
  near: vscode.Uri,
): Promise<string> {
  const uri = await vectors.write(name, encodeVectorFile(layers, hidden, values, provenance), near);
  vectors.setCurrent(uri);
  vectors.show(uri);
  return uri.toString();
}

function weighted({ name, file, problem }: VectorEntry, weight: number): WeightedFile {
  if (file === null) throw problem ?? new SteerscopeError("VectorInvalid", name);
  return { name, file, weight };
}

interface ReadCombination {
  readonly combination: Combination;
  readonly name: string;
  readonly near: vscode.Uri;
}

/** Throws InvalidRequest for what cannot be read, unknown names and a sum of zero, VectorMismatch for vectors that do not fit. */
function readCombination(vectors: Vectors, expression: string): ReadCombination {
  const terms = parseCombination(expression).map(({ weight, name, column }) => ({
    weight,
    entry: findVector(vectors, name, column),
  }));
  const files = terms.map(({ entry, weight }) => weighted(entry, weight));
  const combination = combineVectors(files, program, new Date().toISOString());
  if (isZeroSum(files, combination.vectors)) {
    throw new SteerscopeError("InvalidRequest", vscode.l10n.t("The sum is zero: it steers nothing."), {
      remedy: vscode.l10n.t("Choose other weights."),
    });
  }
  const name = terms.map(({ entry }) => entry.name).join("-and-");
  return { combination, name, near: terms[0]!.entry.uri };
}

/** Asks which vectors, unless two or more are selected, and then for the weights. */
async function askExpression(
  vectors: Vectors,
  argument: unknown,
  selection: unknown,
): Promise<string | undefined> {
  const title = vscode.l10n.t("Combine Vectors");
  const selected = Array.isArray(selection)
    ? await chooseVectors(vectors, [argument, selection], { title })
    : vectors.selected();
  const entries =
    selected !== undefined && selected.length > 1
      ? selected
      : await pickSeveral(
          vectors,
          title,
          argument === undefined ? selected : [findVector(vectors, argument)],
        );
  if (entries === undefined) return undefined;
  const terms: ExpressionTerm[] = entries.map(({ name }) => ({ weight: 1, name }));
  return vscode.window.showInputBox({
    title,
    value: combinationFormula(terms),
    prompt: vscode.l10n.t('Weights and signs, such as 0.8*happy - 0.3*"more formal"'),
    validateInput: (text) => problemOf(() => readCombination(vectors, text)),
  });
}

async function pickSeveral(
  vectors: Vectors,
  title: string,
  preselected: readonly VectorEntry[] = [],
): Promise<readonly VectorEntry[] | undefined> {
  const entries = vectors.all().filter(({ file }) => file !== null);
  if (entries.length === 0) {
    throw new SteerscopeError("InvalidRequest", vscode.l10n.t("There is no vector yet."), {
      remedy: vscode.l10n.t("Compute one from an example set."),
    });
  }
  const picked = await vscode.window.showQuickPick(
    entries.map((entry) => ({ label: entry.name, picked: preselected.includes(entry), entry })),
    { title, canPickMany: true, placeHolder: vscode.l10n.t("Two or more vectors of one model") },
  );
  return picked === undefined || picked.length === 0 ? undefined : picked.map(({ entry }) => entry);
}

function askName(vectors: Vectors, { name, near }: ReadCombination): Thenable<string | undefined> {
  return vscode.window.showInputBox({
    title: vscode.l10n.t("Combine Vectors"),
    value: freeVectorName(vectors, name.slice(0, 90), near),
    prompt: vscode.l10n.t("Name of the new vector"),
    validateInput: vectorNameNotice(vectors, near),
  });
}

/** The sentence of what `body` throws on purpose, for an input box. */
function problemOf(body: () => unknown): string | undefined {
  try {
    body();
    return undefined;
  } catch (error) {
    if (!isSteerscopeError(error)) throw error;
    return error.remedy === undefined ? error.message : `${error.message} ${error.remedy}`;
  }
}
