/**
 * `npm run bench [name ...]`: runs test/benchmarks/*.{mjs,ts}, each of which prints one JSON value, and gathers them in
 * test/benchmarks/results/<time>.json, with every target of every benchmark in `summary` at the end. Figures depend on
 * the machine: compare ratios of one run. docs/performance.md has the variables for models and peers.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { ensureInstalled, root, runNode, seconds } from "./install.mjs";

const sources = "test/benchmarks";
const bundles = join(root, ".cache/bench");
const wanted = process.argv.slice(2);

function filesIn(folder, ending) {
  return readdirSync(join(root, folder))
    .filter((file) => file.endsWith(ending))
    .map((file) => `${folder}/${file}`);
}

/** Benchmarks in TypeScript and the peer processes they start, as .mjs files of the same names in .cache/bench. */
async function bundle() {
  // Not at the top: it is a package, and these are only there after `ensureInstalled`.
  const { build } = await import("esbuild");
  await build({
    absWorkingDir: root,
    entryPoints: [...filesIn(sources, ".ts"), ...filesIn(`${sources}/peers`, ".ts")],
    outbase: sources,
    outdir: bundles,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    external: ["onnxruntime-node", "@huggingface/transformers"],
    sourcemap: true,
    logLevel: "warning",
  });
}

function run({ name, file }) {
  console.error(`\n=== ${name}`);
  const started = Date.now();
  const loadAverage = loadavg()[0];
  const { status, stdout } = spawnSync(process.execPath, [file], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 * 1024 ** 2,
    stdio: ["ignore", "pipe", "inherit"],
  });
  console.error(`=== ${name}: ${seconds(started)}`);
  if (status !== 0) return [name, { failed: `exit code ${status}` }];
  try {
    // The load before it tells of other work on the machine.
    return [name, { loadAverage, ...JSON.parse(stdout) }];
  } catch {
    return [name, { failed: "printed no JSON" }];
  }
}

ensureInstalled();
if (!runNode("scripts/build.mjs", [], { stdio: ["ignore", 2, 2] })) process.exit(1);
mkdirSync(bundles, { recursive: true });
await bundle();
const named = (file) => file.slice(sources.length + 1).replace(/\.(mjs|ts)$/, "");
const benchmarks = [
  ...filesIn(sources, ".mjs").map((file) => ({ name: named(file), file: join(root, file) })),
  ...filesIn(sources, ".ts").map((file) => ({
    name: named(file),
    file: join(bundles, `${named(file)}.mjs`),
  })),
]
  .filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .sort((a, b) => a.name.localeCompare(b.name));
const machine = {
  processor: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  memoryBytes: totalmem(),
  node: process.version,
  platform: `${process.platform}-${process.arch}`,
};
const date = new Date().toISOString();
const measured = Object.fromEntries(benchmarks.map(run));
const gather = (list) =>
  Object.entries(measured).flatMap(([benchmark, result]) =>
    (result[list] ?? []).map((item) => ({ benchmark, ...item })),
  );
const results = {
  date,
  machine,
  benchmarks: measured,
  skipped: gather("skipped"),
  summary: gather("targets"),
};
const text = `${JSON.stringify(results, null, 2)}\n`;
const folder = join(root, sources, "results");
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, `${date.replace(/[:.]/g, "-")}.json`), text);
process.stdout.write(text);
if (Object.values(measured).some(({ failed }) => failed !== undefined)) process.exitCode = 1;
