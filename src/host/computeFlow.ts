/** The questions of Compute Steering Vector: set, model, method, read position, template, name. */
import * as vscode from "vscode";
import { pairExamples } from "../formats/exampleSet.ts";
import { SteerscopeError } from "../shared/errors.ts";
import { methodFormulas } from "../shared/methodFormulas.ts";
import { methodIds } from "../shared/methods.ts";
import { modelName } from "../shared/modelName.ts";
import { formatReadPosition, parseReadPosition, type ReadPosition } from "../shared/readPosition.ts";
import { templates } from "../shared/tokenInput.ts";
import type { ComputeChoices } from "./computeChoices.ts";
import type { ExampleSetFile, ExampleSets } from "./exampleSets.ts";
import { methodLabel, namedPositions, templateLabel } from "./methodLabels.ts";
import type { Models } from "./models.ts";
import { back, inputStep, pickStep, type InputOptions, type Place } from "./steps.ts";

export interface ComputePlan {
  readonly set: ExampleSetFile;
  readonly choices: ComputeChoices;
  readonly name: string;
}

export interface ComputeFlowInput {
  /** The one that was named, else that of the editor, else the active one; undefined where there is none. */
  readonly set: ExampleSetFile | undefined;
  /** What Enter takes at every step: the last choices for the set, and whether there were any. */
  readonly remembered: (set: ExampleSetFile) => {
    readonly choices: ComputeChoices;
    readonly isLast: boolean;
  };
  readonly suggestName: (set: ExampleSetFile) => string;
  readonly nameNotice: (set: ExampleSetFile) => InputOptions["validate"];
  /** undefined: not known before the model is loaded. */
  readonly hasChatTemplate: (model: string) => boolean | undefined;
}

interface Draft extends ComputePlan {
  /** Nothing more is asked. */
  readonly isComplete: boolean;
}

/** Not the active set, but another one. */
const anotherSet = Symbol("another set");

type Answer = Draft | typeof back | undefined;
type Step = (draft: Draft, place: Place) => Promise<Answer>;

interface Choice<T> extends vscode.QuickPickItem {
  readonly value: T;
}

/** undefined: the person gave up. Throws InvalidRequest without a set or a model. */
export async function askComputePlan(
  { sets, models }: { readonly sets: ExampleSets; readonly models: Models },
  input: ComputeFlowInput,
): Promise<ComputePlan | undefined> {
  const draftOf = (set: ExampleSetFile): Draft => ({
    set,
    choices: input.remembered(set).choices,
    name: input.suggestName(set),
    isComplete: false,
  });
  const all = sets.all();
  const first = input.set;
  if (first === undefined) {
    throw new SteerscopeError("InvalidRequest", vscode.l10n.t("There is no example set yet."), {
      remedy: vscode.l10n.t("Select text in an editor and add it as a positive or a negative example."),
    });
  }
  const available = await models.available();
  const askModel: Step = async (given, place) => {
    for (let draft = given; ;) {
      const title = titleOf(draft);
      const answer = await pickModel(draft, { ...place, title }, available, input, all.length > 1);
      if (answer !== anotherSet) return answer;
      const chosen = await pickSet(draft, all, { ...place, title });
      if (chosen === undefined) return undefined;
      if (chosen !== back) draft = draftOf(chosen);
    }
  };
  const steps = (draft: Draft): readonly Step[] => [
    askModel,
    pickMethod,
    pickPosition,
    ...(input.hasChatTemplate(draft.choices.model) === false ? [] : [pickTemplate]),
    (draft, place) => askName(draft, place, input.nameNotice(draft.set)),
  ];
  let draft = draftOf(first);
  for (let index = 0; ;) {
    const list = steps(draft);
    const step = list[index];
    if (step === undefined || draft.isComplete) return draft;
    const answer = await step(draft, { title: titleOf(draft), step: index + 1, totalSteps: list.length });
    if (answer === undefined) return undefined;
    if (answer === back) index--;
    else {
      draft = answer;
      index++;
    }
  }
}

function titleOf({ set }: Draft): string {
  return vscode.l10n.t("Compute Steering Vector: {0}", set.name);
}

async function pickSet(
  draft: Draft,
  sets: readonly ExampleSetFile[],
  place: Place,
): Promise<ExampleSetFile | typeof back | undefined> {
  const items = sets.map((set) => ({ label: set.name, description: describeSet(set), value: set }));
  const picked = await pickStep<Choice<ExampleSetFile>>(place, {
    placeholder: vscode.l10n.t("Example set"),
    items,
    active: items.find(({ value }) => value === draft.set),
  });
  return picked === undefined || picked === back ? picked : picked.value;
}

function describeSet({ set }: ExampleSetFile): string {
  if (set === null) return vscode.l10n.t("cannot be read");
  const { positive, negative } = pairExamples(set);
  return vscode.l10n.t("{0} positive, {1} negative", positive.length, negative.length);
}

async function pickModel(
  draft: Draft,
  place: Place,
  available: Awaited<ReturnType<Models["available"]>>,
  { remembered: rememberedFor, hasChatTemplate }: ComputeFlowInput,
  hasOtherSets: boolean,
): Promise<Answer | typeof anotherSet> {
  const remembered = rememberedFor(draft.set);
  const { model, method, position, template } = remembered.choices;
  const name = available.find(({ reference }) => reference === model)?.name ?? modelName(model);
  const parts = [name, methodLabel(method), formatReadPosition(position)];
  const again: Choice<null> = {
    label: remembered.isLast
      ? vscode.l10n.t("$(play) Compute with the last settings")
      : vscode.l10n.t("$(play) Compute with the default settings"),
    description: [...parts, ...(template === "none" ? [] : [template])].join(" · "),
    value: null,
  };
  const items = available.map(({ reference, name, detail }) => ({
    label: name,
    description: detail,
    value: reference,
  }));
  const others: Choice<typeof anotherSet>[] = hasOtherSets
    ? [{ label: vscode.l10n.t("$(list-unordered) Another example set"), value: anotherSet }]
    : [];
  const picked = await pickStep<Choice<string | typeof anotherSet | null>>(place, {
    placeholder: vscode.l10n.t("Model"),
    items: [again, ...others, separator(vscode.l10n.t("Models")), ...items],
    active: items.find(({ value }) => value === draft.choices.model && value !== model) ?? again,
  });
  if (picked === undefined || picked === back) return picked;
  if (picked.value === null) return { ...draft, choices: remembered.choices, isComplete: true };
  if (picked.value === anotherSet) return anotherSet;
  const chosen = { ...draft.choices, model: picked.value };
  const hasNone = hasChatTemplate(chosen.model) === false;
  return { ...draft, choices: hasNone ? { ...chosen, template: "none" } : chosen };
}

async function pickMethod(draft: Draft, place: Place): Promise<Answer> {
  const items = methodIds.map((method) => ({
    label: methodLabel(method),
    description: method,
    detail: methodFormulas[method].formula,
    value: method,
  }));
  const picked = await pickStep(place, {
    placeholder: vscode.l10n.t("Method"),
    items,
    active: items.find(({ value }) => value === draft.choices.method),
  });
  if (picked === undefined || picked === back) return picked;
  return { ...draft, choices: { ...draft.choices, method: picked.value } };
}

async function pickPosition(draft: Draft, place: Place): Promise<Answer> {
  const chosen = formatReadPosition(draft.choices.position);
  const named: Choice<ReadPosition | null>[] = namedPositions().map(({ spelling, label }) => ({
    label,
    description: spelling,
    value: parseReadPosition(spelling),
  }));
  const isNamed = named.some(({ description }) => description === chosen);
  const items = isNamed ? named : [positionItem(draft.choices.position), ...named];
  const picked = await pickStep(place, {
    placeholder: vscode.l10n.t("Token that is read; type last-3 or an index such as 5 for another"),
    items,
    active: items.find(({ description }) => description === chosen),
    typed: (text) => {
      try {
        const item = positionItem(parseReadPosition(text.trim()));
        return named.some(({ description }) => description === item.description) ? undefined : item;
      } catch {
        return items.some((item) => isFilteredBy(item, text)) ? undefined : notPosition(text);
      }
    },
    isAnswer: ({ value }) => value !== null,
  });
  if (picked === undefined || picked === back) return picked;
  const { value: position } = picked;
  return position === null ? undefined : { ...draft, choices: { ...draft.choices, position } };
}

/** As the list's own filter sees it, but for letters that are not next to each other. */
function isFilteredBy({ label, description }: vscode.QuickPickItem, text: string): boolean {
  return `${label} ${description}`.toLowerCase().includes(text.trim().toLowerCase());
}

function notPosition(text: string): Choice<null> {
  return {
    label: vscode.l10n.t("Not a read position: {0}", text.trim()),
    detail: vscode.l10n.t("Use last, last-K, mean, mean-completion, or a token index such as 5."),
    alwaysShow: true,
    value: null,
  };
}

function positionItem(value: ReadPosition): Choice<ReadPosition | null> {
  const spelling = formatReadPosition(value);
  return { label: vscode.l10n.t("Read at {0}", spelling), description: spelling, value };
}

async function pickTemplate(draft: Draft, place: Place): Promise<Answer> {
  const items = templates.map((template) => ({
    label: templateLabel(template),
    description: template,
    value: template,
  }));
  const picked = await pickStep(place, {
    placeholder: vscode.l10n.t("How examples are given to the model"),
    items,
    active: items.find(({ value }) => value === draft.choices.template),
  });
  if (picked === undefined || picked === back) return picked;
  return { ...draft, choices: { ...draft.choices, template: picked.value } };
}

async function askName(draft: Draft, place: Place, validate: InputOptions["validate"]): Promise<Answer> {
  const name = await inputStep(place, {
    prompt: vscode.l10n.t("Name of the vector"),
    value: draft.name,
    validate,
  });
  return name === undefined || name === back ? name : { ...draft, name };
}

function separator(label: string): Choice<null> {
  return { label, kind: vscode.QuickPickItemKind.Separator, value: null };
}
