/** From the words of a command line to an exit code: 0 done, 1 failed, 2 not understood, 130 stopped by Ctrl-C. */
import { isSteerscopeError, serialiseError, SteerscopeError } from "../shared/errors.ts";
import { Arguments } from "./arguments.ts";
import { activationsCommand } from "./activations.ts";
import { commonOptions, Run, type Command, type CommandResult } from "./command.ts";
import { computeCommand } from "./compute.ts";
import { usesColours, type Context } from "./context.ts";
import { doctorCommand } from "./doctor.ts";
import { generateCommand } from "./generate.ts";
import { commandHelp, programHelp } from "./help.ts";
import { inspectCommand } from "./inspect.ts";
import { modelsCommand } from "./models.ts";
import { bold, printable } from "./text.ts";

const commands: readonly Command[] = [
  computeCommand,
  inspectCommand,
  generateCommand,
  activationsCommand,
  modelsCommand,
  doctorCommand,
];

const done = 0;
const failed = 1;
const notUnderstood = 2;
const stopped = 130;

/** Runs one command to its end. Never throws; returns the exit code. */
export async function runCommandLine(argv: readonly string[], context: Context): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined) {
    context.stderr.write(programHelp(commands));
    return notUnderstood;
  }
  if (name === "--help" || name === "-h" || name === "help") {
    const command = commands.find((candidate) => candidate.name === rest[0]);
    context.stdout.write(command === undefined ? programHelp(commands) : commandHelp(command));
    return done;
  }
  if (name === "--version") {
    context.stdout.write(`${context.program}\n`);
    return done;
  }
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) {
    context.stderr.write(`steerscope: "${printable(name)}" is not a command.\n\n${programHelp(commands)}`);
    return notUnderstood;
  }
  // Asked before parsing, so that help comes even where the rest of the line is wrong.
  if (rest.includes("--help")) {
    context.stdout.write(commandHelp(command));
    return done;
  }
  return runCommand(command, rest, context);
}

async function runCommand(command: Command, argv: readonly string[], context: Context): Promise<number> {
  const isJson = argv.includes("--json");
  const isVerbose = argv.includes("--verbose");
  let run: Run | undefined;
  let work: ReturnType<Command["prepare"]>;
  try {
    const values = new Arguments(argv, { ...command.options, ...commonOptions });
    work = command.prepare(values);
    run = new Run(context, values);
  } catch (error) {
    writeError(error, context, isJson, isVerbose);
    if (!isJson) context.stderr.write(`Usage: steerscope ${command.name} ${command.usage}\n`);
    return notUnderstood;
  }
  try {
    const result = await work(run);
    run.endProgress();
    writeResult(result, run);
    return result.failed === true ? failed : done;
  } catch (error) {
    run.endProgress();
    // What stops this program may have reached the engine first: its end is then no crash.
    const isStop = isSteerscopeError(error, "Cancelled") || context.signal.aborted;
    writeError(isStop ? new SteerscopeError("Cancelled", "Stopped.") : error, context, isJson, isVerbose);
    return isStop ? stopped : failed;
  } finally {
    await run.dispose();
  }
}

function writeResult({ json, text }: CommandResult, { context, isJson, warnings }: Run): void {
  if (isJson) context.stdout.write(`${JSON.stringify({ ...(json as object), warnings })}\n`);
  else if (text !== null) context.stdout.write(text);
}

/** People read standard error; programs that asked for JSON get it where they read the result. */
function writeError(error: unknown, context: Context, isJson: boolean, isVerbose: boolean): void {
  const serialised = serialiseError(error);
  if (isJson) {
    context.stdout.write(`${JSON.stringify({ error: serialised })}\n`);
    return;
  }
  const { message, remedy, detail, kind } = serialised;
  const lines = [message];
  if (remedy !== undefined) lines.push(remedy);
  if (detail !== undefined && (isVerbose || kind === "Internal")) lines.push(detail);
  const program = bold("steerscope:", usesColours(context.stderr, context));
  context.stderr.write(`${program} ${printable(lines.join("\n"))}\n`);
}
