/** Bundles of the tests that run inside VS Code, and the development extension that they run with. */
import { cpSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { root, runNode } from "./install.mjs";

const source = join(root, "test/integration");

/** Files of tests whose name holds `filter`: `untrusted` are those for windows that are not trusted. */
export function integrationTests(filter = "") {
  const files = readdirSync(source).filter((file) => file.endsWith(".test.ts") && file.includes(filter));
  const untrusted = files.filter((file) => file.endsWith(".untrusted.test.ts"));
  return { trusted: files.filter((file) => !untrusted.includes(file)), untrusted };
}

/** Writes CommonJS bundles of `files` and the Mocha loader into `folder`, which has to lie in this project for Mocha. */
export async function bundleTests(files, folder) {
  await bundleForHost(
    ["index.ts", ...files].map((file) => join(source, file)),
    folder,
  );
}

/** Writes CommonJS bundles of what runs in the extension host beside the extension. */
export async function bundleForHost(entryPoints, folder) {
  await build({
    absWorkingDir: root,
    entryPoints,
    outdir: folder,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    external: ["vscode", "mocha"],
    banner: { js: `const importMetaUrl = require("node:url").pathToFileURL(__filename).href;` },
    define: { "import.meta.url": "importMetaUrl" },
    sourcemap: "inline",
    logLevel: "warning",
  });
}

/**
 * A development extension in `folder` with bundles of its own, so that runs at the same time, and edits while one goes on,
 * do not meet in dist/. False where the build fails.
 */
export function stageExtension(folder) {
  mkdirSync(folder, { recursive: true });
  const build = ["--extension", `--out=${join(folder, "dist")}`];
  if (!runNode("scripts/build.mjs", build, { stdio: ["ignore", "ignore", "inherit"] })) return false;
  for (const entry of readdirSync(root)) {
    if (/^package(\.nls.*)?\.json$|^README|^LICENSE|^CHANGELOG/.test(entry))
      cpSync(join(root, entry), join(folder, entry));
  }
  for (const entry of ["media", "models", "l10n", "node_modules"]) {
    symlinkSync(join(root, entry), join(folder, entry), "dir");
  }
  return true;
}
