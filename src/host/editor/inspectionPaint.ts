/** How an inspection looks: backgrounds in six theme colours, a legend in the status bar, a hover on each token. */
import * as vscode from "vscode";
import { commandIds } from "../ids.ts";
import { settings } from "../settings.ts";
import {
  cellProjection,
  colourStep,
  isSink,
  projectionAt,
  scalePercentiles,
  type ColourScale,
  type Region,
  type TokenCell,
} from "./inspectedText.ts";

/** What is shown of an inspected document. */
export interface Inspected {
  readonly vectorName: string;
  readonly modelName: string;
  readonly layer: number;
  /** Layers that the vector has. */
  readonly layers: readonly number[];
  readonly regions: readonly Region[];
  /** null: nothing to colour. */
  readonly scale: ColourScale | null;
  readonly tokens: number;
  readonly isCut: boolean;
  readonly warnings: readonly string[];
}

const steps = [-3, -2, -1, 1, 2, 3] as const;

export class InspectionPaint implements vscode.Disposable {
  readonly #types = new Map(steps.map((step) => [step as number, decorationType(step)]));
  readonly #legend: vscode.StatusBarItem;

  constructor() {
    this.#legend = vscode.window.createStatusBarItem(
      "steering.inspection",
      vscode.StatusBarAlignment.Right,
      110,
    );
    this.#legend.name = vscode.l10n.t("Steering: Inspection");
    this.#legend.command = commandIds.clearInspection;
  }

  /** Colours the tokens in an editor; null takes all colour away. */
  paint(editor: vscode.TextEditor, inspected: Inspected | null): void {
    const ranges = new Map(steps.map((step) => [step as number, [] as vscode.Range[]]));
    if (inspected !== null && inspected.scale !== null) {
      const { scale, layer } = inspected;
      for (const region of inspected.regions) {
        for (const cell of region.cells) {
          if (isSink(region, cell)) continue;
          const step = colourStep(cellProjection(region, cell, layer), scale);
          ranges.get(step)?.push(rangeOf(editor.document, cell));
        }
      }
    }
    for (const [step, type] of this.#types) editor.setDecorations(type, ranges.get(step)!);
  }

  /** The legend of what the active editor shows. */
  showLegend(inspected: Inspected | null): void {
    if (inspected === null) {
      this.#legend.hide();
      return;
    }
    const { vectorName, layer, scale } = inspected;
    const figures = (scale ?? []).map(figure).join(" · ");
    this.#legend.text = `$(eye) ${vscode.l10n.t("{0}, layer {1}", printable(vectorName), layer)}${figures === "" ? "" : ` ≥ ${figures}`}`;
    this.#legend.tooltip = legendTooltip(inspected);
    this.#legend.accessibilityInformation = {
      label: vscode.l10n.t(
        "Tokens are coloured by projection on {0}, layer {1}. Activate to clear.",
        vectorName,
        layer,
      ),
      role: "button",
    };
    this.#legend.show();
  }

  dispose(): void {
    for (const type of this.#types.values()) type.dispose();
    this.#legend.dispose();
  }
}

/** The numbers of the token at `offset`; null where there is none. */
export function inspectionHover(
  document: vscode.TextDocument,
  offset: number,
  inspected: Inspected,
): vscode.Hover | null {
  for (const region of inspected.regions) {
    const cell = region.cells.find(({ from, to }) => from <= offset && offset < to);
    if (cell !== undefined)
      return new vscode.Hover(hoverText(region, cell, inspected), rangeOf(document, cell));
  }
  return null;
}

function hoverText(region: Region, cell: TokenCell, inspected: Inspected): vscode.MarkdownString {
  const { layer, layers, vectorName, modelName } = inspected;
  const text = new vscode.MarkdownString();
  const tokens = Array.from({ length: cell.end - cell.first }, (_, place) => cell.first + place);
  text.appendMarkdown(`**${signed(cellProjection(region, cell, layer))}** `);
  text.appendText(vscode.l10n.t("projection on {0} at layer {1} ({2})", vectorName, layer, modelName));
  text.appendMarkdown("\n\n");
  text.appendText(
    vscode.l10n.t("Token {0}", tokens.map((token) => JSON.stringify(region.pieces[token])).join(" ")),
  );
  if (isSink(region, cell)) {
    text.appendMarkdown("\n\n");
    text.appendText(
      vscode.l10n.t(
        "The first token is not coloured: many models keep a very long residual stream there, whatever the text.",
      ),
    );
  }
  const heads = tokens.length === 1 ? [vscode.l10n.t("projection")] : tokens.map(String);
  text.appendMarkdown(
    `\n\n| ${vscode.l10n.t("layer")} | ${heads.join(" | ")} |\n|--:|${"--:|".repeat(heads.length)}\n`,
  );
  for (const each of layers) {
    const mark = each === layer ? "**" : "";
    const values = tokens.map((token) => `${mark}${signed(projectionAt(region, each, token))}${mark}`);
    text.appendMarkdown(`| ${mark}${each}${mark} | ${values.join(" | ")} |\n`);
  }
  return text;
}

function legendTooltip(inspected: Inspected): vscode.MarkdownString {
  const { vectorName, modelName, layer, scale, tokens, isCut, warnings } = inspected;
  const text = new vscode.MarkdownString();
  const paragraph = (line: string): void => {
    text.appendText(line);
    text.appendMarkdown("\n\n");
  };
  paragraph(
    vscode.l10n.t(
      "Each token's residual stream after layer {0}, projected on {1} scaled to norm 1 ({2}).",
      layer,
      vectorName,
      modelName,
    ),
  );
  if (scale === null) paragraph(vscode.l10n.t("Nothing points along the vector."));
  else {
    const [weak, middle, strong] = scale.map(figure);
    const [low, mid, high] = scalePercentiles.map((share) => String(Math.round(share * 100)));
    paragraph(
      vscode.l10n.t(
        "Coloured from size {0}, {1} and {2} on: the {3}th, {4}th and {5}th percentile of the tokens. Against the vector: underlined, in the other colour.",
        weak!,
        middle!,
        strong!,
        low!,
        mid!,
        high!,
      ),
    );
  }
  paragraph(vscode.l10n.t("Each selection is read on its own, as plain text without a chat template."));
  if (isCut) paragraph(vscode.l10n.t("Only the first {0} tokens were read.", tokens));
  for (const warning of warnings) paragraph(warning);
  paragraph(vscode.l10n.t("Select to clear."));
  return text;
}

function decorationType(step: (typeof steps)[number]): vscode.TextEditorDecorationType {
  const side = step > 0 ? "positive" : "negative";
  const backgroundColor = new vscode.ThemeColor(`steering.inspect.${side}${Math.abs(step)}`);
  return vscode.window.createTextEditorDecorationType({
    backgroundColor,
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
    // The sign is not said by colour alone.
    ...(step > 0
      ? {}
      : {
          borderStyle: "dotted",
          borderWidth: "0 0 2px 0",
          borderColor: new vscode.ThemeColor("steering.inspect.negative3"),
        }),
  });
}

function rangeOf(document: vscode.TextDocument, { from, to }: TokenCell): vscode.Range {
  return new vscode.Range(document.positionAt(from), document.positionAt(to));
}

function figure(value: number): string {
  return value.toFixed(settings.decimals());
}

function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${figure(Math.abs(value))}`;
}

/** Without what the status bar would take for an icon. */
function printable(name: string): string {
  return name.replaceAll("$(", "$ (");
}
