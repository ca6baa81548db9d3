import * as vscode from "vscode";
import type { Services } from "../services.ts";
import { registerAddCommands } from "./addExamples.ts";
import { registerImportExport } from "./importExport.ts";

/** Commands that bring examples in and sets out; those on items of the Examples view come with the view. */
export function registerExampleCommands(services: Services): vscode.Disposable {
  return vscode.Disposable.from(registerAddCommands(services), registerImportExport(services));
}
