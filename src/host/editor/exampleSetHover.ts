/**
 * Hover on a text of an example set: how many tokens it has and which one is read. Only a model that is loaded is asked,
 * and only while it has nothing else to do: a hover starts no process and waits for nothing.
 */
import * as vscode from "vscode";
import type { Example } from "../../formats/exampleSet.ts";
import { valueColumns } from "../../formats/exampleSetLint.ts";
import type { TokenizedText } from "../../shared/engineContract.ts";
import { isSteerscopeError } from "../../shared/errors.ts";
import { formatReadPosition, resolveReadPosition } from "../../shared/readPosition.ts";
import { hasPrompt } from "../../shared/tokenInput.ts";
import { commandIds } from "../ids.ts";
import type { Services } from "../services.ts";
import { settings } from "../settings.ts";
import { columnsOfLine, readExampleSet } from "./exampleSetDocuments.ts";

/** Texts whose tokens are remembered. */
const maximumKept = 200;

export function exampleSetHover({ engine }: Services): vscode.HoverProvider {
  const kept = new Map<string, TokenizedText>();
  return {
    async provideHover(document, position) {
      const content = readExampleSet(document);
      const line = content?.set.lines[position.line];
      if (line === undefined || line.example === null) return undefined;
      const { from, to } = valueColumns(line.raw, "text");
      const range = columnsOfLine(position.line + 1, from, to);
      if (!range.contains(position)) return undefined;
      const { example } = line;
      const { model } = engine;
      const text = new vscode.MarkdownString("", true);
      text.isTrusted = { enabledCommands: [commandIds.loadModel] };
      if (model === null || engine.pid === undefined) {
        text.appendMarkdown(
          `[${vscode.l10n.t("Load the model to see tokens")}](command:${commandIds.loadModel})`,
        );
        return new vscode.Hover(text, range);
      }
      const key = JSON.stringify([model.modelHash, example.prompt, example.text]);
      let tokens = kept.get(key);
      if (tokens === undefined) {
        if (engine.state.kind !== "ready") return undefined;
        tokens = await tokenize(example);
        if (tokens === undefined) return undefined;
        kept.set(key, tokens);
        const [oldest] = kept.keys();
        if (kept.size > maximumKept) kept.delete(oldest!);
      }
      describe(text, tokens, hasPrompt(example), model.name, document.uri);
      return new vscode.Hover(text, range);
    },
  };

  async function tokenize({ text, prompt }: Example): Promise<TokenizedText | undefined> {
    const inputs = [prompt === undefined ? { text } : { text, prompt }];
    const options = {
      title: vscode.l10n.t("Counting tokens"),
      location: vscode.ProgressLocation.Window,
    };
    try {
      const results = await engine.run(options, (job) =>
        job.engine.tokenize({ inputs, template: "none" }, job.call),
      );
      return results[0];
    } catch (error) {
      // What was asked for is a hover: no message box for a model without a tokenizer, or one that has just gone.
      if (isSteerscopeError(error)) return undefined;
      throw error;
    }
  }
}

function describe(
  to: vscode.MarkdownString,
  tokens: TokenizedText,
  isPrompted: boolean,
  model: string,
  uri: vscode.Uri,
): void {
  const { ids, textStart, textEnd, pieces } = tokens;
  const own = textEnd - textStart;
  to.appendText(vscode.l10n.t("{0} tokens, {1} of them the text ({2})", ids.length, own, model));
  to.appendMarkdown("\n\n");
  const position = settings.defaultPosition(uri);
  try {
    const { start, end } = resolveReadPosition(position, {
      length: ids.length,
      textStart,
      textEnd,
      hasPrompt: isPrompted,
    });
    const spelling = formatReadPosition(position);
    to.appendText(
      end - start === 1
        ? vscode.l10n.t("Read at {0}: token {1}, {2}", spelling, start, JSON.stringify(pieces[start]))
        : vscode.l10n.t("Read at {0}: the mean of {1} tokens", spelling, end - start),
    );
  } catch (error) {
    if (!isSteerscopeError(error)) throw error;
    to.appendText(error.message);
  }
}
