/**
 * Milliseconds that each method takes from cached activations (no model): best of five on 1,000 synthetic pairs of
 * 30 layers x 576. Prints one JSON object.
 */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const pairs = 1000;
const layers = 30;
const hidden = 576;

async function importTypeScript(contents) {
  const bundle = await build({
    stdin: { contents, resolveDir: dirname(fileURLToPath(import.meta.url)), loader: "ts" },
    bundle: true,
    write: false,
    format: "esm",
    platform: "neutral",
  });
  return import(
    `data:text/javascript;base64,${Buffer.from(bundle.outputFiles[0].contents).toString("base64")}`
  );
}

const { computeVectors, measureVectors, methodIds, SeededRandom } = await importTypeScript(`
  export { computeVectors } from "../../src/steering/computeVectors.ts";
  export { measureVectors } from "../../src/steering/measures.ts";
  export { SeededRandom } from "../../src/steering/random.ts";
  export { methodIds } from "../../src/shared/methods.ts";
`);

/** Pairs share a context; the sides differ by a direction of norm 5 per layer and noise of variance 0.25 a value. */
function syntheticSet(count) {
  const random = new SeededRandom(1);
  const size = layers * hidden;
  const direction = Float64Array.from({ length: size }, () => (random.gaussian() * 5) / Math.sqrt(hidden));
  const positives = new Float32Array(count * size);
  const negatives = new Float32Array(count * size);
  for (let pair = 0; pair < count; pair++) {
    for (let k = 0; k < size; k++) {
      const context = 4 * random.gaussian();
      positives[pair * size + k] = context + direction[k] / 2 + 0.5 * random.gaussian();
      negatives[pair * size + k] = context - direction[k] / 2 + 0.5 * random.gaussian();
    }
  }
  const indices = Int32Array.from({ length: 2 * count }, (_, k) => k >> 1);
  return { layers, hidden, positives, negatives, pairs: indices };
}

function best(repeats, run) {
  let least = Infinity;
  for (let repeat = 0; repeat < repeats; repeat++) {
    const start = performance.now();
    run();
    least = Math.min(least, performance.now() - start);
  }
  return Number(least.toFixed(1));
}

const set = syntheticSet(pairs);
const size = layers * hidden;
const onePair = {
  layers,
  hidden,
  positives: set.positives.subarray(0, size),
  negatives: set.negatives.subarray(0, size),
  pairs: set.pairs.subarray(0, 2),
};
const options = { unit: false, seed: 1 };
const milliseconds = {};
/** Once each: on noise without structure, as here, the iterative methods take longest. */
const measureMilliseconds = {};
for (const method of methodIds) {
  const input = method === "single-pair" ? onePair : set;
  milliseconds[method] = best(5, () => computeVectors(input, method, options));
  const vectors = computeVectors(input, method, options);
  measureMilliseconds[method] = best(1, () => measureVectors(input, vectors, method, options));
}
const limit = 200;
const targets = Object.entries(milliseconds).map(([method, value]) => ({
  name: `${method} of ${pairs} pairs from the cache, milliseconds`,
  value,
  target: `< ${limit}`,
  met: value < limit,
}));
console.log(JSON.stringify({ pairs, layers, hidden, milliseconds, measureMilliseconds, targets }, null, 2));
