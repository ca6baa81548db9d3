/** What the extension gives to VS Code's own features, as these get it. */
import * as vscode from "vscode";

/** What hovers say at a place: one string each, spaces as the file has them. */
export async function hoverTexts(
  { uri }: vscode.TextDocument,
  line: number,
  character: number,
): Promise<readonly string[]> {
  const hovers = await vscode.commands.executeCommand<vscode.Hover[]>(
    "vscode.executeHoverProvider",
    uri,
    new vscode.Position(line, character),
  );
  const parts = hovers.flatMap(({ contents }) => contents as vscode.MarkdownString[]);
  return parts.map(({ value }) => value.replaceAll("&nbsp;", " "));
}

export async function codeLenses({ uri }: vscode.TextDocument): Promise<readonly vscode.Command[]> {
  const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>(
    "vscode.executeCodeLensProvider",
    uri,
  );
  return lenses.map(({ command }) => command!);
}

export async function quickFixes(
  { uri }: vscode.TextDocument,
  range: vscode.Range,
): Promise<readonly vscode.CodeAction[]> {
  return vscode.commands.executeCommand<vscode.CodeAction[]>(
    "vscode.executeCodeActionProvider",
    uri,
    range,
    vscode.CodeActionKind.QuickFix.value,
  );
}
