/**
 * Hover on a text of an example set: how many tokens it has and which one is read, as Compute would take it: with the
 * template and the read position that were chosen for this set last. Only a model that is loaded is asked,
 * and only while it has nothing else to do: a hover starts no process and waits for nothing.
 */
import * as vscode from "vscode";
import type { Example } from "../../formats/exampleSet.ts";
import { valueColumns } from "../../formats/jsonMembers.ts";
import type { TokenizedText } from "../../shared/engineContract.ts";
import { isSteerscopeError } from "../../shared/errors.ts";
import { formatReadPosition, resolveReadPosition, type ReadPosition } from "../../shared/readPosition.ts";
import { hasPrompt, type Template } from "../../shared/tokenInput.ts";
import { rememberedChoices } from "../computeMemory.ts";
import { commandIds } from "../ids.ts";
import type { Services } from "../services.ts";
import { columnsOfLine, readExampleSet } from "./exampleSetDocuments.ts";

/** Texts whose tokens are remembered. */
const maximumKept = 200;

export function exampleSetHover(services: Services): vscode.HoverProvider {
  const { engine } = services;
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
      const { choices } = rememberedChoices(services, document);
      const { template, position: read } = choices;
      if (template === "chat" && !model.hasChatTemplate) {
        text.appendText(
          vscode.l10n.t("{0} has no chat template, with which Compute reads this set.", model.name),
        );
        return new vscode.Hover(text, range);
      }
      const key = JSON.stringify([model.modelHash, template, example.prompt, example.text]);
      let tokens = kept.get(key);
      if (tokens === undefined) {
        if (engine.state.kind !== "ready") return undefined;
        tokens = await tokenize(example, template);
        if (tokens === undefined) return undefined;
        kept.set(key, tokens);
        const [oldest] = kept.keys();
        if (kept.size > maximumKept) kept.delete(oldest!);
      }
      describe(text, { tokens, example, read, model: model.name });
      return new vscode.Hover(text, range);
    },
  };

  async function tokenize({ text, prompt }: Example, template: Template): Promise<TokenizedText | undefined> {
    const inputs = [prompt === undefined ? { text } : { text, prompt }];
    const options = {
      title: vscode.l10n.t("Counting tokens"),
      location: vscode.ProgressLocation.Window,
    };
    try {
      const results = await engine.run(options, (job) => job.engine.tokenize({ inputs, template }, job.call));
      return results[0];
    } catch (error) {
      // What was asked for is a hover: no message box for a model without a tokenizer, or one that has just gone.
      if (isSteerscopeError(error)) return undefined;
      throw error;
    }
  }
}

interface ReadExample {
  readonly tokens: TokenizedText;
  readonly example: Example;
  readonly read: ReadPosition;
  /** Its name. */
  readonly model: string;
}

function describe(to: vscode.MarkdownString, { tokens, example, read, model }: ReadExample): void {
  const { ids, textStart, textEnd, pieces } = tokens;
  const own = textEnd - textStart;
  to.appendText(
    ids.length === 1
      ? vscode.l10n.t("1 token, {0} of the text ({1})", own, model)
      : vscode.l10n.t("{0} tokens, {1} of them the text ({2})", ids.length, own, model),
  );
  to.appendMarkdown("\n\n");
  const spelling = formatReadPosition(read);
  try {
    const { start, end } = resolveReadPosition(read, {
      length: ids.length,
      textStart,
      textEnd,
      hasPrompt: hasPrompt(example),
    });
    to.appendText(
      end - start === 1
        ? vscode.l10n.t("Read at {0}: token {1}, {2}", spelling, start, JSON.stringify(pieces[start]))
        : vscode.l10n.t("Read at {0}: the mean of {1} tokens", spelling, end - start),
    );
  } catch (error) {
    if (!isSteerscopeError(error)) throw error;
    to.appendText(
      read.kind === "mean-completion" && !hasPrompt(example)
        ? vscode.l10n.t("Nothing is read at {0}: the example has no prompt.", spelling)
        : vscode.l10n.t("Nothing is read at {0}: the example is too short.", spelling),
    );
  }
}
