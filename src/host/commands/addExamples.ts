import * as vscode from "vscode";
import {
  appendExamples,
  type Example,
  type ExampleLabel,
  type ExampleSet,
} from "../../formats/exampleSet.ts";
import { newPairIds, pairIds } from "../../formats/exampleSetEdits.ts";
import { lineProblemText } from "../../formats/lineProblem.ts";
import { SteerscopeError } from "../../shared/errors.ts";
import { setFromArgument } from "../exampleNodes.ts";
import type { ExampleSets } from "../exampleSets.ts";
import { requireTrust } from "../notices.ts";
import { originHash, TextLines, withFeeds } from "../originRange.ts";
import { registerCommand } from "../registerCommand.ts";
import type { Services } from "../services.ts";
import { workspacePath } from "../steeringFolder.ts";
import { countOf } from "../views/exampleItems.ts";

/** What other callers than the editor pass. */
export interface AddArguments {
  readonly text?: string | readonly string[];
  readonly prompt?: string;
  /** Name or address; the active set without it. */
  readonly set?: string;
}

export interface AddedExamples {
  /** Address of the set. */
  readonly set: string;
  /** 1-based. */
  readonly lines: readonly number[];
  readonly pair?: string;
}

type Draft = Omit<Example, "label">;

const firstSetName = "examples";
/** A book is no example: no supported context holds more. */
const maxTextCharacters = 1_000_000;
const messageMilliseconds = 6000;

/** Add as Positive Example, Add as Negative Example, Add Pair from Two Selections. */
export function registerAddCommands(services: Services): vscode.Disposable {
  return vscode.Disposable.from(
    registerCommand(services, "addPositive", (argument?: unknown) => add(services, "positive", argument)),
    registerCommand(services, "addNegative", (argument?: unknown) => add(services, "negative", argument)),
    registerCommand(services, "addPair", () => addPair(services)),
  );
}

async function add(services: Services, label: ExampleLabel, argument: unknown): Promise<AddedExamples> {
  requireTrust();
  const given = givenDrafts(argument);
  const drafts = given ?? selectedDrafts();
  const uri = await targetSet(services.sets, given === undefined ? undefined : argument);
  return append(services, uri, () => drafts.map((draft) => ({ label, ...draft })));
}

async function addPair(services: Services): Promise<AddedExamples> {
  requireTrust();
  const editor = activeEditor();
  // The editor lists selections in the order in which they were made.
  const drafts = editor.selections.flatMap((selection) => draftAt(editor.document, selection) ?? []);
  const [positive, negative] = drafts;
  if (positive === undefined || negative === undefined || drafts.length > 2) {
    throw new SteerscopeError("InvalidRequest", vscode.l10n.t("A pair is made of two selections."), {
      remedy: vscode.l10n.t(
        "Select the positive text, then the negative one with Alt held down (or Ctrl or Cmd, as the editor is set).",
      ),
    });
  }
  let pair = "";
  const uri = await targetSet(services.sets, undefined);
  const added = await append(services, uri, (set) => {
    pair = newPairIds(pairIds(set), 1)[0]!;
    return [
      { label: "positive", ...positive, pair },
      { label: "negative", ...negative, pair },
    ];
  });
  return { ...added, pair };
}

async function append(
  { sets }: Services,
  uri: vscode.Uri,
  examplesFor: (set: ExampleSet) => readonly Example[],
): Promise<AddedExamples> {
  let lines: readonly number[] = [];
  let examples: readonly Example[] = [];
  await sets.change(uri, (set) => {
    examples = examplesFor(set);
    const after = appendExamples(set, examples);
    const first = set.lines.length + 1;
    lines = examples.map((_, index) => first + index);
    const bad = after.problems.find(({ line, severity }) => line >= first && severity === "error");
    if (bad === undefined) return after;
    throw new SteerscopeError("InvalidRequest", lineProblemText(bad, vscode.l10n), {
      remedy: vscode.l10n.t("Select another text."),
    });
  });
  say(sets, uri, examples);
  return { set: uri.toString(), lines };
}

function say(sets: ExampleSets, uri: vscode.Uri, examples: readonly Example[]): void {
  const file = sets.get(uri);
  const counts = vscode.l10n.t(
    "{0} positive, {1} negative",
    countOf(file, "positive"),
    countOf(file, "negative"),
  );
  const labels = new Set(examples.map(({ label }) => label));
  const what =
    labels.size > 1
      ? vscode.l10n.t("a pair")
      : labels.has("positive")
        ? vscode.l10n.t("positive examples: {0}", examples.length)
        : vscode.l10n.t("negative examples: {0}", examples.length);
  const sentence = vscode.l10n.t("Added to {0}: {1} (now {2})", file?.name ?? "", what, counts);
  vscode.window.setStatusBarMessage(`$(check) ${sentence}`, messageMilliseconds);
}

/** The set that was asked for, else the active one, else a new one: the first example must not begin with a question. */
async function targetSet(sets: ExampleSets, argument: unknown): Promise<vscode.Uri> {
  await sets.ready;
  const { set: wanted } = (argument ?? {}) as AddArguments;
  if (wanted !== undefined) {
    const found = setFromArgument(sets, wanted);
    if (found !== undefined) return found.uri;
    throw new SteerscopeError("InvalidRequest", vscode.l10n.t("There is no example set {0}.", wanted), {
      remedy: vscode.l10n.t("Choose another example set."),
    });
  }
  const active = sets.active();
  if (active !== undefined) return active.uri;
  const uri = await sets.ensure(firstSetName, vscode.window.activeTextEditor?.document.uri);
  await sets.setActive(uri);
  return uri;
}

function givenDrafts(argument: unknown): readonly Draft[] | undefined {
  if (typeof argument !== "object" || argument === null || !("text" in argument)) return undefined;
  const { text, prompt } = argument as AddArguments;
  const texts = typeof text === "string" ? [text] : (text ?? []);
  return texts.map((each) => (prompt === undefined ? { text: each } : { text: each, prompt }));
}

function activeEditor(): vscode.TextEditor {
  const editor = vscode.window.activeTextEditor;
  if (editor !== undefined) return editor;
  throw new SteerscopeError("InvalidRequest", vscode.l10n.t("No text editor is open."), {
    remedy: vscode.l10n.t("Open a file and select the text that is to be an example."),
  });
}

/** One a selection, in the order of the document; where nothing is selected, the lines of the cursors. */
function selectedDrafts(): readonly Draft[] {
  const { document, selections } = activeEditor();
  const ordered = selections.toSorted((a, b) => a.start.compareTo(b.start));
  const selected = ordered.filter(({ isEmpty }) => !isEmpty);
  const lines = new Set(ordered.map(({ active }) => active.line));
  const ranges = selected.length > 0 ? selected : [...lines].map((line) => document.lineAt(line).range);
  const drafts = ranges.flatMap((range) => draftAt(document, range, selected.length === 0) ?? []);
  if (drafts.length > 0) return drafts;
  throw new SteerscopeError("InvalidRequest", vscode.l10n.t("Nothing is selected, and the line is empty."), {
    remedy: vscode.l10n.t("Select the text that is to be an example, or put the cursor into its line."),
  });
}

/**
 * The text of a range without the line ends at its edges, which a selection of whole lines brings along and which would be
 * the last token read; of a cursor's line also without its indentation. undefined: nothing but white space.
 */
function draftAt(document: vscode.TextDocument, range: vscode.Range, isLine = false): Draft | undefined {
  const whole = document.getText(range);
  if (whole.length > maxTextCharacters) {
    throw new SteerscopeError(
      "InvalidRequest",
      vscode.l10n.t("The selection has more than {0} characters.", maxTextCharacters),
      { remedy: vscode.l10n.t("An example is a sentence or a paragraph: select less.") },
    );
  }
  const text = isLine ? whole.trim() : withoutOuterLineEnds(whole);
  if (text.trim() === "") return undefined;
  const start = document.offsetAt(range.start) + whole.indexOf(text);
  const draft = { text: withFeeds(text) };
  if (!isLasting(document.uri)) return draft;
  const lines = new TextLines(document.getText());
  return {
    ...draft,
    source: {
      uri: workspacePath(document.uri),
      range: lines.rangeOf({ start, end: start + text.length }),
      sha256: originHash(text),
    },
  };
}

function withoutOuterLineEnds(text: string): string {
  const isLineEnd = (character: string | undefined): boolean => character === "\n" || character === "\r";
  let start = 0;
  let end = text.length;
  while (start < end && isLineEnd(text[start])) start++;
  while (end > start && isLineEnd(text[end - 1])) end--;
  return text.slice(start, end);
}

/** Untitled documents, outputs and cells of notebooks have no address that can be found again. */
function isLasting(uri: vscode.Uri): boolean {
  return uri.scheme === "file" || vscode.workspace.getWorkspaceFolder(uri)?.uri.scheme === uri.scheme;
}
