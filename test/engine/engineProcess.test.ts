import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as later } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { EngineClient, type EngineClientOptions } from "../../src/client/engineClient.ts";
import type { EngineEvent } from "../../src/client/engineProcess.ts";
import type { EngineMethod, Progress } from "../../src/shared/engineContract.ts";

const enginePath = fileURLToPath(new URL("../fixtures/fakeEngine.mjs", import.meta.url));
const cacheFolder = mkdtempSync(join(tmpdir(), "steerscope-client-"));
const clients: EngineClient[] = [];

function client(options: Partial<EngineClientOptions> = {}): EngineClient {
  const made = new EngineClient({ enginePath, embeddedModels: "/models", cacheFolder, ...options });
  clients.push(made);
  return made;
}

/** A call that the contract does not type: the fake engine takes other requests. */
function call(to: EngineClient, method: string, request?: unknown, options?: object): Promise<unknown> {
  return to.call(method as "load", request as { model: string }, options);
}

function isRunning(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    // A process whose parent is gone may stay as a zombie where nobody collects it.
    if (process.platform === "linux") return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

afterEach(async () => {
  await Promise.all(clients.splice(0).map((each) => each.dispose()));
});
afterAll(() => {
  rmSync(cacheFolder, { recursive: true, force: true });
});

test("the process starts on first use and gets its options, without the parent's NODE_OPTIONS", async () => {
  const made = client({ threads: 2, env: { FAKE_EXTRA: "1" } });
  expect(made.pid).toBeUndefined();
  vi.stubEnv("NODE_OPTIONS", "--no-warnings");
  const description = (await call(made, "describe")) as { options: string; nodeOptions: unknown };
  vi.unstubAllEnvs();
  expect(JSON.parse(description.options)).toEqual({
    embeddedModels: "/models",
    cacheFolder,
    threads: 2,
  });
  expect(description.nodeOptions).toBeUndefined();
  expect(isRunning(made.pid)).toBe(true);
});

test("typed arrays of 4 MB cross in both directions, also as a view into a larger buffer", async () => {
  const whole = Float32Array.from({ length: 1 << 20 }, (_, index) => Math.sin(index));
  for (const sent of [whole, whole.subarray(1001, 5003)]) {
    const answer = (await call(client(), "project", { directions: sent })) as {
      directions: Float32Array;
      type: string;
      hash: string;
    };
    expect(answer.type).toBe("Float32Array");
    expect(answer.hash).toBe(createHash("sha256").update(sent).digest("hex"));
    const { buffer, byteOffset, byteLength } = answer.directions;
    expect(
      Buffer.compare(
        Buffer.from(buffer, byteOffset, byteLength),
        Buffer.from(sent.buffer, sent.byteOffset, sent.byteLength),
      ),
    ).toBe(0);
  }
});

test("the engine's typed errors arrive as they are", async () => {
  const made = client();
  await expect(made.engine.load({ model: "missing" })).rejects.toMatchObject({
    kind: "ModelNotFound",
    message: "no such model",
  });
  await expect(call(made, "fly")).rejects.toMatchObject({ kind: "InvalidRequest" });
  await expect(call(made, "load", { model: () => 0 })).rejects.toMatchObject({ kind: "Internal" });
});

test("another contract version is a mismatch, not a crash", async () => {
  const made = client({ env: { FAKE_VERSION: "0" } });
  await expect(made.engine.describe()).rejects.toMatchObject({ kind: "EngineMismatch" });
  await expect(made.engine.describe()).rejects.toMatchObject({ kind: "EngineMismatch" });
});

test("a script that is not there is a crash with a remedy", async () => {
  const made = client({ enginePath: "/nowhere/engine.js" });
  await expect(made.engine.hello()).rejects.toMatchObject({
    kind: "EngineCrashed",
    remedy: expect.stringContaining("doctor") as string,
  });
});

test("a cache folder that cannot be used is named, and no process is started", async () => {
  const file = join(cacheFolder, "file");
  writeFileSync(file, "");
  const unusable = [file, ...(process.platform === "linux" ? ["/proc/steerscope"] : [])];
  for (const folder of unusable) {
    const made = client({ cacheFolder: folder });
    await expect(made.engine.hello()).rejects.toMatchObject({
      kind: "FileUnwritable",
      message: `The folder ${folder} cannot be written to.`,
    });
    expect(made.pid).toBeUndefined();
  }
});

test("dispose while the cache folder is looked at starts nothing afterwards", async () => {
  const made = client();
  const asked = made.engine.hello();
  await Promise.all([
    expect(asked).rejects.toMatchObject({ kind: "Cancelled" }),
    later(0).then(() => made.dispose()),
  ]);
  expect(made.pid).toBeUndefined();
});

test("a dying process rejects everything that waits, and the next call has the model again", async () => {
  const made = client();
  await made.engine.load({ model: "stories" });
  const first = made.pid;
  const waiting = [call(made, "generate", { input: "long" }), call(made, "generate", { input: "crash" })];
  for (const each of waiting) {
    await expect(each).rejects.toMatchObject({
      kind: "EngineCrashed",
      message: expect.stringContaining("exit code 7") as string,
    });
  }
  expect(await made.engine.describe()).toMatchObject({ model: "stories" });
  expect(made.pid).not.toBe(first);
});

test("a native abort brings its last words and speaks of memory", async () => {
  await expect(call(client(), "generate", { input: "abort" })).rejects.toMatchObject({
    kind: "EngineCrashed",
    message: expect.stringContaining("SIGABRT") as string,
    detail: expect.stringContaining("native library says") as string,
    remedy: expect.stringContaining("memory") as string,
  });
});

test("after a crash, a load goes before the model of old, and an unload is remembered", async () => {
  const made = client();
  await made.engine.load({ model: "old" });
  await expect(call(made, "generate", { input: "crash" })).rejects.toMatchObject({ kind: "EngineCrashed" });
  const [restored, loaded, after] = await Promise.all([
    made.engine.describe(),
    made.engine.load({ model: "new" }),
    made.engine.describe(),
  ]);
  expect([restored, loaded, after]).toMatchObject([{ model: "old" }, { model: "new" }, { model: "new" }]);
  await made.engine.unload();
  await expect(call(made, "generate", { input: "crash" })).rejects.toMatchObject({ kind: "EngineCrashed" });
  expect(await made.engine.describe()).toMatchObject({ model: null });
});

test("progress arrives in order, and a soft cancel stops the job but not the process", async () => {
  const made = client();
  const stop = new AbortController();
  const steps: number[] = [];
  const onProgress = (progress: Progress): void => {
    if (progress.kind === "step") steps.push(progress.done);
    if (steps.length === 10) stop.abort();
  };
  await expect(
    call(made, "generate", { input: "long" }, { signal: stop.signal, onProgress }),
  ).rejects.toMatchObject({ kind: "Cancelled", message: "stopped by request" });
  expect(steps.slice(0, 10)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const { processId } = await made.engine.hello();
  expect(processId).toBe(made.pid);
});

test("a signal that is aborted already starts nothing", async () => {
  const made = client();
  await expect(made.engine.describe(undefined, { signal: AbortSignal.abort() })).rejects.toMatchObject({
    kind: "Cancelled",
  });
  expect(made.pid).toBeUndefined();
});

test("a job that does not stop costs the process; a job that waits behind it does not", async () => {
  const made = client({ cancelGraceMilliseconds: 100 });
  await made.engine.load({ model: "stories" });
  const first = made.pid;
  const deaf = new AbortController();
  const behind = new AbortController();
  let running: Promise<unknown> | undefined;
  await new Promise<void>((resolve) => {
    running = call(made, "generate", { input: "deaf" }, { signal: deaf.signal, onProgress: resolve });
  });
  const [queued, victim] = await new Promise<Promise<unknown>[]>((resolve) => {
    const behindIt = call(made, "generate", { input: "deaf" }, { signal: behind.signal });
    const last = call(
      made,
      "generate",
      { input: "deaf" },
      {
        onProgress: () => {
          resolve([behindIt, last]);
        },
      },
    );
    last.catch(() => undefined);
  });
  behind.abort();
  await expect(queued).rejects.toMatchObject({ kind: "Cancelled" });
  expect(isRunning(first)).toBe(true);
  deaf.abort();
  await expect(running).rejects.toMatchObject({ kind: "Cancelled" });
  await expect(victim).rejects.toMatchObject({ kind: "EngineCrashed" });
  expect(await made.engine.describe()).toMatchObject({ model: "stories" });
  expect(made.pid).not.toBe(first);
});

test("an idle process ends, a busy one does not, and the model comes back", async () => {
  const made = client({ idleMilliseconds: 60 });
  await made.engine.load({ model: "stories" });
  const first = made.pid;
  const stop = new AbortController();
  const busy = call(made, "generate", { input: "long" }, { signal: stop.signal });
  await later(200);
  expect(made.pid).toBe(first);
  stop.abort();
  await expect(busy).rejects.toMatchObject({ kind: "Cancelled" });
  await vi.waitFor(() => {
    expect(isRunning(first)).toBe(false);
  }, 20_000);
  expect(await made.engine.describe()).toMatchObject({ model: "stories" });
});

test("starts, log lines and ends are told, a crash apart from an end that was asked for", async () => {
  const events: EngineEvent[] = [];
  const made = client({ onEvent: (event) => events.push(event) });
  await expect(call(made, "generate", { input: "abort" })).rejects.toMatchObject({ kind: "EngineCrashed" });
  await made.engine.hello();
  const second = made.pid;
  await made.dispose();
  await vi.waitFor(() => {
    expect(events.filter(({ kind }) => kind === "ended")).toHaveLength(2);
  });
  const [first] = events;
  const withoutLog = events.filter(({ kind }) => kind !== "log");
  expect(withoutLog).toMatchObject([
    { kind: "started" },
    {
      kind: "ended",
      crash: { kind: "EngineCrashed" },
      processId: (first as { processId: number }).processId,
    },
    { kind: "started", processId: second },
    { kind: "ended", crash: null, processId: second },
  ]);
  expect(events).toContainEqual({
    kind: "log",
    level: "info",
    text: "native library says: out of memory",
  });
});

test("other options count when a process starts next, the idle time at once", async () => {
  const made = client({ threads: 1 });
  const options = async (): Promise<unknown> =>
    JSON.parse(((await call(made, "describe")) as { options: string }).options);
  expect(await options()).toMatchObject({ threads: 1 });
  const first = made.pid;
  made.configure({ threads: 3, activationCacheLimitBytes: 5000, idleMilliseconds: 50 });
  await vi.waitFor(() => {
    expect(isRunning(first)).toBe(false);
  }, 20_000);
  expect(await options()).toMatchObject({ threads: 3, activationCacheLimitBytes: 5000 });
});

test("dispose rejects what waits, ends the process and leaves no listener on the signal", async () => {
  const made = client();
  await made.engine.hello();
  const pid = made.pid;
  const signal = new AbortController().signal;
  const removed = vi.spyOn(signal, "removeEventListener");
  const added = vi.spyOn(signal, "addEventListener");
  const waiting = call(made, "generate", { input: "deaf" }, { signal });
  waiting.catch(() => undefined);
  await later(20);
  await made.dispose();
  await expect(waiting).rejects.toMatchObject({ kind: "Cancelled" });
  expect(removed.mock.calls.length).toBe(added.mock.calls.length);
  expect(isRunning(pid)).toBe(false);
  await expect(made.engine.hello()).rejects.toMatchObject({ kind: "Cancelled" });
});

test("killed at random moments: a typed error each time, and the next call works", async () => {
  const made = client();
  await made.engine.load({ model: "stories" });
  let seed = 7;
  const random = (): number => (seed = (seed * 48271) % 2147483647) / 2147483647;
  for (let round = 0; round < 12; round++) {
    const methods: EngineMethod[] = ["generate", "describe", "generate"];
    const waiting = methods.map((method) => call(made, method, { input: "long" }));
    const settled = Promise.allSettled(waiting);
    await later(random() * 60);
    const pid = made.pid;
    if (pid !== undefined) process.kill(pid, "SIGKILL");
    for (const result of await settled) {
      if (result.status === "rejected") expect(result.reason).toMatchObject({ kind: "EngineCrashed" });
    }
    expect(await made.engine.describe()).toMatchObject({ model: "stories" });
  }
});

test("an engine without calls does not keep its program alive", async () => {
  const { spawnSync } = await import("node:child_process");
  const { build } = await import("esbuild");
  const clientSource = fileURLToPath(new URL("../../src/client/engineClient.ts", import.meta.url));
  const program = `
    import { EngineClient } from ${JSON.stringify(clientSource)};
    const client = new EngineClient({ enginePath: ${JSON.stringify(enginePath)}, embeddedModels: "", cacheFolder: ${JSON.stringify(cacheFolder)} });
    void client.engine.hello().then((info) => console.log(info.processId));`;
  const bundle = await build({
    stdin: { contents: program, resolveDir: "/", loader: "ts" },
    bundle: true,
    platform: "node",
    write: false,
  });
  const run = spawnSync(process.execPath, ["-e", bundle.outputFiles[0]!.text], {
    encoding: "utf8",
    timeout: 60_000,
  });
  expect(run.status).toBe(0);
  const pid = Number(run.stdout);
  expect(pid).toBeGreaterThan(0);
  await vi.waitFor(() => {
    expect(isRunning(pid)).toBe(false);
  }, 20_000);
});
