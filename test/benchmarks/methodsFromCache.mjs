/**
 * What another method costs on activations that are there (no model), on 1,000 synthetic pairs of 30 layers x 576. A
 * change of method takes all three: reading the rows from the cache on disk (`readMilliseconds`), the vectors of all layers
 * (`computeMilliseconds`; the target is for these alone), and their measures (`measureMilliseconds`). The files were just
 * written, so they are read from the system's memory. Prints one JSON object.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
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
    platform: "node",
  });
  return import(
    `data:text/javascript;base64,${Buffer.from(bundle.outputFiles[0].contents).toString("base64")}`
  );
}

const { activationKey, ActivationCache, computeVectors, measureVectors, methodIds, SeededRandom } =
  await importTypeScript(`
  export { ActivationCache, activationKey } from "../../src/engine/activationCache.ts";
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

/** Best of three, each with a cache that has just been opened; rows as the engine keeps them, with what enters block 0. */
function readFromCache() {
  const folder = mkdtempSync(join(tmpdir(), "steerscope-bench-"));
  const rowSize = (layers + 1) * hidden;
  const limit = 2 * 1024 ** 3;
  try {
    const keys = Array.from({ length: 2 * pairs }, (_, input) =>
      activationKey("synthetic", Int32Array.of(input), "last"),
    );
    const filled = ActivationCache.open(folder, limit);
    filled.putMany(keys.map((key) => ({ key, row: new Float32Array(rowSize).fill(1) })));
    filled.close();
    return best(3, () => {
      const rows = ActivationCache.open(folder, limit).getMany(keys, rowSize);
      if (rows.includes(undefined)) throw new Error("the cache has lost a row");
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const readMilliseconds = readFromCache();
/** Best of five. */
const computeMilliseconds = {};
/** Once each: on noise without structure, as here, the iterative methods take longest. */
const measureMilliseconds = {};
for (const method of methodIds) {
  const input = method === "single-pair" ? onePair : set;
  computeMilliseconds[method] = best(5, () => computeVectors(input, method, options));
  const vectors = computeVectors(input, method, options);
  measureMilliseconds[method] = best(1, () => measureVectors(input, vectors, method, options));
}
const limit = 200;
const targets = Object.entries(computeMilliseconds).map(([method, value]) => ({
  name: `${method}: vectors from activations at hand, ${pairs} pairs, milliseconds`,
  value,
  target: `< ${limit}`,
  met: value < limit,
}));
console.log(
  JSON.stringify(
    { pairs, layers, hidden, readMilliseconds, computeMilliseconds, measureMilliseconds, targets },
    null,
    2,
  ),
);
