/** What the engine process writes to standard error, as lines with a level. */

export type EngineLogLevel = "debug" | "info" | "warn" | "error";

export interface EngineLogLine {
  readonly level: EngineLogLevel;
  readonly text: string;
}

/** A library that writes without line ends must not fill memory. */
const longestLine = 10_000;

/** onnxruntime's letters, as in "[W:onnxruntime:, session_state.cc:1166]". */
const runtimeLevels: Readonly<Record<string, EngineLogLevel>> = {
  V: "debug",
  I: "info",
  W: "warn",
  E: "error",
  F: "error",
};

/** Puts chunks of output together to lines; empty lines are left out, colours and other terminal commands taken off. */
export class EngineLogReader {
  readonly #onLine: (line: EngineLogLine) => void;
  #rest = "";

  constructor(onLine: (line: EngineLogLine) => void) {
    this.#onLine = onLine;
  }

  read(chunk: string): void {
    const lines = (this.#rest + chunk).split(/\r?\n/);
    this.#rest = lines.pop()!;
    for (const line of lines) this.#tell(line);
    if (this.#rest.length > longestLine) this.end();
  }

  /** Takes what is left as a line. */
  end(): void {
    const rest = this.#rest;
    this.#rest = "";
    this.#tell(rest);
  }

  #tell(line: string): void {
    const text = line
      .slice(0, longestLine)
      .replace(/\u001b\[[0-9;]*[A-Za-z]/g, "")
      .replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, "")
      .trimEnd();
    if (text !== "") this.#onLine({ level: levelOf(text), text });
  }
}

function levelOf(text: string): EngineLogLevel {
  const letter = /\[([VIWEF]):onnxruntime/.exec(text)?.[1];
  if (letter !== undefined) return runtimeLevels[letter]!;
  if (/\b(error|fatal|exception)\b/i.test(text)) return "error";
  return /warning\b/i.test(text) ? "warn" : "info";
}
