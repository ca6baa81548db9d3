import { SteerscopeError } from "./errors.ts";

/**
 * Which tokens are steered. `after-prompt` = the last prompt token and every generated token (default; what arXiv
 * 2505.03189 does); `range`: token indices [from, to], both included, counted from the start of the prompt.
 */
export type Scope =
  "all" | "after-prompt" | "generated" | "prompt" | { readonly from: number; readonly to: number };

export const scopeNames = ["all", "after-prompt", "generated", "prompt"] as const;
export const defaultScope: Scope = "after-prompt";

/** Reads `all`, `after-prompt`, `generated`, `prompt` or `a-b`. Throws InvalidRequest. */
export function parseScope(spelling: string): Scope {
  const name = scopeNames.find((candidate) => candidate === spelling);
  if (name) return name;
  const range = /^(\d{1,6})-(\d{1,6})$/.exec(spelling);
  if (range) {
    const from = Number(range[1]);
    const to = Number(range[2]);
    if (from <= to) return { from, to };
  }
  throw new SteerscopeError("InvalidRequest", `"${spelling}" is not a scope.`, {
    remedy: "Use all, after-prompt, generated, prompt, or a token range such as 3-7.",
  });
}

/** The inverse of `parseScope`. */
export function formatScope(scope: Scope): string {
  return typeof scope === "string" ? scope : `${scope.from}-${scope.to}`;
}

/** Whether the token at `index` of a text whose prompt has `promptLength` tokens is steered. */
export function isSteered(scope: Scope, index: number, promptLength: number): boolean {
  if (typeof scope !== "string") return index >= scope.from && index <= scope.to;
  switch (scope) {
    case "all":
      return true;
    case "after-prompt":
      return index >= promptLength - 1;
    case "generated":
      return index >= promptLength;
    case "prompt":
      return index < promptLength;
  }
}
