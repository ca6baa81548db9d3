/** What tests of editor features share. */
import { setTimeout as sleep } from "node:timers/promises";
import * as vscode from "vscode";
import { encodeSafetensors } from "../../../src/formats/safetensors.ts";
import type { ActivatedServices, Services } from "../../../src/host/services.ts";

export async function activate(): Promise<ActivatedServices> {
  return (await vscode.extensions.getExtension("steerscope.steerscope")!.activate()) as ActivatedServices;
}

export function workspaceUri(...path: readonly string[]): vscode.Uri {
  return vscode.Uri.joinPath(vscode.workspace.workspaceFolders![0]!.uri, ...path);
}

export async function writeText(text: string, ...path: readonly string[]): Promise<vscode.Uri> {
  const uri = workspaceUri(...path);
  await vscode.workspace.fs.writeFile(uri, new TextEncoder().encode(text));
  return uri;
}

export async function openText(text: string, ...path: readonly string[]): Promise<vscode.TextEditor> {
  return vscode.window.showTextDocument(await writeText(text, ...path), { preview: false });
}

/** Polls until `read` gives something; the test's own time limit ends it. */
export async function eventually<T>(
  read: () => T | undefined | null | false | Promise<T | undefined | null | false>,
): Promise<T> {
  for (;;) {
    const value = await read();
    if (value !== undefined && value !== null && value !== false) return value;
    await sleep(25);
  }
}

/** Vectors [layers, hidden] of the embedded model: another pseudo-random direction at each layer. */
export function testVectors(): { layers: number; hidden: number; values: Float32Array } {
  const layers = 6;
  const hidden = 288;
  const values = Float32Array.from({ length: layers * hidden }, (_, i) => Math.sin(1 + i * i));
  return { layers, hidden, values };
}

/** Writes them as a vector file of the workspace, as another program would. */
export async function writeTestVector(services: Services, name: string): Promise<vscode.Uri> {
  const { layers, hidden, values } = testVectors();
  const tensors = Array.from({ length: layers }, (_, layer) => ({
    name: `direction.${layer}`,
    dtype: "F32" as const,
    shape: [hidden],
    data: values.subarray(layer * hidden, (layer + 1) * hidden),
  }));
  return services.vectors.write(name, encodeSafetensors(tensors, {}));
}

export async function closeEverything(): Promise<void> {
  await vscode.commands.executeCommand("workbench.action.revertAndCloseActiveEditor");
  await vscode.commands.executeCommand("workbench.action.closeAllEditors");
}
