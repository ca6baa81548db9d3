import type * as vscode from "vscode";
import { commandIds, type CommandName } from "./ids.ts";

interface Manifest {
  readonly contributes: {
    readonly commands: readonly {
      readonly command: string;
      readonly title: string;
      readonly category: string;
    }[];
  };
}

/** A command's title as the command palette has it, in the language of VS Code. */
export function commandTitle({ extension }: vscode.ExtensionContext, name: CommandName): string {
  const { contributes } = extension.packageJSON as Manifest;
  return contributes.commands.find(({ command }) => command === commandIds[name])?.title ?? commandIds[name];
}
