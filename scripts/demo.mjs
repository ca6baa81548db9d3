/**
 * `npm run demo`: the main job in the terminal. A steering vector from the example set happy-sad on the embedded model,
 * what it looks like layer by layer, and the same story without it, with it and against it.
 */
import { join } from "node:path";
import { ensureInstalled, root, runNode } from "./install.mjs";

const examples = join(root, "examples", "sets", "happy-sad.jsonl");
const vector = join(root, ".cache", "demo", "happy-sad.safetensors");
const prompt = "One day, Lily went to the park with her mom.";

function show(title, command, args) {
  console.log(`\n### ${title}\n`);
  if (runNode(join(root, "dist", "cli.js"), [command, ...args])) return;
  console.error(`The demo stopped: steerscope ${command} failed.`);
  process.exit(1);
}

ensureInstalled();
if (!runNode("scripts/build.mjs")) process.exit(1);
show("A vector from happy and sad story openings", "compute", [examples, "--out", vector]);
show("Where in the model the two sides differ", "inspect", [vector]);
show("The same story with the vector at different strengths", "generate", [
  "--vector",
  vector,
  "--strength=-4",
  "--strength=4",
  "--prompt",
  prompt,
]);
