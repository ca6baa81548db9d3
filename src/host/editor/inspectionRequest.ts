/** What "Inspect Selection" is asked to inspect: from its arguments, the active editor and the current vector. */
import * as vscode from "vscode";
import { examplesOf } from "../../formats/exampleSet.ts";
import { valueColumns } from "../../formats/jsonMembers.ts";
import { readJsonText } from "../../formats/jsonText.ts";
import { vectorOfLayer } from "../../formats/vectorFile.ts";
import { SteerscopeError } from "../../shared/errors.ts";
import { commandIds } from "../ids.ts";
import { requireTrust } from "../notices.ts";
import type { Services } from "../services.ts";
import type { VectorEntry } from "../vectors.ts";
import { readExampleSet } from "./exampleSetDocuments.ts";
import { plainText, type DocumentText } from "./inspectedText.ts";

/** Start line, start character, end line, end character. */
type RangeNumbers = readonly [number, number, number, number];

/** All optional: default is the current vector, the layer it is shown at, and the selections of the active editor. */
export type InspectArguments =
  | {
      /** Name, or address of the file. */
      readonly vector?: string | vscode.Uri;
      readonly layer?: number;
      readonly uri?: vscode.Uri;
      readonly range?: vscode.Range | RangeNumbers;
    }
  /** From the Vectors view. */
  | VectorEntry
  /** From the menu of an editor: the document, which is the active one. */
  | vscode.Uri;

/** Stretches of a document, each for itself, the whole of it, or the examples of an example set. */
export type InspectedPart = readonly vscode.Range[] | "document" | "examples";

export interface InspectionRequest {
  readonly document: vscode.TextDocument;
  readonly entry: VectorEntry;
  readonly layer: number | null;
  readonly part: InspectedPart;
}

/** Examples of a set that are inspected at most. */
const maximumExamples = 400;
/** Characters of a document that are given to the tokenizer at most; far more than will be read. */
const maximumCharacters = 200_000;

/** undefined: there is no vector, and the person was told. Throws InvalidRequest, VectorMismatch, VectorInvalid. */
export async function readInspectionRequest(
  { vectors, notices }: Services,
  given: InspectArguments | undefined,
): Promise<InspectionRequest | undefined> {
  requireTrust();
  await vectors.ready;
  const asked =
    given === undefined || given instanceof vscode.Uri ? {} : "file" in given ? { vector: given.uri } : given;
  const { vector, layer } = asked;
  const entry = vector === undefined ? vectors.current() : findVector(vectors.all(), vector);
  if (entry === undefined) {
    void notices.showError(
      new SteerscopeError("InvalidRequest", vscode.l10n.t("There is no steering vector yet."), {
        remedy: vscode.l10n.t("Compute one from your examples."),
      }),
      [
        {
          title: vscode.l10n.t("Compute Steering Vector"),
          run: () => vscode.commands.executeCommand(commandIds.computeVector),
        },
      ],
    );
    return undefined;
  }
  if (entry.problem !== null) throw entry.problem;
  if (layer !== undefined && entry.file !== null) vectorOfLayer(entry.file, layer);
  if (vector !== undefined) vectors.setCurrent(entry.uri);
  const editor = await editorFor("uri" in asked ? asked.uri : undefined);
  const range = "range" in asked ? asked.range : undefined;
  return {
    document: editor.document,
    entry,
    layer: layer ?? null,
    part: partOf(editor, range),
  };
}

/** The texts of a part, with their places; none that are empty. */
export function textsToInspect(document: vscode.TextDocument, part: InspectedPart): readonly DocumentText[] {
  if (part === "examples") return exampleTexts(document);
  const isWhole = part === "document";
  return (isWhole ? [wholeOf(document)] : part).flatMap((range) => {
    const text = plainText(
      document.getText(range).slice(0, maximumCharacters),
      document.offsetAt(range.start),
      isWhole,
    );
    return text.text === "" ? [] : [text];
  });
}

function wholeOf(document: vscode.TextDocument): vscode.Range {
  return new vscode.Range(new vscode.Position(0, 0), document.lineAt(document.lineCount - 1).range.end);
}

export function rangesInText(
  document: vscode.TextDocument,
  stretches: readonly { readonly from: number; readonly to: number }[],
): readonly vscode.Range[] {
  return stretches.map(
    ({ from, to }) => new vscode.Range(document.positionAt(from), document.positionAt(to)),
  );
}

function findVector(all: readonly VectorEntry[], vector: string | vscode.Uri): VectorEntry {
  const key = String(vector);
  const entry = all.find(
    ({ name, uri }) => (typeof vector === "string" && name === vector) || uri.toString() === key,
  );
  if (entry !== undefined) return entry;
  throw new SteerscopeError("InvalidRequest", vscode.l10n.t('There is no vector "{0}".', key));
}

async function editorFor(uri: vscode.Uri | undefined): Promise<vscode.TextEditor> {
  const key = uri?.toString();
  const editor =
    key === undefined
      ? vscode.window.activeTextEditor
      : [vscode.window.activeTextEditor, ...vscode.window.visibleTextEditors].find(
          (each) => each?.document.uri.toString() === key,
        );
  if (editor !== undefined) return editor;
  if (uri !== undefined) return vscode.window.showTextDocument(uri);
  throw new SteerscopeError("InvalidRequest", vscode.l10n.t("No text is open."), {
    remedy: vscode.l10n.t("Open a file and select the text to inspect."),
  });
}

function partOf(
  { document, selections }: vscode.TextEditor,
  given: vscode.Range | RangeNumbers | undefined,
): InspectedPart {
  if (given !== undefined) {
    return [document.validateRange("start" in given ? given : new vscode.Range(...given))];
  }
  const selected = selections.filter(({ isEmpty }) => !isEmpty);
  if (selected.length > 0) return selected;
  return readExampleSet(document) === null ? "document" : "examples";
}

/** Each example on its own, after its prompt, at the place where its text is written. */
function exampleTexts(document: vscode.TextDocument): DocumentText[] {
  const set = readExampleSet(document)?.set;
  if (set === undefined) return [];
  return examplesOf(set)
    .slice(0, maximumExamples)
    .map(({ line, example }) => {
      const { raw } = set.lines[line - 1]!;
      const lineStart = document.offsetAt(new vscode.Position(line - 1, 0));
      const { text, offsets } = readJsonText(raw, valueColumns(raw, "text").from);
      return {
        text,
        prompt: example.prompt ?? "",
        offsets: offsets.map((offset) => offset + lineStart),
        isWhole: false,
      };
    });
}
