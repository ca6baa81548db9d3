/** README.md, and what of it is shown inside VS Code. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { packageReadme } from "../../scripts/package-readme.mjs";

const root = join(import.meta.dirname, "../..");
const text = (path) => readFileSync(join(root, path), "utf8");
const readme = text("README.md");
const page = packageReadme(readme);
const headings = (markdown) => [...markdown.matchAll(/^## (.+)$/gm)].map(([, title]) => title);

describe("the page inside VS Code", () => {
  it("has what a user of the extension needs, and not what needs the repository", () => {
    expect(headings(page)).toEqual(["Your first vector", "Settings", "Models", "Limits", "Privacy"]);
    expect(page).not.toMatch(/npm |dist\/cli\.js|<!--/);
  });

  it("refers to nothing that VS Code does not show there", () => {
    const targets = [...page.matchAll(/\]\(([^)]*)\)/g)].map(([, target]) => target);
    expect(targets.length).toBeGreaterThan(0);
    expect(targets.filter((target) => !target.startsWith("https://"))).toEqual([]);
  });

  it("keeps the words of links and loses pictures", () => {
    expect(packageReadme("1. a\n\n   ![b\nc](d.png)\n\n2. [e](f.md#g) [h](https://i)\n")).toBe(
      "1. a\n\n2. e [h](https://i)\n",
    );
  });
});

describe("settings in README.md", () => {
  const { properties } = JSON.parse(text("package.json")).contributes.configuration;
  const words = JSON.parse(text("package.nls.json"));
  const rows = [...readme.matchAll(/^\| `(steering\.[^`]+)` \| (.*?) \| (.*) \|$/gm)];

  it("are those of the manifest, with their defaults", () => {
    const shown = (value) =>
      value === "" ? "" : `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
    expect(rows.map(([, key, value]) => [key, value])).toEqual(
      Object.entries(properties).map(([key, { default: value }]) => [key, shown(value)]),
    );
  });

  it.each(rows.map(([, key, , what]) => [key, what]))(
    "say what the settings editor says: %s",
    (key, what) => {
      const { markdownDescription, description } = properties[key];
      const full = words[(markdownDescription ?? description).replaceAll("%", "")];
      // Where a setting is found in remote windows is said once, above the table.
      expect(full.replace(/ In a remote window or a browser .*$/, "")).toBe(what);
    },
  );
});
