/**
 * Runs in the extension host in place of tests: adds examples, renames and computes without end, one thing at a time, and
 * writes down what begins and what has ended, for kill.test.mjs, which kills processes meanwhile.
 */
import { appendFileSync } from "node:fs";
import * as vscode from "vscode";
import { commandIds } from "../../src/host/ids.ts";
import type { Services } from "../../src/host/services.ts";
import { SeededRandom } from "../../src/steering/random.ts";
import type { Action, JournalLine } from "./journal.ts";

const journal = process.env["STEERSCOPE_KILL_JOURNAL"]!;
const random = new SeededRandom(Number(process.env["STEERSCOPE_KILL_SEED"]));
const setNames = ["happy-sad", "renamed"] as const;

export async function run(): Promise<void> {
  try {
    await work();
  } catch (error) {
    write({ state: "stopped", reason: (error as Error).stack ?? String(error) });
  }
}

async function work(): Promise<never> {
  const extension = vscode.extensions.getExtension<Services>("steerscope.steerscope")!;
  const services = await extension.activate();
  await Promise.all([services.sets.ready, services.vectors.ready]);
  write({ state: "ready", host: process.pid });
  let engine: number | undefined;
  services.engine.onDidChangeState(() => {
    const { pid } = services.engine;
    if (pid === undefined || pid === engine) return;
    engine = pid;
    write({ state: "engine", engine: pid });
  });
  for (let number = 0; ; number++) {
    const action = nextAction(services, number);
    write({ state: "begin", action });
    const result = await perform(action);
    write({ state: "end", action, isDone: result !== undefined });
    if (services.engine.state.kind === "crashed") {
      // What a person does after several crashes; else the engine would refuse to start again.
      await vscode.commands.executeCommand(commandIds.restartEngine);
    }
  }
}

function nextAction({ sets, vectors }: Services, number: number): Action {
  const set = sets.all()[0]!.name;
  // Names that no run before this one has used.
  const unique = `${process.pid}-${number}`;
  const known = vectors.all();
  const choice = random.below(known.length === 0 ? 3 : 4);
  if (choice === 0) return { kind: "add", set, text: `Text ${unique} of an example that must not get lost.` };
  if (choice === 1) return { kind: "renameSet", from: set, to: setNames.find((name) => name !== set)! };
  if (choice === 2) return { kind: "compute", set, name: `vector-${unique}` };
  const { name } = known[random.below(known.length)]!;
  return { kind: "renameVector", from: name, to: `moved-${unique}` };
}

async function perform(action: Action): Promise<unknown> {
  const { executeCommand } = vscode.commands;
  switch (action.kind) {
    case "add": {
      const side = random.below(2) === 0 ? commandIds.addPositive : commandIds.addNegative;
      return executeCommand(side, { set: action.set, text: action.text });
    }
    case "renameSet":
      return executeCommand(commandIds.renameSet, action.from, action.to);
    case "compute":
      return executeCommand(commandIds.computeVector, { set: action.set, name: action.name });
    case "renameVector":
      return executeCommand(commandIds.renameVector, action.from, action.to);
  }
}

function write(line: JournalLine): void {
  // Begins with a line end as well: who wrote here before may have been killed within a line.
  appendFileSync(journal, `\n${JSON.stringify(line)}\n`);
}
