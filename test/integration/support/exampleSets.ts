/** The example sets of the workspace of the tests. */
import * as vscode from "vscode";
import type { Services } from "../../../src/host/services.ts";
import { workspaceUri } from "./editors.ts";

/** Where in the workspace the example set `name` is. */
export function setPath(name: string): string {
  return `.steering/sets/${name}.jsonl`;
}

export function setFile(name: string): vscode.Uri {
  return workspaceUri(setPath(name));
}

/** Deletes all sets but the one of the sample workspace. */
export async function deleteMadeSets({ sets }: Services): Promise<void> {
  for (const { uri, name } of sets.all()) {
    if (name !== "happy-sad") await vscode.workspace.fs.delete(uri);
  }
  await sets.refresh();
}
