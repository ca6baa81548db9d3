/**
 * node scripts/l10n.mjs --check | --list | --missing
 *
 * The texts of the extension and their translations. --check fails where a text of src/host or src/formats has no translation or a
 * translation no text, where placeholders differ, and where package.json and package.nls*.json do not fit each other. --list prints
 * every text of src/host; --missing prints those without translation as JSON, to be filled in.
 */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { root } from "./install.mjs";

const languages = ["zh-cn"];

/** This file shows the descriptions of the schema of example sets: they are texts of the host too. */
const schemaReader = "src/host/editor/exampleSetCompletion.ts";
const schemaTexts = Object.values(readJson("media/schemas/example.schema.json").properties).map(
  ({ description }) => description,
);

function readJson(path) {
  return existsSync(join(root, path)) ? JSON.parse(readFileSync(join(root, path), "utf8")) : {};
}

/** Every text given to vscode.l10n.t, and the calls whose text cannot be read off the source. */
function hostTexts() {
  const texts = new Set(schemaTexts);
  const unreadable = [];
  const files = ["src/host", "src/formats"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => `${folder}/${file.replaceAll("\\", "/")}`),
  );
  for (const file of ["src/extension.ts", ...files]) {
    const source = ts.createSourceFile(
      file,
      readFileSync(join(root, file), "utf8"),
      ts.ScriptTarget.Latest,
      true,
    );
    const visit = (node) => {
      if (ts.isCallExpression(node) && /\bl10n\.t$/.test(node.expression.getText(source))) {
        const [text] = node.arguments;
        if (text !== undefined && ts.isStringLiteralLike(text)) texts.add(text.text);
        else if (file !== schemaReader) {
          const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
          unreadable.push(`${file}:${line + 1}: the text of l10n.t has to be a plain string.`);
        }
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  return { texts: [...texts].sort(), unreadable };
}

function placeholders(text) {
  return [...new Set(text.match(/\{\d+\}/g) ?? [])].sort().join(" ");
}

/** Sentences on how `translated` does not fit `texts`, a record of texts by key. */
function compare(file, texts, translated) {
  const problems = [];
  for (const [key, text] of Object.entries(texts)) {
    const translation = translated[key];
    if (translation === undefined) problems.push(`${file} has no ${JSON.stringify(key)}.`);
    else if (typeof translation !== "string" || translation.trim() === "") {
      problems.push(`${file}: ${JSON.stringify(key)} is empty.`);
    } else if (placeholders(translation) !== placeholders(text)) {
      problems.push(`${file}: ${JSON.stringify(key)} has other placeholders than its translation.`);
    } else if (commandLinks(translation) !== commandLinks(text)) {
      problems.push(`${file}: ${JSON.stringify(key)} has other links than its translation.`);
    }
  }
  for (const key of Object.keys(translated)) {
    if (!(key in texts)) problems.push(`${file}: ${JSON.stringify(key)} is used nowhere.`);
  }
  return problems;
}

function commandLinks(text) {
  return [...text.matchAll(/\]\(command:([^)]+)\)/g)]
    .map(([, command]) => command)
    .sort()
    .join(" ");
}

/** The keys that the manifest uses, as %key%. */
function manifestKeys() {
  const manifest = readFileSync(join(root, "package.json"), "utf8");
  return new Set([...manifest.matchAll(/"%([\w.]+)%"/g)].map(([, key]) => key));
}

function check() {
  const { texts, unreadable } = hostTexts();
  const used = Object.fromEntries([...manifestKeys()].map((key) => [key, ""]));
  const english = readJson("package.nls.json");
  const problems = [
    ...unreadable,
    ...Object.keys(used).flatMap((key) => (key in english ? [] : [`package.nls.json has no "${key}".`])),
    ...Object.keys(english).flatMap((key) =>
      key in used ? [] : [`package.nls.json: "${key}" is used nowhere.`],
    ),
  ];
  const bySelf = Object.fromEntries(texts.map((text) => [text, text]));
  for (const language of languages) {
    const bundle = `l10n/bundle.l10n.${language}.json`;
    const manifest = `package.nls.${language}.json`;
    problems.push(
      ...compare(bundle, bySelf, readJson(bundle)),
      ...compare(manifest, english, readJson(manifest)),
    );
  }
  return problems;
}

switch (process.argv[2]) {
  case "--check": {
    const problems = check();
    for (const problem of problems) console.error(problem);
    console.log(problems.length === 0 ? "All texts are translated." : `${problems.length} problems.`);
    process.exitCode = problems.length === 0 ? 0 : 1;
    break;
  }
  case "--list":
    for (const text of hostTexts().texts) console.log(JSON.stringify(text));
    break;
  case "--missing": {
    const bundle = readJson(`l10n/bundle.l10n.${languages[0]}.json`);
    const missing = hostTexts().texts.filter((text) => !(text in bundle));
    console.log(JSON.stringify(Object.fromEntries(missing.map((text) => [text, ""])), null, 2));
    break;
  }
  default:
    console.error("Usage: node scripts/l10n.mjs --check | --list | --missing");
    process.exitCode = 2;
}
