/** Questions one after the other, with a step count and a way back: quick picks and input boxes of VS Code. */
import * as vscode from "vscode";

/** The person wants to change the answer before. */
export const back = Symbol("back");

export interface Place {
  readonly title: string;
  readonly step: number;
  readonly totalSteps: number;
}

export interface PickOptions<Item extends vscode.QuickPickItem> {
  readonly placeholder: string;
  readonly items: readonly Item[];
  /** The one that Enter takes. */
  readonly active?: Item | undefined;
  /** An item for what was typed, shown first; undefined where the text means nothing. */
  readonly typed?: (text: string) => Item | undefined;
  /** False: the item only says something, and Enter leaves the list as it is. */
  readonly isAnswer?: (item: Item) => boolean;
}

/** undefined: the person gave up. */
export function pickStep<Item extends vscode.QuickPickItem>(
  place: Place,
  { placeholder, items, active, typed, isAnswer }: PickOptions<Item>,
): Promise<Item | typeof back | undefined> {
  const box = vscode.window.createQuickPick<Item>();
  box.placeholder = placeholder;
  box.matchOnDescription = true;
  box.items = items;
  if (active !== undefined) box.activeItems = [active];
  return answerOf(box, place, (accept) => [
    box.onDidAccept(() => {
      const [item] = box.selectedItems;
      if (item !== undefined && isAnswer?.(item) !== false) accept(item);
    }),
    box.onDidChangeValue((text) => {
      const item = typed?.(text);
      const isNew = item !== undefined && !items.some(({ label }) => label === item.label);
      box.items = isNew ? [item, ...items] : items;
    }),
  ]);
}

export interface InputOptions {
  readonly prompt: string;
  readonly value: string;
  /** What is wrong, which Enter does not take, or something of less severity; undefined where there is nothing to say. */
  readonly validate: (value: string) => string | vscode.InputBoxValidationMessage | undefined;
}

/** undefined: the person gave up. */
export function inputStep(
  place: Place,
  { prompt, value, validate }: InputOptions,
): Promise<string | typeof back | undefined> {
  const box = vscode.window.createInputBox();
  box.prompt = prompt;
  box.value = value;
  box.validationMessage = validate(value);
  return answerOf(box, place, (accept) => [
    box.onDidChangeValue((text) => {
      box.validationMessage = validate(text);
    }),
    box.onDidAccept(() => {
      const said = validate(box.value);
      const isWrong = typeof said === "string" || said?.severity === vscode.InputBoxValidationSeverity.Error;
      if (!isWrong) accept(box.value);
    }),
  ]);
}

async function answerOf<Answer>(
  box: vscode.QuickPick<vscode.QuickPickItem> | vscode.InputBox,
  { title, step, totalSteps }: Place,
  listen: (accept: (answer: Answer) => void) => vscode.Disposable[],
): Promise<Answer | typeof back | undefined> {
  box.title = title;
  box.step = step;
  box.totalSteps = totalSteps;
  // Looking something up in an editor meanwhile is what a person would do.
  box.ignoreFocusOut = true;
  if (step > 1) box.buttons = [vscode.QuickInputButtons.Back];
  let subscriptions: vscode.Disposable[] = [];
  try {
    return await new Promise<Answer | typeof back | undefined>((resolve) => {
      subscriptions = [
        ...listen(resolve),
        box.onDidTriggerButton((button) => {
          if (button === vscode.QuickInputButtons.Back) resolve(back);
        }),
        box.onDidHide(() => {
          resolve(undefined);
        }),
      ];
      box.show();
    });
  } finally {
    for (const subscription of subscriptions) subscription.dispose();
    box.dispose();
  }
}
