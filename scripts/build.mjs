/**
 * Bundles Steerscope into dist/ and writes the embedded model. Plain Node and esbuild; `--watch` rebuilds on change.
 *
 * The engine's bundle holds the parts of @huggingface/transformers that it uses. Its own runtimes (onnxruntime-web, sharp and
 * a second use of onnxruntime-node) are replaced by stubs, so that they neither ship nor load; what reaches which bundle is
 * checked after each build, and a breach fails it.
 */
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, context } from "esbuild";
import { buildEmbeddedModel, EmbeddedModelError } from "./embedded-model.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const isWatching = process.argv.includes("--watch");

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
    forbidden: ["onnxruntime-web", "sharp", "vscode", ...modelCode],
  },
  {
    source: "webview/main.ts",
    output: "webview.js",
    external: [],
    isForBrowser: true,
    forbidden: ["onnxruntime-web", "sharp", "vscode", ...modelCode],
  },
].filter(({ source }) => existsSync(join(root, source)));

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
    outfile: `dist/${bundle.output}`,
    bundle: true,
    platform: bundle.isForBrowser ? "browser" : "node",
    target: bundle.isForBrowser ? "es2022" : "node20",
    format: bundle.isForBrowser ? "iife" : "cjs",
    external: bundle.external,
    banner: { js: header },
    // CommonJS has no import.meta; the banner gives the same address under another name.
    define: bundle.isForBrowser ? {} : { "import.meta.url": "importMetaUrl" },
    minifySyntax: true,
    sourcemap: true,
    legalComments: "linked",
    metafile: true,
    logLevel: "warning",
    plugins: [transformersPlugin],
  };
}

/** Texts of the web runtime, wherever it may have been pasted from. */
const webRuntimeMarks = ["_OrtInit"];

/** Sentences on what is in the bundle, or required by it, against the rules above. */
function breaches(bundle, metafile) {
  const output = metafile.outputs[`dist/${bundle.output}`];
  const inputs = Object.entries(output.inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  const packages = bundle.forbidden.filter(
    (name) =>
      inputs.some(([path]) => path.includes(`node_modules/${name}/`)) ||
      output.imports.some(({ path }) => path === name || path.startsWith(`${name}/`)),
  );
  const text = readFileSync(join(root, "dist", bundle.output), "utf8");
  const marks = webRuntimeMarks.filter((mark) => text.includes(mark));
  return [...packages, ...marks].map((name) => `dist/${bundle.output} must not contain ${name}.`);
}

/** Size by package, largest first. */
function report(bundle, metafile) {
  const output = metafile.outputs[`dist/${bundle.output}`];
  const sizes = new Map();
  for (const [path, { bytesInOutput }] of Object.entries(output.inputs)) {
    const name = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? "own code";
    sizes.set(name, (sizes.get(name) ?? 0) + bytesInOutput);
  }
  const kib = (bytes) => `${Math.ceil(bytes / 1024)} KiB`;
  const parts = [...sizes].sort((a, b) => b[1] - a[1]).map(([name, bytes]) => `${name} ${kib(bytes)}`);
  console.log(`dist/${bundle.output}  ${kib(output.bytes)}  (${parts.join(", ")})`);
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
  writeFileSync(join(root, "dist/third-party-licenses.txt"), texts.join(`\n${"-".repeat(80)}\n\n`));
}

async function bundleOnce(bundle) {
  const { metafile } = await build(options(bundle));
  report(bundle, metafile);
  const found = breaches(bundle, metafile);
  if (found.length === 0 && bundle.isExecutable) chmodSync(join(root, "dist", bundle.output), 0o755);
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
