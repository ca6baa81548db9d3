import { arch, platform, release, totalmem } from "node:os";
import { checkFolderWritable } from "../client/files.ts";
import type { SelfTestCheck } from "../shared/engineContract.ts";
import { isSteerscopeError, serialiseError } from "../shared/errors.ts";
import { usageError } from "./arguments.ts";
import { defaultModel, modelOption, type Command, type Run } from "./command.ts";
import { usesColours } from "./context.ts";
import { bold, count, printable, size } from "./text.ts";

interface Check {
  readonly name: string;
  readonly passed: boolean;
  /** Passed, and yet something to know before use. */
  readonly isWarning?: boolean;
  /** What was found. */
  readonly found: string;
  /** What to do, for a check that did not pass. */
  readonly remedy?: string;
  readonly detail?: string;
}

const leastNodeVersion = 20;

export const doctorCommand: Command = {
  name: "doctor",
  usage: "[options]",
  summary: "Check that everything works on this machine, and say what to do where it does not.",
  options: { ...modelOption },
  notes: ["Loads the model and runs its self-test. Exit code 1 when a check fails."],
  prepare(values) {
    if (values.positionals.length > 0) throw usageError("doctor takes options only.");
    const model = values.path("model") ?? defaultModel;
    return async (run) => {
      const checks: Check[] = [checkNode(process.versions.node)];
      const add = async (name: string, look: () => Promise<string>): Promise<boolean> => {
        const check = await attempt(name, look);
        checks.push(check);
        return check.passed;
      };
      const hasCache = await add("cache folder", async () => {
        await checkFolderWritable(run.cacheFolder);
        return run.cacheFolder;
      });
      // The engine does not start without one, and the rest is to be known as well.
      if (!hasCache) await run.useTemporaryCacheFolder();
      const hasEngine = await add("engine process", async () => {
        const { processId, contractVersion } = await run.engine.hello(undefined, run.call);
        return `process ${processId}, contract version ${contractVersion}`;
      });
      // Without an engine there is nothing else to ask; one cause is named once.
      if (hasEngine && (await add("onnxruntime", () => describeRuntime(run))))
        await addModelChecks(run, model, checks);
      const passed = checks.every((check) => check.passed);
      const isColoured = usesColours(run.context.stdout, run.context);
      return {
        text: checks.map((check) => line(check, isColoured)).join("") + summary(checks),
        failed: !passed,
        json: { command: "doctor", passed, system: system(), checks },
      };
    };
  },
};

async function addModelChecks(run: Run, model: string, checks: Check[]): Promise<void> {
  const name = `model ${model}`;
  let further: readonly Check[] = [];
  checks.push(
    await attempt(name, async () => {
      const description = await run.engine.load({ model }, run.call);
      const { architecture, layers, hidden, precision, loadMilliseconds, selfTest, warnings } = description;
      run.warnings.push(...warnings);
      further = [
        ...selfTest.checks.map(selfTestCheck),
        ...warnings.map((found) => ({ name, passed: true, isWarning: true, found })),
      ];
      return `${architecture}, ${count(layers, "layer")}, ${hidden} wide, ${precision}, loaded in ${Math.round(loadMilliseconds)} ms`;
    }),
  );
  checks.push(...further);
}

function selfTestCheck({ name, passed, deviation, limit }: SelfTestCheck): Check {
  const found = `deviation ${deviation.toExponential(1)}, limit ${limit.toExponential(1)}`;
  const check = { name: `self-test: ${name}`, passed, found };
  return passed
    ? check
    : { ...check, remedy: "Do not trust vectors of this model; use another export of it." };
}

async function describeRuntime(run: Run): Promise<string> {
  const { memory } = await run.engine.describe(undefined, run.call);
  return `loaded, ${size(memory.residentBytes)} of memory in use`;
}

function checkNode(version: string): Check {
  const passed = Number(version.split(".")[0]) >= leastNodeVersion;
  const found = `${version} on ${system()}`;
  return passed
    ? { name: "Node", passed, found }
    : { name: "Node", passed, found, remedy: `Install Node ${leastNodeVersion} or newer.` };
}

function system(): string {
  return `${platform()} ${release()} ${arch()}, ${size(totalmem())} of memory`;
}

/** A failed look is a finding, unless the person stopped it. */
async function attempt(name: string, look: () => Promise<string>): Promise<Check> {
  try {
    return { name, passed: true, found: await look() };
  } catch (error) {
    if (isSteerscopeError(error, "Cancelled")) throw error;
    const { message, remedy, detail } = serialiseError(error);
    return {
      name,
      passed: false,
      found: message,
      ...(remedy === undefined ? {} : { remedy }),
      ...(detail === undefined ? {} : { detail }),
    };
  }
}

function line({ name, passed, isWarning, found, remedy, detail }: Check, isColoured: boolean): string {
  const state = !passed ? "failed" : isWarning === true ? "warn  " : "ok    ";
  const head = `${bold(state, isColoured)}  ${printable(`${name}: ${found}`)}\n`;
  const more = [remedy, detail].filter((each) => each !== undefined);
  return passed ? head : head + more.map((each) => `        ${printable(each)}\n`).join("");
}

function summary(checks: readonly Check[]): string {
  const failures = checks.filter(({ passed }) => !passed).length;
  const warnings = checks.filter(({ isWarning }) => isWarning === true).length;
  if (failures > 0) return `\n${failures} of ${checks.length - warnings} checks failed.\n`;
  return warnings === 0
    ? "\nEverything works.\n"
    : `\nEverything works, with ${count(warnings, "warning")}.\n`;
}
