import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { errorKinds } from "../../src/shared/errors.ts";
import { methodIds } from "../../src/shared/methods.ts";
import { scopeNames } from "../../src/shared/scope.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (page: string): string => readFileSync(join(root, page), "utf8");

const pages = [
  "README.md",
  "CHANGELOG.md",
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
];

/** The anchor that a Markdown viewer gives a heading. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

describe("docs/errors.md", () => {
  const entries = read("docs/errors.md").split(/^## /m).slice(1);

  it("has one entry for each kind of error, and no other", () => {
    expect(entries.map((entry) => entry.split("\n")[0])).toEqual([...errorKinds]);
  });

  it.each(entries.map((entry) => [entry.split("\n")[0], entry]))(
    "says symptom, cause and what to do of %s",
    (_, entry) => {
      const parts = [...entry.matchAll(/^- \*\*(.+?)\*\*: \S/gm)].map(([, part]) => part);
      expect(parts).toEqual(["Symptom", "Cause", "What to do"]);
    },
  );
});

describe("docs/concepts.md", () => {
  it("explains every method and scope", () => {
    const text = read("docs/concepts.md");
    for (const name of [...methodIds, ...scopeNames])
      expect(text).toMatch(new RegExp(`^\\| \`${name}\``, "m"));
  });
});

describe("links", () => {
  it.each(pages)("of %s lead somewhere", (page) => {
    const text = read(page);
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target!)) continue;
      const [file, anchor] = target!.split("#");
      const path = file === "" ? page : join(dirname(page), file!);
      expect(existsSync(join(root, path)), `${page} -> ${target!}`).toBe(true);
      if (anchor !== undefined) expect(anchors(read(path)), `${page} -> ${target!}`).toContain(anchor);
    }
  });
});

describe("commands", () => {
  const titles = Object.entries(JSON.parse(read("package.nls.json")) as Record<string, string>)
    .filter(([key]) => key.startsWith("command."))
    .map(([, title]) => title);
  const helps = ["media", "examples"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".md"))
      .map((name) => join(folder, name)),
  );

  it.each([...pages, ...helps])("that %s names are called so", (page) => {
    const text = read(page);
    // Of other extensions there is a category before the title.
    const bold = [...text.matchAll(/\*\*([^*\n:]+)\*\*/g)].map(([, words]) => words!);
    // Two words that begin with capitals: a title, not a sentence.
    const named = bold.filter((words) => /^[A-Z]\S*( (\w{1,4}|[A-Z]\S*))* [A-Z]\S*$/.test(words));
    const inPalette = [...text.matchAll(/\bSteering: ([A-Z][^`*"”.,\n]*)/g)]
      .map(([, words]) => words!.trim())
      .filter((words) => !words.startsWith("Focus on "));
    for (const words of [...named, ...inPalette]) expect(titles).toContain(words);
  });
});
