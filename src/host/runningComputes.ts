/** Computations that a reload of the window ends: it gives them no time to say so, and the next window does. */
import * as vscode from "vscode";
import type { ComputeArguments } from "./commands/computeVector.ts";
import type { EngineHost } from "./engineHost.ts";
import { commandIds } from "./ids.ts";
import type { Services } from "./services.ts";

/** Everything that the command needs to do it again; `set` is the address as text. */
export type InterruptedCompute = Required<ComputeArguments> & { readonly set: string };

const runningKey = "steering.runningComputes";

interface NotingServices {
  readonly context: Pick<vscode.ExtensionContext, "workspaceState">;
  readonly engine: Pick<EngineHost, "isDisposed">;
}

/** Runs `body`, which is noted as running until it has ended in whatever way but with the window. */
export async function notedAsRunning<T>(
  { context, engine }: NotingServices,
  compute: InterruptedCompute,
  body: () => Promise<T>,
): Promise<T> {
  const { workspaceState } = context;
  const noted = (): readonly InterruptedCompute[] => workspaceState.get(runningKey, []);
  await workspaceState.update(runningKey, [...noted().filter(({ name }) => name !== compute.name), compute]);
  try {
    return await body();
  } finally {
    if (!engine.isDisposed) {
      await workspaceState.update(
        runningKey,
        noted().filter(({ name }) => name !== compute.name),
      );
    }
  }
}

/** Tells what the window before this one was computing, once. */
export function tellInterrupted({ context, notices }: Pick<Services, "context" | "notices">): void {
  const { workspaceState } = context;
  const interrupted = workspaceState.get<readonly InterruptedCompute[]>(runningKey, []);
  if (interrupted.length === 0) return;
  void workspaceState.update(runningKey, undefined);
  for (const compute of interrupted) {
    void notices.showInformation(vscode.l10n.t("Computing {0} was interrupted.", compute.name), [
      {
        title: vscode.l10n.t("Continue"),
        run: () => vscode.commands.executeCommand(commandIds.computeVector, compute),
      },
    ]);
  }
}
