/** Which column of a table is what, told by the heading or, without one, by the first row. */
import { SteerscopeError } from "../shared/errors.ts";
import type { Localisation } from "../shared/localisation.ts";

export const columnNames = ["label", "text", "prompt", "pair", "positive", "negative"] as const;
export type ColumnName = (typeof columnNames)[number];

export interface ExampleColumns {
  /** The first row names the columns and is no data. */
  readonly isHeader: boolean;
  readonly valueOf: (fields: readonly string[]) => Partial<Record<ColumnName, string>>;
}

const synonyms: Readonly<Record<string, ColumnName>> = {
  side: "label",
  class: "label",
  sentence: "text",
  completion: "text",
  answer: "text",
  example: "text",
  question: "prompt",
  user: "prompt",
  pair_id: "pair",
  pos: "positive",
  neg: "negative",
};

/** Throws ExampleSetInvalid when neither a heading nor the number of columns tells which is which. */
export function readColumns(first: readonly string[], l10n: Localisation): ExampleColumns {
  const named = first.map(columnNamed);
  const has = (name: ColumnName): boolean => named.includes(name);
  if (has("text") || (has("positive") && has("negative"))) return columns(true, named);
  const plain = withoutHeading(first);
  if (plain !== null) return columns(false, plain);
  throw new SteerscopeError("ExampleSetInvalid", l10n.t("It is not clear which column is what."), {
    remedy: l10n.t(
      "Give the table a first row with these names: {0}, or: {1}.",
      "label, text, prompt, pair",
      "positive, negative, prompt",
    ),
  });
}

function columnNamed(heading: string): ColumnName | null {
  const word = heading.trim().toLowerCase();
  return (
    columnNames.find((name) => name === word) ?? (Object.hasOwn(synonyms, word) ? synonyms[word]! : null)
  );
}

function withoutHeading(first: readonly string[]): readonly ColumnName[] | null {
  if (first.length === 1) return ["text"];
  const sides = first.map((field) => /^\s*(positive|negative|pos|neg|[01+-]|[+-]1)\s*$/i.test(field));
  if (sides[0]) return ["label", "text", "prompt", "pair"].slice(0, first.length) as ColumnName[];
  if (sides[1] && first.length === 2) return ["text", "label"];
  if (first.length === 2) return ["positive", "negative"];
  return null;
}

function columns(isHeader: boolean, names: readonly (ColumnName | null)[]): ExampleColumns {
  return {
    isHeader,
    valueOf: (fields) =>
      Object.fromEntries(
        names.flatMap((name, index) => {
          const field = fields[index];
          return name === null || field === undefined || names.indexOf(name) !== index ? [] : [[name, field]];
        }),
      ),
  };
}
