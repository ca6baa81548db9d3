/**
 * What a model reads. `prompt` precedes `text` and is part of the input, but not of what the text contributes to a
 * mean over the text (file format of example sets).
 */
export interface TextInput {
  readonly text: string;
  readonly prompt?: string;
}

/** Token ids given as they are; `textStart` is the index of the first token that belongs to the text (0: all do); those before it are the prompt. */
export interface TokenInput {
  readonly ids: Int32Array;
  readonly textStart: number;
}

export type ModelInput = TextInput | TokenInput;

/** Whether an input says itself what precedes its text. A BOS or a chat template is no prompt, nor is an empty one. */
export function hasPrompt(input: ModelInput): boolean {
  return "ids" in input ? input.textStart > 0 : input.prompt !== undefined && input.prompt !== "";
}

export const templates = ["none", "chat"] as const;
/**
 * none: prompt and text are joined as they are, after the tokenizer's own first token (BOS) where it has one.
 * chat: with a prompt, it is the user turn and the text begins the assistant's answer; without one, the text is the
 * user turn and the template's opening of the answer follows it.
 */
export type Template = (typeof templates)[number];
