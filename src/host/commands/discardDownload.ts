/** Discard Unfinished Download: what a stopped download keeps for the next attempt can be hundreds of megabytes. */
import * as vscode from "vscode";
import { discardPartialDownload } from "../../client/partialDownload.ts";
import { SteerscopeError } from "../../shared/errors.ts";
import { size } from "../../shared/units.ts";
import type { Services } from "../services.ts";
import { pickModel, requireModel, type ModelArgument } from "./modelPicks.ts";

/**
 * Resolves with the folder that the model would have had; undefined where the person went back. Throws InvalidRequest
 * where nothing is left or the download goes on, and DownloadFailed while it goes on elsewhere.
 */
export async function discardDownload(
  { models, notices }: Services,
  argument: ModelArgument | undefined,
  isConfirmed: boolean,
): Promise<string | undefined> {
  const entry =
    argument === undefined
      ? await pickModel(models, vscode.l10n.t("Discard an unfinished download"), ({ kept }) => kept !== null)
      : await requireModel(models, argument);
  if (entry === undefined) return undefined;
  const { name, folder, reference, kept } = entry;
  if (models.downloads.get(reference) !== undefined) {
    throw new SteerscopeError("InvalidRequest", vscode.l10n.t("{0} is being downloaded.", name), {
      remedy: vscode.l10n.t("Cancel the download first."),
    });
  }
  if (kept === null) {
    throw new SteerscopeError("InvalidRequest", vscode.l10n.t("{0} has no unfinished download.", name));
  }
  const discard = vscode.l10n.t("Discard");
  const question = vscode.l10n.t(
    "Discard {0} of {1} that were downloaded of {2}? A later download begins anew.",
    size(kept.done),
    size(kept.total),
    name,
  );
  if (!isConfirmed && (await notices.ask(question, [discard])) !== discard) return undefined;
  await discardPartialDownload(folder);
  models.downloads.forgetFailure(reference);
  await models.refresh();
  return folder;
}
