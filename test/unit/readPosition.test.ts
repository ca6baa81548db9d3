import { describe, expect, it } from "vitest";
import { isSteerscopeError, type ErrorKind } from "../../src/shared/errors.ts";
import { parseReadPosition, resolveReadPosition, type ReadableInput } from "../../src/shared/readPosition.ts";
import { hasPrompt } from "../../src/shared/tokenInput.ts";

const input: ReadableInput = { length: 10, textStart: 3, textEnd: 7, hasPrompt: true };
const spanOf = (spelling: string, change: Partial<ReadableInput> = {}): readonly number[] => {
  const { start, end } = resolveReadPosition(parseReadPosition(spelling), { ...input, ...change });
  return [start, end];
};
const refusal = (spelling: string, change: Partial<ReadableInput>): ErrorKind | null => {
  try {
    spanOf(spelling, change);
    return null;
  } catch (error) {
    return isSteerscopeError(error) ? error.kind : null;
  }
};

describe("read positions", () => {
  it.each([
    ["last", [9, 10]],
    ["last-9", [0, 1]],
    ["4", [4, 5]],
    ["mean", [3, 7]],
    ["mean-completion", [3, 7]],
  ])("%s reads tokens %j", (spelling, span) => {
    expect(spanOf(spelling)).toEqual(span);
  });

  it("ask for a prompt of the example's own, which a BOS or a template is not", () => {
    expect(refusal("mean-completion", { hasPrompt: false })).toBe("ExampleSetInvalid");
    expect(spanOf("mean-completion", { textStart: 0 })).toEqual([0, 7]);
    expect(spanOf("mean", { hasPrompt: false })).toEqual([3, 7]);
    expect([{ text: "a" }, { text: "a", prompt: "" }].map(hasPrompt)).toEqual([false, false]);
    expect(hasPrompt({ text: "a", prompt: "b" })).toBe(true);
    expect([0, 1].map((textStart) => hasPrompt({ ids: Int32Array.of(1, 2), textStart }))).toEqual([
      false,
      true,
    ]);
  });

  it("refuse what an example does not have", () => {
    for (const spelling of ["last-10", "10"]) expect(refusal(spelling, {})).toBe("ExampleSetInvalid");
    // A template's tail is no text.
    expect(refusal("mean", { textEnd: 3 })).toBe("ExampleSetInvalid");
  });
});
