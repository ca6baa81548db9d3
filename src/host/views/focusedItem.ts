import type * as vscode from "vscode";
import { commands } from "vscode";

/** Longer than the way from the window and back takes on a slow connection. */
const patienceMilliseconds = 1000;

/** What the key bindings of a view pass to their commands, which VS Code gives no item. */
export interface KeyRequest {
  readonly fromKey: true;
}

export function isKeyRequest(argument: unknown): argument is KeyRequest {
  return typeof argument === "object" && argument !== null && "fromKey" in argument;
}

/**
 * The items that a key is about, as everywhere in VS Code: the one with the focus, or the selection where it is part of
 * that. Arrow keys move the focus and leave the selection, and the API tells the selection only; so the focused item is
 * taken into the selection, or out of it, and back.
 */
export async function itemsOfKey<T>(
  view: vscode.TreeView<T>,
  keyOf: (item: T) => string,
): Promise<readonly T[]> {
  const before = view.selection;
  const inverted = await toggled(view);
  if (inverted === undefined) return before;
  const keys = new Set(before.map(keyOf));
  const added = inverted.filter((item) => !keys.has(keyOf(item)));
  await toggled(view);
  return added.length > 0 ? added : before;
}

/** The selection after the focused item changed it; undefined where there is none. */
async function toggled<T>(view: vscode.TreeView<T>): Promise<readonly T[] | undefined> {
  let timer: NodeJS.Timeout | undefined;
  let subscription: vscode.Disposable | undefined;
  try {
    const changed = new Promise<readonly T[] | undefined>((resolve) => {
      subscription = view.onDidChangeSelection(({ selection }) => {
        resolve(selection);
      });
      timer = setTimeout(resolve, patienceMilliseconds, undefined);
    });
    await commands.executeCommand("list.toggleSelection");
    return await changed;
  } finally {
    clearTimeout(timer);
    subscription?.dispose();
  }
}
