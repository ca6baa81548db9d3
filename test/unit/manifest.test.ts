/** package.json against the code: what is contributed exists, and what exists is contributed. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { commandIds, contextKeys, vectorEditorType, viewIds, walkthroughId } from "../../src/host/ids.ts";

interface MenuItem {
  readonly command?: string;
  readonly submenu?: string;
  readonly when?: string;
  readonly group?: string;
}

const repository = join(import.meta.dirname, "../..");
const { contributes } = manifest;
const menus: Readonly<Record<string, readonly MenuItem[]>> = contributes.menus;
const { commandPalette = [], ...placedMenus } = menus;
const contributed = contributes.commands.map(({ command }) => command);

const sources = readdirSync(join(repository, "src/host"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => {
    const path = join(repository, "src/host", file);
    return ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest, true);
  });

function* nodes(root: ts.Node): Generator<ts.Node> {
  yield root;
  for (const child of root.getChildren()) yield* nodes(child);
}
const allNodes = sources.flatMap((source) => [...nodes(source)]);

/** Text of every string in the code of the host, pieces of templates included. */
const words = new Set(
  allNodes
    .filter(
      (node) =>
        ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node),
    )
    .flatMap((node) => (node as ts.LiteralLikeNode).text.split(/[^\w]+/)),
);

function registeredNames(): string[] {
  return allNodes.flatMap((node) => {
    if (!ts.isCallExpression(node) || node.expression.getText() !== "registerCommand") return [];
    const [, name] = node.arguments;
    return name !== undefined && ts.isStringLiteral(name) ? [name.text] : [];
  });
}

/** The values that a `when` clause compares `viewItem` with. */
function viewItems({ when = "" }: MenuItem): string[] {
  return [...when.matchAll(/viewItem =~ \/([^/]+)\//g)].flatMap(
    ([, pattern]) => pattern!.replaceAll("\\b", " ").match(/\w+/g) ?? [],
  );
}

describe("commands", () => {
  test("every command of the manifest is registered once, and the reverse", () => {
    const registered = registeredNames().map((name) => commandIds[name as keyof typeof commandIds]);
    expect([...registered].sort()).toEqual([...contributed].sort());
    expect(Object.values(commandIds).sort()).toEqual([...contributed].sort());
  });

  test("each has a title and the category", () => {
    for (const { command, title, category } of contributes.commands) {
      expect.soft(title, command).toMatch(/^%command\.\w+%$/);
      expect.soft(category, command).toBe("%category%");
    }
  });

  test("those that are shown as a button have an icon", () => {
    for (const [menu, items] of Object.entries(placedMenus)) {
      for (const { command, group = "" } of items) {
        const isButton =
          group.startsWith("inline") || (menu.endsWith("/title") && group.startsWith("navigation"));
        if (!isButton) continue;
        const icon = contributes.commands.find((each) => each.command === command);
        expect.soft(icon, `${command ?? ""} in ${menu}`).toHaveProperty("icon");
      }
    }
  });

  test("each can be reached from the palette or a menu", () => {
    const hidden = commandPalette.filter(({ when }) => when === "false").map(({ command }) => command);
    const placed = new Set(
      Object.values(placedMenus).flatMap((items) => items.map(({ command }) => command)),
    );
    expect(hidden.filter((command) => !placed.has(command))).toEqual([]);
  });

  test("menus, keys, the walkthrough and links name commands and submenus that exist", () => {
    const submenus = contributes.submenus.map(({ id }) => id);
    for (const { command, submenu } of Object.values(menus).flat()) {
      if (submenu !== undefined) expect.soft(submenus).toContain(submenu);
      else expect.soft(contributed).toContain(command);
    }
    for (const { command } of contributes.keybindings) expect.soft(contributed).toContain(command);
    const events = contributes.walkthroughs.flatMap(({ steps }) =>
      steps.flatMap((step) => step.completionEvents),
    );
    for (const event of events) {
      const [, command] = /^onCommand:(.+)$/.exec(event) ?? [];
      if (command !== undefined) expect.soft(contributed).toContain(command);
    }
    const texts = readFileSync(join(repository, "package.nls.json"), "utf8");
    for (const [, command] of texts.matchAll(/command:(steering\.\w+)/g))
      expect.soft(contributed).toContain(command);
  });

  test("no key is bound twice under the same condition", () => {
    const seen = new Set<string>();
    for (const { key, when } of contributes.keybindings) {
      const binding = `${key} ${when ?? ""}`;
      expect.soft(seen, binding).not.toContain(binding);
      seen.add(binding);
    }
  });
});

describe("views and editors", () => {
  test("the ids of the code are those of the manifest", () => {
    expect(contributes.views.steering.map(({ id }) => id)).toEqual(Object.values(viewIds));
    expect(contributes.customEditors.map(({ viewType }) => viewType)).toEqual([vectorEditorType]);
    const { publisher, name } = manifest;
    expect(contributes.walkthroughs.map(({ id }) => `${publisher}.${name}#${id}`)).toEqual([walkthroughId]);
  });

  test("every value that menus compare viewItem with is set somewhere", () => {
    const compared = new Set(Object.values(menus).flat().flatMap(viewItems));
    expect(compared.size).toBeGreaterThan(5);
    expect([...compared].filter((value) => !words.has(value))).toEqual([]);
  });

  test("every context key of ours in a `when` is one that the code sets", () => {
    const text = JSON.stringify(contributes);
    const views = Object.values<string>(viewIds);
    const keys = [...text.matchAll(/"(?:when|enablement)":"([^"]*)"/g)]
      .flatMap(([, clause]) => clause!.match(/steering\.\w+/g) ?? [])
      .filter((key) => !views.includes(key));
    expect(new Set(keys)).toEqual(new Set(Object.values(contextKeys)));
  });
});

describe("files", () => {
  test("icons, pictures and schemas that the manifest names are there", () => {
    const paths = [...JSON.stringify(manifest).matchAll(/"\.?\/?(media\/[\w./-]+)"/g)].map(
      ([, path]) => path!,
    );
    expect(paths.length).toBeGreaterThan(6);
    expect(paths.filter((path) => !existsSync(join(repository, path)))).toEqual([]);
  });

  test("pictures of the walkthrough take their colours from the theme", () => {
    for (const { media } of contributes.walkthroughs.flatMap(({ steps }) => steps)) {
      const picture = readFileSync(join(repository, media.svg), "utf8");
      const colours = [...picture.matchAll(/(?:fill|stroke)="([^"]+)"/g)].map(([, colour]) => colour!);
      expect
        .soft(
          colours.filter((colour) => !/^(none|var\(--vscode-.+\))$/.test(colour)),
          media.svg,
        )
        .toEqual([]);
    }
  });
});

describe("settings", () => {
  const { properties } = contributes.configuration;
  const reader = readFileSync(join(repository, "src/host/settings.ts"), "utf8");
  const accessors = [...reader.matchAll(/^ {2}(\w+): \(.*?read(?:<[^>]+>)?\("([\w.]+)"/gms)].map(
    ([, accessor, key]) => [key!, accessor!] as const,
  );

  test("each is read under its own name and default", () => {
    expect(accessors.map(([key]) => `steering.${key}`).sort()).toEqual(Object.keys(properties).sort());
  });

  test("each does something: what reads it is called", () => {
    const code = sources.map((source) => source.text).join("\n");
    expect(accessors.filter(([, accessor]) => !code.includes(`settings.${accessor}(`))).toEqual([]);
  });

  test("what a workspace that is not trusted must not set is restricted or cannot be set by any workspace", () => {
    const restricted = manifest.capabilities.untrustedWorkspaces.restrictedConfigurations;
    expect(restricted.filter((key) => !(key in properties))).toEqual([]);
    const ofMachine = Object.entries(properties).flatMap(([key, { scope }]) =>
      scope === "machine" ? [key] : [],
    );
    // Paths, processes and addresses: a folder that is opened must not choose them.
    for (const key of [
      "defaultModel",
      "modelFolders",
      "hubEndpoint",
      "threads",
      "idleMinutes",
      "activationCacheLimit",
    ]) {
      expect.soft(ofMachine).toContain(`steering.${key}`);
    }
    expect(restricted).toContain("steering.folder");
  });
});
