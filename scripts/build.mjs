/**
 * node scripts/build.mjs [--watch | --minify] [--extension] [--out=FOLDER]
 *
 * Bundles Steerscope into dist/ (or FOLDER) and writes the embedded model. Plain Node and esbuild; `--watch` rebuilds on
 * change, `--minify` is for packages, `--extension` leaves out what the editor does not use.
 *
 * The engine's bundle holds the parts of @huggingface/transformers that it uses. Its own runtimes (onnxruntime-web, sharp and
 * a second use of onnxruntime-node) are replaced by stubs, so that they neither ship nor load; what reaches which bundle is
 * checked after each build, and a breach fails it.
 */
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build, context } from "esbuild";
import { buildEmbeddedModel, EmbeddedModelError } from "./embedded-model.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const isWatching = process.argv.includes("--watch");
const isMinified = process.argv.includes("--minify");
const outOption = process.argv.find((argument) => argument.startsWith("--out="));
const outFolder = resolve(root, outOption?.slice("--out=".length) ?? "dist");

const modelCode = ["onnxruntime-node", "onnxruntime-common", "@huggingface/transformers"];

/** `forbidden`: packages of which no file, and no import, may be in the bundle. */
const bundles = [
  {
    source: "src/extension.ts",
    output: "extension.js",
    external: ["vscode"],
    forbidden: ["onnxruntime-web", "sharp", ...modelCode],
  },
  {
    source: "src/engine/main.ts",
    output: "engine.js",
    external: ["onnxruntime-node"],
    forbidden: ["onnxruntime-web", "sharp", "vscode"],
  },
  {
    source: "src/cli/main.ts",
    output: "cli.js",
    external: [],
    banner: "#!/usr/bin/env node",
    isExecutable: true,
    isForTerminal: true,
    forbidden: ["onnxruntime-web", "sharp", "vscode", ...modelCode],
  },
  {
    source: "webview/main.ts",
    output: "webview.js",
    external: [],
    isForBrowser: true,
    forbidden: ["onnxruntime-web", "sharp", "vscode", ...modelCode],
  },
]
  .filter(({ source }) => existsSync(join(root, source)))
  .filter(({ isForTerminal }) => !isForTerminal || !process.argv.includes("--extension"));

const transformersSource = join(root, "node_modules/@huggingface/transformers/src");

/** What transformers.js imports at its top and never uses for tokenizers. */
const stubbed = /^(onnxruntime-(node|web|common)(\/.*)?|sharp|\.\/onnx-node\.js)$/;
/** `Tensor` is a base class there and `env` is written to when the module loads; nothing else is touched before use. */
const stub =
  "export class Tensor {}\nexport const env = { wasm: {}, webgpu: {} };\nexport default { Tensor, env };";

/**
 * Takes transformers.js from its sources instead of its bundle, which has onnxruntime-web pasted in (no check of package
 * names would see it): from the one module with the tokenizer base class, since the package's index would bring every
 * model along (the engine is loaded by a dynamic import, which ends esbuild's dropping of unused exports). Its sources are
 * marked free of side effects, which its package.json leaves open.
 */
const transformersPlugin = {
  name: "transformers",
  setup(esbuild) {
    esbuild.onResolve({ filter: /^@huggingface\/transformers$/ }, () => ({
      path: join(transformersSource, "tokenization_utils.js"),
      sideEffects: false,
    }));
    esbuild.onResolve({ filter: /^[^/]/ }, async ({ path, importer, kind, resolveDir, pluginData }) => {
      if (pluginData === transformersSource || !importer.startsWith(transformersSource)) return undefined;
      if (stubbed.test(path)) return { path, namespace: "stub", sideEffects: false };
      const found = await esbuild.resolve(path, {
        kind,
        importer,
        resolveDir,
        pluginData: transformersSource,
      });
      return { ...found, sideEffects: false };
    });
    esbuild.onLoad({ filter: /.*/, namespace: "stub" }, () => ({ contents: stub, loader: "js" }));
  },
};

function options(bundle) {
  const header = [
    ...(bundle.banner === undefined ? [] : [bundle.banner]),
    ...(bundle.isForBrowser
      ? []
      : [`const importMetaUrl = require("node:url").pathToFileURL(__filename).href;`]),
  ].join("\n");
  return {
    absWorkingDir: root,
    entryPoints: [bundle.source],
    outfile: join(outFolder, bundle.output),
    bundle: true,
    platform: bundle.isForBrowser ? "browser" : "node",
    target: bundle.isForBrowser ? "es2022" : "node20",
    format: bundle.isForBrowser ? "iife" : "cjs",
    external: bundle.external,
    banner: { js: header },
    // CommonJS has no import.meta; the banner gives the same address under another name.
    define: bundle.isForBrowser ? {} : { "import.meta.url": "importMetaUrl" },
    minifySyntax: true,
    minifyWhitespace: isMinified,
    minifyIdentifiers: isMinified,
    // Stack traces that people send should be readable.
    keepNames: isMinified,
    sourcemap: !isMinified,
    legalComments: "linked",
    metafile: true,
    logLevel: "warning",
    plugins: [transformersPlugin],
  };
}

/** Texts of the web runtime, wherever it may have been pasted from. */
const webRuntimeMarks = ["_OrtInit"];

function outputOf(bundle, metafile) {
  // esbuild names files relative to the project, with forward slashes.
  return metafile.outputs[relative(root, join(outFolder, bundle.output)).replaceAll("\\", "/")];
}

/** Sentences on what is in the bundle, or required by it, against the rules above. */
function breaches(bundle, metafile) {
  const output = outputOf(bundle, metafile);
  const inputs = Object.entries(output.inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  const packages = bundle.forbidden.filter(
    (name) =>
      inputs.some(([path]) => path.includes(`node_modules/${name}/`)) ||
      output.imports.some(({ path }) => path === name || path.startsWith(`${name}/`)),
  );
  const text = readFileSync(join(outFolder, bundle.output), "utf8");
  const marks = webRuntimeMarks.filter((mark) => text.includes(mark));
  return [...packages, ...marks].map((name) => `${bundle.output} must not contain ${name}.`);
}

/** Size by package, largest first. */
function report(bundle, metafile) {
  const output = outputOf(bundle, metafile);
  const sizes = new Map();
  for (const [path, { bytesInOutput }] of Object.entries(output.inputs)) {
    const name = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? "own code";
    sizes.set(name, (sizes.get(name) ?? 0) + bytesInOutput);
  }
  const kib = (bytes) => `${Math.ceil(bytes / 1024)} KiB`;
  const parts = [...sizes].sort((a, b) => b[1] - a[1]).map(([name, bytes]) => `${name} ${kib(bytes)}`);
  console.log(`${bundle.output}  ${kib(output.bytes)}  (${parts.join(", ")})`);
}

/** The licences of the packages whose code is in the bundles, as they ask for, in dist/third-party-licenses.txt. */
function writeLicences(metafiles) {
  const inputs = metafiles.flatMap(({ outputs }) =>
    Object.values(outputs).flatMap(({ inputs }) => Object.keys(inputs)),
  );
  const names = inputs.flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []);
  const texts = [...new Set(names)].sort().map((name) => {
    const folder = join(root, "node_modules", name);
    const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new Error(`${name} has no licence file`);
    return `${name} ${version}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
  });
  writeFileSync(join(outFolder, "third-party-licenses.txt"), texts.join(`\n${"-".repeat(80)}\n\n`));
}

async function bundleOnce(bundle) {
  const { metafile } = await build(options(bundle));
  report(bundle, metafile);
  const found = breaches(bundle, metafile);
  if (found.length === 0 && bundle.isExecutable) chmodSync(join(outFolder, bundle.output), 0o755);
  return { found, metafile };
}

try {
  const { folder, written } = buildEmbeddedModel();
  console.log(`${folder} ${written ? "written" : "is up to date"}`);
  if (isWatching) {
    for (const bundle of bundles) await (await context(options(bundle))).watch();
    console.log("Watching for changes; Ctrl-C ends.");
  } else {
    const built = await Promise.all(bundles.map(bundleOnce));
    writeLicences(built.map(({ metafile }) => metafile));
    const found = built.flatMap((one) => one.found);
    for (const sentence of found) console.error(sentence);
    if (found.length > 0) process.exitCode = 1;
  }
} catch (error) {
  // esbuild has printed its own errors.
  if (error instanceof EmbeddedModelError) console.error(error.message);
  else if (!Array.isArray(error?.errors)) throw error;
  process.exitCode = 1;
}
