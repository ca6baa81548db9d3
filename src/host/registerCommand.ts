import * as vscode from "vscode";
import { commandIds, type CommandName } from "./ids.ts";
import type { Services } from "./services.ts";

/** Registers a command whose failures are shown to the person; its result goes to callers (tests, other extensions). */
export function registerCommand(
  { notices }: Pick<Services, "notices">,
  name: CommandName,
  body: (...args: never[]) => unknown,
): vscode.Disposable {
  return vscode.commands.registerCommand(commandIds[name], (...args: unknown[]) =>
    notices.guard(() => body(...(args as never[]))),
  );
}
