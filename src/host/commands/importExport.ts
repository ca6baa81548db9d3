import * as vscode from "vscode";
import type { ExampleLabel } from "../../formats/exampleSet.ts";
import { formatExampleSet } from "../../formats/exampleSet.ts";
import { appendLines } from "../../formats/exampleSetEdits.ts";
import {
  importExamples,
  importFormatOf,
  importFormats,
  type ImportedExamples,
} from "../../formats/exampleImport.ts";
import { exampleTable } from "../../formats/exampleTable.ts";
import { SteerscopeError } from "../../shared/errors.ts";
import { setFromArgument, setOrActive } from "../exampleNodes.ts";
import { readText, setNameOf } from "../exampleSetFile.ts";
import { inSlices } from "../inSlices.ts";
import { requireTrust } from "../notices.ts";
import { cancelled, pickOrCreateSet, pickSet } from "../pickSet.ts";
import { registerCommand } from "../registerCommand.ts";
import type { Services } from "../services.ts";
import { fileNameProblem, workspacePath, writeFileSafely } from "../steeringFolder.ts";

/** What other callers than the menus pass. */
export interface ImportArguments {
  /** Name or address of the set; a name that no set has makes one. */
  readonly set?: string;
  /** For entries that do not say their side. */
  readonly side?: ExampleLabel;
}

export interface ImportResult {
  readonly set: string;
  readonly added: number;
  readonly skipped: readonly { readonly file: string; readonly line: number; readonly reason: string }[];
}

const maxFiles = 100;

/** Import Examples from File, Export Example Set. */
export function registerImportExport(services: Services): vscode.Disposable {
  return vscode.Disposable.from(
    registerCommand(services, "importExamples", (clicked?: unknown, selected?: unknown, more?: unknown) =>
      importFiles(services, clicked, selected, more ?? {}),
    ),
    registerCommand(services, "exportSet", (argument?: unknown, target?: unknown) =>
      exportSet(services, argument, target),
    ),
  );
}

async function importFiles(
  services: Services,
  clicked: unknown,
  selected: unknown,
  given: ImportArguments,
): Promise<ImportResult> {
  requireTrust();
  const { sets } = services;
  await sets.ready;
  const files = await filesOf(clicked, selected);
  const read: { file: vscode.Uri; imported: ImportedExamples }[] = [];
  let side = given.side;
  for (const file of files) {
    let imported = await importFile(file, side ?? null);
    if (imported.unlabelled > 0 && side === undefined) {
      side = await askSide(file, imported.unlabelled);
      imported = await importFile(file, side);
    }
    read.push({ file, imported });
  }
  const lines = read.flatMap(({ imported }) => imported.lines);
  const skipped = read.flatMap(({ file, imported }) =>
    imported.skipped.map((part) => ({ file: workspacePath(file), ...part })),
  );
  const skippedCount = read.reduce((sum, { imported }) => sum + imported.skippedCount, 0);
  for (const { file, line, reason } of skipped) {
    services.log.warn(`Import of ${file}, line ${line}, skipped: ${reason}`);
  }
  if (lines.length === 0) {
    const [first] = skipped;
    throw new SteerscopeError(
      "ExampleSetInvalid",
      first === undefined
        ? vscode.l10n.t("There are no examples in it.")
        : vscode.l10n.t("There are no examples in it. Line {0}: {1}", first.line, first.reason),
      {
        remedy: vscode.l10n.t(
          "Write one example a line, as JSON, as a table with the columns label and text, or as plain text.",
        ),
      },
    );
  }
  const uri = await targetOf(services, given, files[0]!);
  // File by file: the same name of a pair in two files means two pairs.
  await sets.change(uri, (set) =>
    read.reduce((content, { imported }) => appendLines(content, imported.lines), set),
  );
  await sets.present(uri);
  tell(services, setNameOf(uri), lines.length, skippedCount);
  return { set: uri.toString(), added: lines.length, skipped };
}

async function importFile(file: vscode.Uri, side: ExampleLabel | null): Promise<ImportedExamples> {
  return inSlices(
    importExamples(await readText(file), importFormatOf(file.path) ?? "txt", side, vscode.l10n),
  );
}

/** The files of a menu's click, of another caller, or of a dialog. Throws Cancelled. */
async function filesOf(clicked: unknown, selected: unknown): Promise<readonly vscode.Uri[]> {
  const uris = (Array.isArray(selected) && selected.length > 0 ? (selected as unknown[]) : [clicked]).flatMap(
    (each) =>
      each instanceof vscode.Uri ? [each] : typeof each === "string" ? [vscode.Uri.parse(each)] : [],
  );
  const chosen =
    uris.length > 0
      ? uris
      : await vscode.window.showOpenDialog({
          canSelectMany: true,
          openLabel: vscode.l10n.t("Import Examples"),
          filters: { [vscode.l10n.t("Examples")]: [...importFormats] },
        });
  if (chosen === undefined || chosen.length === 0) throw cancelled();
  const unknown = chosen.find(({ path }) => importFormatOf(path) === undefined);
  if (unknown !== undefined || chosen.length > maxFiles) {
    throw new SteerscopeError(
      "InvalidRequest",
      unknown === undefined
        ? vscode.l10n.t("At most {0} files can be imported at once.", maxFiles)
        : vscode.l10n.t("{0} is of no kind that can be imported.", workspacePath(unknown)),
      { remedy: vscode.l10n.t("Choose files that end in {0}.", importFormats.join(", ")) },
    );
  }
  return chosen;
}

async function askSide(file: vscode.Uri, count: number): Promise<ExampleLabel> {
  const items = [
    { label: vscode.l10n.t("$(add) Positive examples"), side: "positive" as const },
    { label: vscode.l10n.t("$(remove) Negative examples"), side: "negative" as const },
  ];
  const chosen = await vscode.window.showQuickPick(items, {
    placeHolder:
      count === 1
        ? vscode.l10n.t("{0} does not say the side of a text: it is", workspacePath(file))
        : vscode.l10n.t("{0} does not say the side of {1} texts: they are", workspacePath(file), count),
  });
  if (chosen === undefined) throw cancelled();
  return chosen.side;
}

async function targetOf(
  { sets }: Services,
  { set: wanted }: ImportArguments,
  file: vscode.Uri,
): Promise<vscode.Uri> {
  if (wanted !== undefined) return setFromArgument(sets, wanted)?.uri ?? sets.create(wanted, file);
  const name = setNameOf(file).replace(/\.[a-z]+$/i, "");
  const newName = fileNameProblem(name) === undefined ? name : "";
  return pickOrCreateSet(sets, vscode.l10n.t("Add the examples to"), newName, file);
}

function tell({ log, notices }: Services, name: string, added: number, skipped: number): void {
  if (skipped === 0) {
    void vscode.window.showInformationMessage(
      added === 1
        ? vscode.l10n.t("Imported an example into {0}.", name)
        : vscode.l10n.t("Imported {0} examples into {1}.", added, name),
    );
    return;
  }
  void notices.guard(async () => {
    const showLog = vscode.l10n.t("Show Log");
    const chosen = await vscode.window.showWarningMessage(
      vscode.l10n.t(
        "Examples imported into {1}: {0}; lines skipped: {2}. The log says which and why.",
        added,
        name,
        skipped,
      ),
      showLog,
    );
    if (chosen === showLog) log.show(true);
  });
}

async function exportSet({ sets }: Services, argument: unknown, given: unknown): Promise<string> {
  requireTrust();
  await sets.ready;
  const file =
    argument === undefined || argument === null
      ? await pickSet(sets, vscode.l10n.t("Example set to export"))
      : setOrActive(sets, argument);
  if (file.set === null) throw file.problem ?? cancelled();
  const target = given instanceof vscode.Uri ? given : await askTarget(file.name);
  const content = /\.csv$/i.test(target.path)
    ? exampleTable(file.set, ",")
    : /\.tsv$/i.test(target.path)
      ? exampleTable(file.set, "\t")
      : formatExampleSet(file.set);
  await writeFileSafely(target, content);
  vscode.window.setStatusBarMessage(
    `$(check) ${vscode.l10n.t("Exported {0} to {1}", file.name, workspacePath(target))}`,
    6000,
  );
  return target.toString();
}

async function askTarget(name: string): Promise<vscode.Uri> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const target = await vscode.window.showSaveDialog({
    ...(folder === undefined ? {} : { defaultUri: vscode.Uri.joinPath(folder, `${name}.jsonl`) }),
    filters: {
      [vscode.l10n.t("JSON lines")]: ["jsonl"],
      [vscode.l10n.t("Table, comma-separated")]: ["csv"],
      [vscode.l10n.t("Table, tab-separated")]: ["tsv"],
    },
    saveLabel: vscode.l10n.t("Export"),
  });
  if (target === undefined) throw cancelled();
  return target;
}
