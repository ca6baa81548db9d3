/** Models in words: the Models view, quick picks and the report of a self-test. */
import * as vscode from "vscode";
import type { ModelDescription, SelfTestCheck } from "../shared/engineContract.ts";
import { size } from "../shared/units.ts";
import type { ModelState } from "./models.ts";
import type { ModelEntry, ModelOrigin } from "./modelScan.ts";

/** Size, layers and precision, as far as they are known. */
export function modelFacts({ config, precision, bytes, isApproximate }: ModelEntry): string[] {
  return [
    ...(config === null ? [] : [vscode.l10n.t("{0} layers × {1}", config.layers, config.hidden)]),
    ...(precision === null ? [] : [precision]),
    `${isApproximate ? "~" : ""}${size(bytes)}`,
  ];
}

export function originText(origin: ModelOrigin): string {
  switch (origin) {
    case "embedded":
      return vscode.l10n.t("comes with Steerscope");
    case "downloaded":
      return vscode.l10n.t("downloaded");
    case "folder":
      return vscode.l10n.t("model folder");
    case "workspace":
      return vscode.l10n.t("in this workspace");
    case "cache":
      return vscode.l10n.t("Hugging Face cache");
    case "catalogue":
      return vscode.l10n.t("can be downloaded");
  }
}

/** A model in one line, what matters most first: side bars are narrow. */
export function modelWords(entry: ModelEntry, state: ModelState, isSelected: boolean): string[] {
  const isIdle = state.kind === "present" && entry.problem === null;
  return [
    ...(isSelected ? [vscode.l10n.t("selected")] : []),
    ...(isIdle ? [] : [stateText(state, entry)]),
    ...keptText(entry, state),
    ...modelFacts(entry),
    ...selfTestText(entry, state),
    ...(isIdle ? [stateText(state, entry)] : []),
  ];
}

/** How much of a download is left from before; nothing while it goes on. */
function keptText({ kept, origin }: ModelEntry, state: ModelState): string[] {
  if (kept === null || state.kind === "downloading") return [];
  const percent = Math.floor((100 * kept.done) / Math.max(kept.total, 1));
  return [
    origin === "catalogue"
      ? vscode.l10n.t("{0} % kept", percent)
      : vscode.l10n.t("{0} % of another download kept", percent),
  ];
}

/** What the last self-test has found, where the state does not say so itself. */
function selfTestText({ selfTest }: ModelEntry, state: ModelState): string[] {
  if (selfTest === null || (state.kind === "failed" && state.error.kind === "SelfTestFailed")) return [];
  return [selfTest ? vscode.l10n.t("self-test passed") : vscode.l10n.t("self-test failed")];
}

/** The licence that the hub names, which counts, and the catalogue's where it is another. */
export function licenceText(hub: string | null, catalogue: string | null): string {
  if (hub === null) {
    return catalogue === null
      ? vscode.l10n.t("the repository names none")
      : vscode.l10n.t("{0} (as Steerscope's catalogue says; the repository names none)", catalogue);
  }
  if (catalogue === null || catalogue.toLowerCase() === hub.toLowerCase()) return hub;
  return vscode.l10n.t("{0} (Steerscope's catalogue says {1})", hub, catalogue);
}

/** One or two words; where nothing is going on, where the model comes from. */
function stateText(state: ModelState, { origin, problem }: ModelEntry): string {
  switch (state.kind) {
    case "absent":
      return vscode.l10n.t("not downloaded");
    case "downloading": {
      const { isWaiting, done, total } = state.download;
      if (isWaiting) return vscode.l10n.t("waiting for download");
      return vscode.l10n.t("downloading {0} %", Math.floor((100 * done) / Math.max(total, 1)));
    }
    case "present":
      return problem === null ? originText(origin) : vscode.l10n.t("cannot be loaded");
    case "loading":
      return vscode.l10n.t("loading");
    case "loaded":
      return vscode.l10n.t("loaded");
    case "failed":
      if (state.error.kind === "SelfTestFailed") return vscode.l10n.t("self-test failed");
      return state.isPresent ? vscode.l10n.t("loading failed") : vscode.l10n.t("download failed");
  }
}

/** Everything that is known of a model. Names and notes come from files: they are shown as text, never as Markdown. */
export function modelTooltip(
  entry: ModelEntry,
  state: ModelState,
  description: ModelDescription | undefined,
): vscode.MarkdownString {
  const tooltip = new vscode.MarkdownString();
  const line = (name: string, value: string | null): void => {
    if (value === null) return;
    tooltip.appendMarkdown("\n\n").appendText(`${name}: ${value}`);
  };
  tooltip
    .appendMarkdown("**")
    .appendText(entry.name)
    .appendMarkdown("** ")
    .appendText(stateText(state, entry));
  if (entry.note !== null) tooltip.appendMarkdown("\n\n").appendText(entry.note);
  line(vscode.l10n.t("Licence"), entry.licence);
  line(vscode.l10n.t("Size"), modelFacts(entry).join(" · "));
  line(vscode.l10n.t("Architecture"), entry.config?.architecture ?? null);
  line(vscode.l10n.t("Repository"), entry.repository);
  line(vscode.l10n.t("Commit"), entry.commit);
  line(vscode.l10n.t("Folder"), entry.origin === "catalogue" ? null : entry.folder);
  line(vscode.l10n.t("Problem"), state.kind === "failed" ? state.error.message : entry.problem);
  if (state.kind === "failed") line(vscode.l10n.t("What to do"), state.error.remedy ?? null);
  if (description !== undefined) {
    tooltip.appendMarkdown("\n\n---");
    for (const text of describeLoaded(description)) tooltip.appendMarkdown("\n\n").appendText(text);
  }
  return tooltip;
}

/** What a model says of itself once it is loaded, in lines. */
function describeLoaded(description: ModelDescription): string[] {
  const { layout, precision, vocabulary, contextLength, selfTest, loadMilliseconds, warnings } = description;
  return [
    vscode.l10n.t("Format: {0}, {1}", layout, precision),
    vscode.l10n.t("Vocabulary {0}, context {1} tokens", vocabulary, contextLength),
    selfTest.passed
      ? vscode.l10n.t("Self-test: all {0} checks passed", selfTest.checks.length)
      : vscode.l10n.t("Self-test: failed"),
    vscode.l10n.t("Loaded in {0} ms", Math.round(loadMilliseconds)),
    ...(description.hasChatTemplate ? [vscode.l10n.t("Has a chat template")] : []),
    ...warnings,
  ];
}

/** A self-test as Markdown that is also readable as plain text. */
export function selfTestReport(
  name: string,
  checks: readonly SelfTestCheck[],
  description: ModelDescription | undefined,
): string {
  const passed = checks.filter((check) => check.passed).length;
  const title = vscode.l10n.t("Self-test of {0}", plain(name));
  const result =
    passed === checks.length
      ? vscode.l10n.t("All {0} checks passed: this model can be steered exactly.", checks.length)
      : vscode.l10n.t(
          "{0} of {1} checks failed: vectors of this model cannot be trusted.",
          checks.length - passed,
          checks.length,
        );
  const header = [
    vscode.l10n.t("Result"),
    vscode.l10n.t("Check"),
    vscode.l10n.t("Deviation"),
    vscode.l10n.t("Limit"),
  ];
  const rows = checks.map((check) => [
    check.passed ? vscode.l10n.t("passed") : vscode.l10n.t("FAILED"),
    plain(check.name),
    shortNumber(check.deviation),
    shortNumber(check.limit),
  ]);
  const explanation = vscode.l10n.t(
    "Deviations are relative to the residual norm of the layer. A vector of layer L was read from the output of block L and is added there.",
  );
  const facts =
    description === undefined ? [] : describeLoaded(description).map((fact) => `- ${plain(fact)}`);
  return [
    `# ${title}`,
    result,
    table(header, rows),
    explanation,
    ...(facts.length > 0 ? [facts.join("\n")] : []),
    "",
  ].join("\n\n");
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => row[column]!.length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  return [
    line(header),
    `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`,
    ...rows.map(line),
  ].join("\n");
}

function shortNumber(value: number): string {
  return value === 0 ? "0" : value.toExponential(1);
}

/** Text of files and engines inside Markdown: no line ends, no table borders, no links. */
function plain(text: string): string {
  return text.replace(/[\r\n|]+/g, " ").replace(/[\\`*_[\]<>]/g, "\\$&");
}
