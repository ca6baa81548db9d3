/** What "Copy Diagnostics" gives: Markdown for a bug report. Nothing of the user's texts, no secret, no name of the user. */
import type { EngineDescription, ModelDescription } from "../shared/engineContract.ts";
import { size } from "../shared/units.ts";

export interface DiagnosticFacts {
  /** Versions and the like, in the order in which they are shown. */
  readonly versions: Readonly<Record<string, string>>;
  /** Values by setting, those alone that differ from their default. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly engineState: string;
  /** Model as last seen; null where none is loaded. */
  readonly model: ModelDescription | null;
  /** null where no engine runs, or it did not answer. */
  readonly memory: EngineDescription["memory"] | null;
  /** Bytes of captured activations on disk. */
  readonly activationBytes: number;
  /** Last crash in this session. */
  readonly crash: string | null;
}

/** `home`: the home folder, which is written as ~. */
export function diagnosticsText(facts: DiagnosticFacts, home: string): string {
  const sections = [
    section("Versions", facts.versions),
    section("Settings that differ", facts.settings),
    section("Engine", {
      state: facts.engineState,
      ...(facts.crash === null ? {} : { "last crash": facts.crash }),
      ...(facts.memory === null
        ? {}
        : {
            memory: `${size(facts.memory.residentBytes)}, at most ${size(facts.memory.peakResidentBytes)}`,
            "activation cache limit": size(facts.memory.activationCacheLimitBytes),
          }),
      "activations on disk": size(facts.activationBytes),
    }),
    section("Model", facts.model === null ? {} : modelFacts(facts.model)),
  ];
  return `${withoutSecrets(withoutHome(`## Steerscope diagnostics\n\n${sections.join("\n\n")}`, home))}\n`;
}

function modelFacts(model: ModelDescription): Record<string, unknown> {
  const { selfTest } = model;
  return {
    model: model.model,
    architecture: model.architecture,
    shape: `${model.layers} layers, ${model.hidden} wide, vocabulary ${model.vocabulary}, context ${model.contextLength}`,
    format: `${model.layout}, ${model.precision}`,
    hash: model.modelHash.slice(0, 16),
    revision: model.revision,
    "tokenizer hash": model.tokenizerHash?.slice(0, 16) ?? null,
    "chat template": model.hasChatTemplate,
    warnings: model.warnings,
    "self-test": selfTest.checks.map(({ name, passed }) => `${passed ? "passed" : "FAILED"}: ${name}`),
    "load time": `${Math.round(model.loadMilliseconds)} ms`,
  };
}

function section(title: string, values: Readonly<Record<string, unknown>>): string {
  const lines = Object.entries(values).map(
    ([name, value]) => `- ${name}: ${typeof value === "string" ? oneLine(value) : JSON.stringify(value)}`,
  );
  return `### ${title}\n\n${lines.length === 0 ? "none" : lines.join("\n")}`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ");
}

/** `text` with ~ for the home folder, in the spellings that paths, JSON and addresses have. */
export function withoutHome(text: string, home: string): string {
  const bare = home.replace(/[/\\]+$/, "");
  // The root folder is nobody's home, and a slash is not to be hidden.
  if (bare === "") return text;
  const spellings = [bare, bare.replaceAll("\\", "\\\\"), bare.replaceAll("\\", "/"), encodeURI(bare)];
  const longestFirst = [...new Set(spellings)].sort((a, b) => b.length - a.length);
  const pattern = longestFirst.map((spelling) => spelling.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
  // Windows and macOS do not tell cases apart; "/home/ann" is not part of "/home/anna".
  return text.replace(new RegExp(`(?:${pattern})(?![\\w-])`, "gi"), "~");
}

/** Without user names and passwords in addresses, and without Hugging Face tokens. */
function withoutSecrets(text: string): string {
  return text.replace(/(\w+:\/\/)[^/\s@"]+@/g, "$1…@").replace(/\bhf_\w{8,}/g, "hf_…");
}
