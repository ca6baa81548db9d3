/** Chat templates: what is rendered, and where in it the text lies. */
import { SteerscopeError } from "../../shared/errors.ts";
import type { TextInput } from "../../shared/tokenInput.ts";

export interface RenderedChat {
  readonly rendered: string;
  /** UTF-16 offsets [from, to) of the text in `rendered`. */
  readonly textOffsets: readonly [from: number, to: number];
}

/** Stands in for the text while looking for its place: private-use characters that no template and no person writes. */
const placeholder = "\uE5CA\uE0FE\uE5CB";

/** Templates may repeat what they are given; more than this is not a prompt. */
const maximumRendered = 16 * 1024 * 1024;

/**
 * With a prompt: the prompt as the user's turn, the template's opening of the answer, and the text as the answer's
 * beginning. Without: the text as the user's turn, then the opening of the answer. `render` gives a user's turn and the
 * opening of the answer. Throws ModelUnsupported where the template cannot be rendered.
 */
export function renderChat({ prompt, text }: TextInput, render: (userTurn: string) => string): RenderedChat {
  const safeRender = (userTurn: string): string => {
    let rendered: string;
    try {
      rendered = render(userTurn);
    } catch (error) {
      throw new SteerscopeError("ModelUnsupported", "The model's chat template cannot be applied.", {
        remedy: "Use --template none, or correct the chat template in the model's folder.",
        detail: error instanceof Error ? error.message : String(error),
        cause: error,
      });
    }
    if (rendered.length > maximumRendered) {
      throw new SteerscopeError("ModelUnsupported", "The model's chat template writes far too much.", {
        remedy: "Use --template none, or correct the chat template in the model's folder.",
      });
    }
    return rendered;
  };
  if (prompt !== undefined) {
    const opening = safeRender(prompt);
    const rendered = opening + text;
    return { rendered, textOffsets: [opening.length, rendered.length] };
  }
  const rendered = safeRender(text);
  return { rendered, textOffsets: placeOfText(rendered, text, safeRender(placeholder)) };
}

/** Templates often trim the text, and some write it differently; then the place of what stands for it is taken. */
function placeOfText(rendered: string, text: string, withPlaceholder: string): [from: number, to: number] {
  const before = withPlaceholder.indexOf(placeholder);
  const start = before >= 0 && rendered.startsWith(withPlaceholder.slice(0, before)) ? before : 0;
  for (const wanted of [text, text.trim()]) {
    const found = rendered.indexOf(wanted, start);
    if (found >= 0) return [found, found + wanted.length];
  }
  const tail = withPlaceholder.split(placeholder).at(-1)!;
  const end = rendered.endsWith(tail) ? rendered.length - tail.length : rendered.length;
  return [start, Math.max(start, end)];
}
