/**
 * node scripts/package.mjs [target ...] [--out FOLDER]
 *
 * Writes steerscope-VERSION-TARGET.vsix (into the project's folder, or FOLDER) with the native files of that platform alone,
 * and checks what is in it. Without a target: the one of this machine; `all`: every one.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ensureInstalled, root, runNode, seconds } from "./install.mjs";
import { packageReadme } from "./package-readme.mjs";
import { contentProblems, megabytes } from "./vsix-contents.mjs";
import { zipEntries } from "./zip-entries.mjs";

const targets = ["linux-x64", "linux-arm64", "darwin-arm64", "win32-x64", "win32-arm64"];
/** Fields of package.json for npm and development, which a package has no use for. */
const developmentFields = [
  "private",
  "bin",
  "files",
  "scripts",
  "allowScripts",
  "devDependencies",
  "overrides",
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { out: { type: "string", default: root } },
});
const own = `${process.platform}-${process.arch}`;
const chosen = positionals.includes("all") ? targets : positionals.length === 0 ? [own] : positionals;
const unknown = chosen.filter((target) => !targets.includes(target));
if (unknown.length > 0) {
  console.error(`No package for ${unknown.join(", ")}. There are: ${targets.join(", ")}, all.`);
  process.exit(2);
}
ensureInstalled();
mkdirSync(resolve(values.out), { recursive: true });
mkdirSync(join(root, ".cache"), { recursive: true });
const stage = mkdtempSync(join(root, ".cache/package-"));
process.once("exit", () => rmSync(stage, { recursive: true, force: true }));
if (!prepareStage()) process.exit(1);
for (const target of chosen) packageFor(target);

/** A copy of what can ship, so that the minified build does not replace the one in dist/. */
function prepareStage() {
  const build = ["--minify", "--extension", `--out=${join(stage, "dist")}`];
  if (!runNode("scripts/build.mjs", build)) return false;
  const licences = join(stage, "dist/third-party-licenses.txt");
  const separator = `\n${"-".repeat(80)}\n\n`;
  const native = readFileSync(join(root, "scripts/licenses/onnxruntime.txt"), "utf8");
  writeFileSync(licences, `${readFileSync(licences, "utf8")}${separator}${native}`);
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  for (const field of developmentFields) delete manifest[field];
  writeFileSync(join(stage, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  for (const entry of readdirSync(root)) {
    if (/^package\.nls(\..*)?\.json$|^CHANGELOG\.md$|^LICENSE$|^(media|models|l10n)$/.test(entry))
      cpSync(join(root, entry), join(stage, entry), { recursive: true });
  }
  const readme = packageReadme(readFileSync(join(root, "README.md"), "utf8"));
  writeFileSync(join(stage, "README.md"), readme);
  cpSync(join(root, "examples"), join(stage, "examples"), { recursive: true });
  for (const folder of shippedPackages())
    cpSync(join(root, folder), join(stage, folder), { recursive: true });
  return true;
}

/** vsce asks npm whether all dependencies are there, also those that are needed for installing only and do not ship. */
function shippedPackages() {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  return Object.entries(packages).flatMap(([folder, { dev, devOptional }]) =>
    folder === "" || dev === true || devOptional === true ? [] : [folder],
  );
}

function packageFor(target) {
  const started = Date.now();
  const [os, arch] = target.split("-");
  const allowList = readFileSync(join(root, ".vscodeignore"), "utf8");
  const ignoreFile = join(stage, ".vscodeignore");
  writeFileSync(ignoreFile, allowList.replaceAll("{os}", os).replaceAll("{arch}", arch));
  const { name, version } = JSON.parse(readFileSync(join(stage, "package.json"), "utf8"));
  const output = join(resolve(values.out), `${name}-${version}-${target}.vsix`);
  rmSync(output, { force: true });
  const ran = runNode(
    join(root, "node_modules/@vscode/vsce/vsce"),
    [
      ...["package", "--target", target, "--ignoreFile", ignoreFile, "--out", output],
      ...["--allow-missing-repository", "--no-rewrite-relative-links", "--skip-license"],
    ],
    // Its list of files is long; what it complains of it writes to the other stream.
    { cwd: stage, stdio: ["ignore", "ignore", "inherit"] },
  );
  if (!ran) {
    console.error(`vsce could not package ${target}.`);
    process.exitCode = 1;
    return;
  }
  const zip = readFileSync(output);
  const entries = zipEntries(zip);
  const problems = contentProblems(target, entries, zip.length);
  for (const problem of problems) console.error(`${target}: ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
  console.log(`${output}: ${entries.length} files, ${megabytes(zip.length)}, ${seconds(started)}`);
}
