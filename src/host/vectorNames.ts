/** Names for new vectors: which are taken, and what input boxes say of one. */
import * as vscode from "vscode";
import { freeName } from "./freeName.ts";
import { fileNameProblem, steeringFolderFor, vectorsFolder } from "./steeringFolder.ts";
import type { Vectors } from "./vectors.ts";

/** `name`, or the next free one where there is such a vector in the workspace folder of `near`. */
export function freeVectorName(vectors: Vectors, name: string, near: vscode.Uri): string {
  return freeName(name, takenNames(vectors, near));
}

/**
 * What an input box says of the name of a new vector in the workspace folder of `near`: a name that cannot be is refused,
 * one that is taken may be accepted, with a warning of what it will be.
 */
export function vectorNameNotice(
  vectors: Vectors,
  near: vscode.Uri,
): (name: string) => string | vscode.InputBoxValidationMessage | undefined {
  return (name) => {
    const problem = fileNameProblem(name);
    if (problem !== undefined) return problem;
    const free = freeVectorName(vectors, name, near);
    if (free === name) return undefined;
    return {
      message: vscode.l10n.t('There is a vector "{0}" already; it will be saved as "{1}".', name, free),
      severity: vscode.InputBoxValidationSeverity.Warning,
    };
  };
}

function takenNames(vectors: Vectors, near: vscode.Uri): readonly string[] {
  const folder = vscode.Uri.joinPath(steeringFolderFor(near), vectorsFolder).toString();
  return vectors
    .all()
    .filter(({ uri }) => vscode.Uri.joinPath(uri, "..").toString() === folder)
    .map(({ name }) => name);
}
