/** What an editor shows of an example set: problems with fixes, lenses, hovers, outline, completion. */
import * as vscode from "vscode";
import type { Services } from "../services.ts";
import { completionTriggers, exampleSetCompletion } from "./exampleSetCompletion.ts";
import { ExampleSetDiagnostics } from "./exampleSetDiagnostics.ts";
import { exampleSetSelector } from "./exampleSetDocuments.ts";
import { exampleSetFixes, exampleSetFixKinds } from "./exampleSetFixes.ts";
import { exampleSetHover } from "./exampleSetHover.ts";
import { exampleSetLenses } from "./exampleSetLenses.ts";
import { exampleSetSymbols } from "./exampleSetSymbols.ts";

export function registerExampleSetLanguage(services: Services): vscode.Disposable {
  const { languages } = vscode;
  return vscode.Disposable.from(
    new ExampleSetDiagnostics(services),
    languages.registerCodeActionsProvider(exampleSetSelector, exampleSetFixes, exampleSetFixKinds),
    languages.registerCodeLensProvider(exampleSetSelector, exampleSetLenses),
    languages.registerHoverProvider(exampleSetSelector, exampleSetHover(services)),
    languages.registerDocumentSymbolProvider(exampleSetSelector, exampleSetSymbols),
    languages.registerCompletionItemProvider(exampleSetSelector, exampleSetCompletion, ...completionTriggers),
  );
}
