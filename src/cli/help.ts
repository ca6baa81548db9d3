import { commonOptions, type Command } from "./command.ts";

/** What `steerscope --help` prints. */
export function programHelp(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const list = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}\n`).join("");
  return `Steering vectors of language models: compute, inspect, apply.\n\nUsage: steerscope <command> [options]\n\n${list}\nsteerscope <command> --help says more. Exit codes: 0 done, 1 failed, 2 not understood, 130 stopped.\n`;
}

/** What `steerscope <command> --help` prints. */
export function commandHelp({ name, usage, summary, options, notes }: Command): string {
  const entries = Object.entries({ ...options, ...commonOptions }).map(
    ([option, { value, help, multiple }]) => ({
      left: `--${option}${value === undefined ? "" : ` ${value}`}`,
      right: multiple === true ? `${help} May be repeated.` : help,
    }),
  );
  const width = Math.max(...entries.map(({ left }) => left.length));
  const list = entries.map(({ left, right }) => `  ${left.padEnd(width)}  ${right}\n`).join("");
  const remarks = notes.map((note) => `\n${note}\n`).join("");
  return `${summary}\n\nUsage: steerscope ${name} ${usage}\n\n${list}${remarks}`;
}
