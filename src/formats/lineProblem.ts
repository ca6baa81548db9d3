/** What may be wrong with one line of an example set, and its words. */
import type { Localisation } from "../shared/localisation.ts";

/** Each with what `values` hold. */
export type LineProblemCode =
  /** The most characters. */
  | "line-too-long"
  /** What JSON.parse says. */
  | "not-json"
  | "not-an-object"
  | "bad-label"
  | "bad-text"
  | "bad-prompt"
  /** The most characters. */
  | "bad-pair"
  | "half-character"
  /** Id of the pair, label that is missing. */
  | "pair-one-sided"
  /** Id of the pair, label, line of the first. */
  | "pair-twice";

export interface LineProblem {
  readonly code: LineProblemCode;
  readonly values: readonly (string | number)[];
}

/** A sentence for people. */
export function lineProblemText({ code, values }: LineProblem, l10n: Localisation): string {
  const [first = "", second = "", third = ""] = values;
  switch (code) {
    case "line-too-long":
      return l10n.t("The line is longer than {0} characters.", first);
    case "not-json":
      return l10n.t("This is not JSON: {0}", first);
    case "not-an-object":
      return l10n.t("The line is not an object such as {0}.", '{"label":"positive","text":"…"}');
    case "bad-label":
      return l10n.t('"label" must be "positive" or "negative".');
    case "bad-text":
      return l10n.t('"text" must be a text that is not empty.');
    case "bad-prompt":
      return l10n.t('"prompt" must be a text.');
    case "bad-pair":
      return l10n.t('"pair" must be a text of 1 to {0} characters.', first);
    case "half-character":
      return l10n.t("The text holds half of a surrogate pair, which no tokenizer can read.");
    case "pair-one-sided":
      return l10n.t('The pair "{0}" has no {1} example.', first, labelText(second, l10n));
    case "pair-twice":
      return l10n.t(
        'The pair "{0}" has a second {1} example; the first is at line {2}.',
        first,
        labelText(second, l10n),
        third,
      );
  }
}

/** A label inside a sentence. */
export function labelText(label: string | number, l10n: Localisation): string {
  return label === "positive" ? l10n.t("positive") : l10n.t("negative");
}

/** The complaint of JSON.parse about a text of one line. */
export function notJson(error: unknown): LineProblem {
  // A line has lines of its own only for JSON.parse.
  return { code: "not-json", values: [(error as Error).message.replace(/ \(line 1 column \d+\)$/, "")] };
}
