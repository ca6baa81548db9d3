/** What kind of thing went wrong, in the language of the window: engine, client and parsers speak English. */
import * as vscode from "vscode";
import type { ErrorKind } from "../shared/errors.ts";

/** `message`, behind a headline in the person's language where it is in another one. */
export function withHeadline(kind: ErrorKind, message: string): string {
  // Latin letters alone: in a language that has its own script, nobody has translated it.
  const isTranslated =
    vscode.l10n.bundle === undefined || /[^\p{Script=Latin}\p{Script=Common}]/u.test(message);
  return isTranslated ? message : `${headlineOf(kind)} ${message}`;
}

function headlineOf(kind: ErrorKind): string {
  switch (kind) {
    case "ModelNotFound":
      return vscode.l10n.t("The model was not found.");
    case "ModelUnsupported":
      return vscode.l10n.t("This model cannot be used.");
    case "ModelCorrupt":
      return vscode.l10n.t("The files of this model are damaged or incomplete.");
    case "ModelNotLoaded":
      return vscode.l10n.t("No model is loaded.");
    case "DownloadFailed":
      return vscode.l10n.t("The download failed.");
    case "SelfTestFailed":
      return vscode.l10n.t("This model failed its self-test.");
    case "EngineCrashed":
      return vscode.l10n.t("The engine ended unexpectedly.");
    case "EngineMismatch":
      return vscode.l10n.t("The engine is of another version.");
    case "OutOfMemory":
      return vscode.l10n.t("There is not enough memory.");
    case "ContextTooLong":
      return vscode.l10n.t("The text is longer than the context of the model.");
    case "ExampleSetInvalid":
      return vscode.l10n.t("This example set cannot be used.");
    case "VectorInvalid":
      return vscode.l10n.t("This vector file cannot be used.");
    case "VectorMismatch":
      return vscode.l10n.t("The vector does not fit the model.");
    case "InvalidRequest":
      return vscode.l10n.t("This cannot be done as asked.");
    case "FileUnreadable":
      return vscode.l10n.t("A file cannot be read.");
    case "FileUnwritable":
      return vscode.l10n.t("A file cannot be written.");
    case "Cancelled":
      return vscode.l10n.t("Stopped.");
    case "Internal":
      return vscode.l10n.t("Something went wrong inside Steerscope.");
  }
}
