/**
 * The test every model passes at load, on the graph that will be used: with strength 0 nothing changes; a probe at layer
 * L moves resid[L+1] by exactly the probe and no earlier layer at all; rows of a batch keep their own steering; prefill
 * and cached decode agree.
 */
import type { SelfTestCheck, SelfTestReport } from "../shared/engineContract.ts";
import { throwIfCancelled } from "./asyncEngine.ts";
import { identityPools } from "./pools.ts";
import type { ForwardResult, ForwardStep, ModelSession, RowSteering } from "./session.ts";

const testTokens = 8;

/** Largest deviations allowed, relative to the layer's residual norm: what rounding explains in each precision. */
interface Limits {
  /** The probe's own layer: x + e - x. */
  readonly probe: number;
  /** Same tokens in another grouping: one token on the cache, or beside another row. */
  readonly grouping: number;
}

const exactLimits: Limits = { probe: 1e-5, grouping: 1e-4 };
const limitsByPrecision: Readonly<Record<string, Limits>> = {
  fp32: exactLimits,
  bf16: { probe: 2e-2, grouping: 2e-2 },
  fp16: { probe: 5e-3, grouping: 1e-2 },
  q4: { probe: 1e-5, grouping: 1e-2 },
  q4f16: { probe: 5e-3, grouping: 2e-2 },
  q8: { probe: 1e-5, grouping: 1e-2 },
};

export interface SelfTestOutcome {
  readonly report: SelfTestReport;
  /**
   * How far activations move with the grouping of tokens, relative to the norm of the residual stream. Where activations
   * share 8-bit scales by call, they must move and no limit would mean anything: there it is a figure and no check.
   */
  readonly grouping: number;
}

/** Runs the test. It never throws for a failed check: the report says which. Throws Cancelled. */
export async function runSelfTest(session: ModelSession, signal: AbortSignal): Promise<SelfTestOutcome> {
  const started = performance.now();
  // Graphs over checkpoints compute in fp32 whatever their weights are stored as.
  const computesExactly = session.model.layout === "safetensors";
  const limits =
    (computesExactly ? undefined : limitsByPrecision[session.model.graph.precision]) ?? exactLimits;
  const ids = testIds(session);
  const full = await run(session, ids, 1, null);
  const norms = residualNorms(session, full);
  const checks: SelfTestCheck[] = [];
  const finite = full.pooled.every(Number.isFinite) && full.logits.every(Number.isFinite);
  checks.push(check("activations and logits are finite numbers", finite ? 0 : 1, 0));

  const layers = [...new Set([0, Math.floor(session.layers / 2), session.layers - 1])];
  for (const layer of layers) {
    throwIfCancelled(signal);
    const probe = probeFor(session, layer, norms[layer + 1]!);
    const off = await run(session, ids, 1, steer(session, [probe], layer, [0]));
    const unchanged = Math.max(
      largestDifference(full.pooled, off.pooled),
      largestDifference(full.logits, off.logits),
    );
    checks.push(check(`strength 0 at layer ${layer} changes nothing`, unchanged, 0));
    const on = await run(session, ids, 1, steer(session, [probe], layer, [1]));
    const { own, earlier } = probeDeviation(session, full, on, probe, layer);
    checks.push(
      check(`a probe at layer ${layer} moves its output by the probe`, own / norms[layer + 1]!, limits.probe),
    );
    checks.push(check(`a probe at layer ${layer} moves no earlier layer`, earlier, 0));
  }

  throwIfCancelled(signal);
  const layer = Math.floor(session.layers / 2);
  const probe = probeFor(session, layer, norms[layer + 1]!);
  const alone = await run(session, ids, 1, steer(session, [probe], layer, [1]));
  const both = await run(
    session,
    ids,
    2,
    steer(session, [new Float32Array(session.hidden), probe], layer, [1, 1]),
  );
  const rows = Math.max(
    rowDeviation(session, both, 0, full, norms),
    rowDeviation(session, both, 1, alone, norms),
  );
  throwIfCancelled(signal);
  const decode = await decodeDeviation(session, ids, probe, layer, alone, norms);
  if (session.model.graph.activationQuantisation !== "by-call") {
    checks.push(
      check("an unsteered and a steered row beside each other equal two runs", rows, limits.grouping),
      check("prefill and cached decode agree under steering", decode, limits.grouping),
    );
  }
  const passed = checks.every((each) => each.passed);
  return {
    report: { passed, checks, milliseconds: performance.now() - started },
    grouping: Math.max(rows, decode),
  };
}

function check(name: string, deviation: number, limit: number): SelfTestCheck {
  // Not-a-number fails every comparison, as it should.
  return { name, passed: deviation <= limit, deviation, limit };
}

/** Spread over the vocabulary, the same every time. */
function testIds(session: ModelSession): Int32Array {
  const vocabulary = Math.max(session.model.config.vocabulary, 2);
  const tokens = Math.min(testTokens, session.model.config.contextLength);
  return Int32Array.from({ length: tokens }, (_, i) => 1 + ((i * 7919) % (vocabulary - 1)));
}

/** A direction with every component set, a tenth of the residual norm long. */
function probeFor(session: ModelSession, layer: number, norm: number): Float32Array {
  const probe = Float32Array.from({ length: session.hidden }, (_, i) => Math.sin(1 + i * 1.7 + layer));
  const scale = (0.1 * (norm || 1)) / Math.hypot(...probe);
  return probe.map((value) => value * scale);
}

function steer(
  session: ModelSession,
  vectors: readonly Float32Array[],
  layer: number,
  strengths: readonly number[],
): Omit<RowSteering, "mask"> & { readonly on: readonly number[] } {
  const count = vectors.length;
  const values = new Float32Array(session.layers * count * session.hidden);
  vectors.forEach((vector, row) => {
    values.set(vector, (layer * count + row) * session.hidden);
  });
  return { offsets: session.steeringTensor(values, count), on: strengths };
}

async function run(
  session: ModelSession,
  ids: Int32Array,
  batch: number,
  steering: ReturnType<typeof steer> | null,
): Promise<ForwardResult> {
  const tokens = ids.length;
  return session.run({
    batch,
    tokens,
    ids: repeat(ids, batch),
    cache: null,
    keepCache: false,
    steering: steering && { offsets: steering.offsets, mask: maskOf(steering.on, tokens) },
    pool: { weights: identityPools(batch, tokens), count: tokens },
    ...logitRows(session, batch * tokens),
  });
}

/** Only where the output head is in the graph that was changed; one of its own is checked when it is first needed. */
function logitRows(session: ModelSession, rows: number): Pick<ForwardStep, "logitRows"> {
  return session.model.head === null ? { logitRows: Int32Array.from({ length: rows }, (_, row) => row) } : {};
}

function maskOf(on: readonly number[], tokens: number): Float32Array {
  return Float32Array.from({ length: on.length * tokens }, (_, i) => on[Math.floor(i / tokens)]!);
}

function repeat(ids: Int32Array, times: number): Int32Array {
  return Int32Array.from({ length: ids.length * times }, (_, i) => ids[i % ids.length]!);
}

/** Mean residual norm at each point, [layers + 1]. */
function residualNorms(session: ModelSession, result: ForwardResult): number[] {
  const size = result.pooled.length / (session.layers + 1);
  return Array.from({ length: session.layers + 1 }, (_, point) => {
    const rows = result.pooled.subarray(point * size, (point + 1) * size);
    return Math.sqrt(rows.reduce((sum, value) => sum + value * value, 0) / (size / session.hidden)) || 1;
  });
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

function probeDeviation(
  session: ModelSession,
  base: ForwardResult,
  steered: ForwardResult,
  probe: Float32Array,
  layer: number,
): { own: number; earlier: number } {
  const size = base.pooled.length / (session.layers + 1);
  const until = (layer + 1) * size;
  const earlier = largestDifference(base.pooled.subarray(0, until), steered.pooled.subarray(0, until));
  let own = 0;
  for (let i = 0; i < size; i++) {
    const moved = steered.pooled[until + i]! - base.pooled[until + i]!;
    const difference = Math.abs(moved - probe[i % session.hidden]!);
    if (!(difference <= own)) own = difference;
  }
  return { own, earlier };
}

/** Row `row` of a batch against the same tokens alone, relative to the residual norms. */
function rowDeviation(
  session: ModelSession,
  batch: ForwardResult,
  row: number,
  alone: ForwardResult,
  norms: readonly number[],
): number {
  const points = session.layers + 1;
  const size = alone.pooled.length / points;
  const rows = batch.pooled.length / alone.pooled.length;
  let worst = 0;
  for (let point = 0; point < points; point++) {
    const own = alone.pooled.subarray(point * size, (point + 1) * size);
    const at = (point * rows + row) * size;
    worst = Math.max(worst, largestDifference(own, batch.pooled.subarray(at, at + size)) / norms[point]!);
  }
  return worst;
}

/** All tokens but the last in one run and the last on the cache, against one run of all. */
async function decodeDeviation(
  session: ModelSession,
  ids: Int32Array,
  probe: Float32Array,
  layer: number,
  full: ForwardResult,
  norms: readonly number[],
): Promise<number> {
  const { offsets } = steer(session, [probe], layer, [1]);
  const before = ids.length - 1;
  if (before === 0) return 0;
  const prefix = await session.run({
    batch: 1,
    tokens: before,
    ids: ids.subarray(0, before),
    cache: session.newCache(1, ids.length),
    keepCache: true,
    steering: { offsets, mask: new Float32Array(before).fill(1) },
  });
  const last = await session.run({
    batch: 1,
    tokens: 1,
    ids: ids.subarray(before),
    cache: prefix.cache,
    keepCache: false,
    steering: { offsets, mask: Float32Array.of(1) },
    pool: { weights: Float32Array.of(1), count: 1 },
    ...logitRows(session, 1),
  });
  const { hidden } = session;
  let worst = 0;
  for (let point = 0; point <= session.layers; point++) {
    const at = (point * ids.length + before) * hidden;
    const own = last.pooled.subarray(point * hidden, (point + 1) * hidden);
    worst = Math.max(worst, largestDifference(full.pooled.subarray(at, at + hidden), own) / norms[point]!);
  }
  return worst;
}
