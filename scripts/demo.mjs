/**
 * `npm run demo`: the main job in the terminal. A steering vector from the example set happy-sad on the embedded model,
 * where in the model the two sides differ, the same story without the vector, with it and against it, and the evidence:
 * what the vector does to stories that it was not made from, beside random vectors of the same norm.
 */
import { join } from "node:path";
import { ensureInstalled, root, runNode } from "./install.mjs";

const examples = join(root, "examples", "sets", "happy-sad.jsonl");
const openings = join(root, "examples", "prompts", "story-openings.txt");
const vector = join(root, ".cache", "demo", "happy-sad.safetensors");

function show(title, command, args) {
  console.log(`\n### ${title}\n`);
  console.log(
    `$ steerscope ${[command, ...args].map((word) => (/[ *]/.test(word) ? `"${word}"` : word)).join(" ")}\n`,
  );
  if (runNode(join(root, "dist", "cli.js"), [command, ...args])) return;
  console.error(`The demo stopped: steerscope ${command} failed.`);
  process.exit(1);
}

ensureInstalled();
if (!runNode("scripts/build.mjs")) process.exit(1);
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
// Layer 3: among the layers that separate the two sides equally well, the one at which this model is best steered.
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
    "--prompt",
    "One day, she",
    "--score",
    openings,
  ],
);
