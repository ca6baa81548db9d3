/**
 * `npm run bench [name ...]`: runs test/benchmarks/*.mjs, each of which prints one JSON value, and gathers them in
 * test/benchmarks/results/<time>.json. Figures depend on the machine: compare ratios of one run.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { ensureInstalled, root, runNode, seconds } from "./install.mjs";

const folder = join(root, "test", "benchmarks");
const wanted = process.argv.slice(2);

function run(file) {
  const name = file.replace(/\.mjs$/, "");
  console.error(`\n=== ${name}`);
  const started = Date.now();
  const { status, stdout } = spawnSync(process.execPath, [join(folder, file)], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 * 1024 ** 2,
    stdio: ["ignore", "pipe", "inherit"],
  });
  console.error(`=== ${name}: ${seconds(started)}`);
  if (status !== 0) return [name, { failed: `exit code ${status}` }];
  try {
    return [name, JSON.parse(stdout)];
  } catch {
    return [name, { failed: "printed no JSON" }];
  }
}

ensureInstalled();
if (!runNode("scripts/build.mjs", [], { stdio: ["ignore", 2, 2] })) process.exit(1);
const files = readdirSync(folder)
  .filter((file) => file.endsWith(".mjs"))
  .filter((file) => wanted.length === 0 || wanted.some((name) => file.includes(name)))
  .sort();
const machine = {
  processor: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  memoryBytes: totalmem(),
  node: process.version,
  platform: `${process.platform}-${process.arch}`,
};
const date = new Date().toISOString();
const results = { date, machine, benchmarks: Object.fromEntries(files.map(run)) };
const text = `${JSON.stringify(results, null, 2)}\n`;
mkdirSync(join(folder, "results"), { recursive: true });
writeFileSync(join(folder, "results", `${date.replace(/[:.]/g, "-")}.json`), text);
process.stdout.write(text);
if (Object.values(results.benchmarks).some(({ failed }) => failed !== undefined)) process.exitCode = 1;
