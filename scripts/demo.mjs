/**
 * `npm run demo`: the main job in the terminal. A steering vector from the example set happy-sad on the embedded model,
 * where in the model the two sides differ, the same story without the vector, with it and against it, and the evidence:
 * what the vector does to stories that it was not made from, beside random vectors of the same norm.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ensureInstalled, root, runNode } from "./install.mjs";

// From the project's root, where commands run: what is printed can be typed again.
const program = "dist/cli.js";
const examples = "examples/sets/happy-sad.jsonl";
const openings = "examples/prompts/fresh-openings.txt";
const vector = ".cache/demo/happy-sad.safetensors";

function show(title, command, args) {
  const words = [program, command, ...args].map((word) => (/[ *]/.test(word) ? `"${word}"` : word));
  console.log(`\n### ${title}\n\n$ node ${words.join(" ")}\n`);
  if (runNode(program, [command, ...args])) return;
  console.error(`The demo stopped: steerscope ${command} failed.`);
  process.exit(1);
}

ensureInstalled();
if (!runNode("scripts/build.mjs")) process.exit(1);
mkdirSync(join(root, dirname(vector)), { recursive: true });
// So that the work is done in every run, not found in the cache of the one before.
process.env.STEERSCOPE_CACHE = mkdtempSync(join(tmpdir(), "steerscope-demo-"));
process.once("exit", () => rmSync(process.env.STEERSCOPE_CACHE, { recursive: true, force: true }));
show("A vector for every layer, from 52 pairs of happy and sad story openings", "compute", [
  examples,
  "--out",
  vector,
]);
show("Where it points in a text: every token, every layer", "inspect", [
  vector,
  "--text",
  "Tom lost his toy and began to cry. Then Mom gave him a hug and he was happy.",
]);
console.log(`
From here on layer 3, not the suggested layer 2: both separate the two sides equally well, and layer 3 was chosen while looking
at completions of other openings (docs/accuracy.md).`);
show(
  "The same story without the vector, against it and with it, and what that does to 24 other stories",
  "generate",
  [
    "--vector",
    vector,
    "--layer",
    "3",
    "--strength=-2",
    "--strength=2",
    "--max-tokens",
    "60",
    "--seed",
    "20261123",
    "--prompt",
    "One day, she",
    "--score",
    openings,
  ],
);
console.log(`
The layer and the way of scoring were settled while looking at other openings; these 24, and the seed, were fixed before
anything was generated from them (docs/accuracy.md).`);
