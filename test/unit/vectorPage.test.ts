import { describe, expect, test } from "vitest";
import { vectorPage, type VectorPageInput } from "../../src/host/editor/vectorPage.ts";
import { SteerscopeError } from "../../src/shared/errors.ts";
import { english } from "../../src/shared/localisation.ts";
import { vectorFixture } from "./support/vectorFixture.ts";

const input: VectorPageInput = {
  name: "happy-sad",
  file: vectorFixture(),
  problem: null,
  decimals: 3,
  nonce: "abc123",
  l10n: english,
  language: "en",
};

const hostile = `"><img src=x onerror='alert(1)'>&`;

test("every layer's measures and the whole provenance are there, with the decimals asked for", () => {
  const page = vectorPage(input);
  for (const text of [
    "0.250",
    "0.900",
    "mean(p) - mean(n)",
    "5 positive, 4 negative, 4 pairs",
    "m".repeat(64),
  ]) {
    expect(page).toContain(text);
  }
  expect(page).toMatch(/<tr class="best"><th scope="row">2 /);
  expect(vectorPage({ ...input, decimals: 1 })).not.toContain("0.250");
});

describe("security", () => {
  test("only a style with the nonce may load", () => {
    const page = vectorPage(input);
    expect(page).toContain(`content="default-src 'none'; style-src 'nonce-abc123'"`);
    expect(page).not.toMatch(/<script|style="|\son\w+=|javascript:|https?:/);
  });

  test("text of the file never becomes markup", () => {
    const { provenance } = vectorFixture();
    const page = vectorPage({
      ...input,
      name: hostile,
      file: vectorFixture(1, {
        model: { ...provenance.model, id: hostile, hash: hostile, revision: hostile },
        examples: { ...provenance.examples, name: hostile },
        suggested: { layer: 0, reason: hostile },
        created: hostile,
        program: hostile,
      }),
    });
    expect(page).not.toContain("<img");
    expect(page).toContain("&lt;img");
    expect(page).not.toContain(`"&gt;<`);
  });
});

test("no colour of its own: only variables of the theme", () => {
  const style = /<style[^>]*>([^<]*)<\/style>/.exec(vectorPage(input))?.[1] ?? "";
  expect(style).toContain("--vscode-");
  expect(style).not.toMatch(/#[0-9a-f]{3,8}\b|rgba?\(/i);
});

test("a sum shows its terms in place of one method", () => {
  const term = {
    weight: -0.5,
    name: "formal",
    method: "logistic",
    template: "none",
    position: { kind: "mean" },
    exampleSet: "letters",
    exampleSetHash: "h",
  } as const;
  const page = vectorPage({
    ...input,
    file: vectorFixture(1, { combined: [{ ...term, name: "a", weight: 1 }, term] }),
  });
  expect(page).toContain("1*a - 0.5*formal");
  expect(page).toContain("logistic, read at mean, template none, from letters");
  expect(page).not.toContain("5 positive");
});

test("without measures of separation there is a dash, not a zero", () => {
  const measures = vectorFixture().provenance.measures.map((each) => ({
    ...each,
    separation: null,
    stability: null,
  }));
  const page = vectorPage({ ...input, file: vectorFixture(1, { measures }) });
  expect(page).toContain("<td>–</td>");
  expect(page).not.toContain("AUROC on held-out examples");
});

test("a file of another program shows its norms and says so", () => {
  const page = vectorPage({ ...input, file: { ...vectorFixture(), provenance: null } });
  expect(page).toContain("Another program");
  expect(page).toMatch(/<th scope="row">2<\/th><td>\d\.\d{3}<\/td>/);
});

test("a bad file: reason and remedy, escaped", () => {
  const problem = new SteerscopeError("VectorInvalid", hostile, {
    remedy: "Compute it again.",
    detail: hostile,
  });
  const page = vectorPage({ ...input, file: null, problem });
  expect(page).toContain('role="alert"');
  expect(page).toContain("Compute it again.");
  expect(page).not.toContain("<img");
});
