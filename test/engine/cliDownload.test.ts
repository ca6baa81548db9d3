/** `steerscope models download` as it ships, against a stand-in hub. */
import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { HubServer, type HubPlace } from "../support/hubServer.ts";
import { ProxyServer } from "../support/proxyServer.ts";
import { builtFile, repository } from "./support/engine.ts";

const commit = "0123456789abcdef0123456789abcdef01234567";
const weights = randomBytes(2_000_000);
const certificate = join(repository, "test/fixtures/tls/hub.crt");
const tls = {
  key: readFileSync(join(repository, "test/fixtures/tls/hub.key"), "utf8"),
  cert: readFileSync(certificate, "utf8"),
};
const hosts = { hub: "hub.test", storage: "storage.test" };

let folder = "";
let hub: HubServer | undefined;
let proxy: ProxyServer;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "steerscope-cli-download-"));
  proxy = new ProxyServer();
  await proxy.start();
});
afterEach(async () => {
  await hub?.stop();
  hub = undefined;
  await proxy.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function startHub(place?: HubPlace): Promise<HubServer> {
  hub = new HubServer(
    {
      repository: "someone/Tiny",
      commit,
      files: new Map([
        ["config.json", { bytes: Buffer.from("{}"), isLarge: false }],
        ["tokenizer.json", { bytes: randomBytes(2000), isLarge: false }],
        ["model.safetensors", { bytes: weights, isLarge: true }],
      ]),
    },
    place,
  );
  await hub.start();
  return hub;
}

interface Ran {
  readonly code: number | null;
  readonly stderr: string;
}

function download(environment: Record<string, string> = {}): { child: ChildProcess; ended: Promise<Ran> } {
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/_proxy$/i.test(name)));
  const child = spawn(
    process.execPath,
    [builtFile("cli.js"), "models", "download", "someone/Tiny", "--endpoint", hub!.endpoint],
    { env: { ...own, STEERSCOPE_CACHE: folder, ...environment }, stdio: ["ignore", "ignore", "pipe"] },
  );
  let stderr = "";
  child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
  const ended = new Promise<Ran>((resolve) => {
    child.on("close", (code) => {
      resolve({ code, stderr });
    });
  });
  return { child, ended };
}

function expectWhole(): void {
  const got = readFileSync(join(folder, "models/someone/Tiny/model.safetensors"));
  expect(got.equals(weights)).toBe(true);
}

describe("through the proxy of the environment", () => {
  test("a plain mirror", async () => {
    const { endpoint } = await startHub({ hosts });
    expect((await download({ HTTP_PROXY: proxy.address }).ended).code).toBe(0);
    expectWhole();
    expect(proxy.seen[0]).toContain(`GET ${endpoint}/api/models/someone/Tiny/`);
  });

  test("an encrypted hub, in tunnels", async () => {
    const { endpoint, storageOrigin } = await startHub({ hosts, tls });
    const { code, stderr } = await download({ https_proxy: proxy.address, NODE_EXTRA_CA_CERTS: certificate })
      .ended;
    expect([code, stderr]).toEqual([0, expect.stringContaining("someone/Tiny") as string]);
    expectWhole();
    expect(new Set(proxy.seen)).toEqual(
      new Set([endpoint, storageOrigin].map((origin) => `CONNECT ${new URL(origin).host}`)),
    );
  });

  test("Ctrl-C while the proxy says nothing: 130, at once", async () => {
    await startHub({ hosts, tls });
    proxy.refusal = "silent";
    const { child, ended } = download({ HTTPS_PROXY: proxy.address });
    await vi.waitUntil(() => proxy.seen.length > 0, { timeout: 30_000 });
    child.kill("SIGINT");
    expect((await ended).code).toBe(130);
  });
});

test("a download that was killed goes on where it was", async () => {
  const { seen } = await startHub();
  hub!.slowMilliseconds = 20;
  const { child, ended } = download();
  const part = join(folder, "models/someone/.Tiny.download/model.safetensors.part");
  await vi.waitUntil(
    () => {
      try {
        return readFileSync(part).length > 100_000;
      } catch {
        return false;
      }
    },
    { timeout: 30_000 },
  );
  child.kill("SIGKILL");
  await ended;
  hub!.slowMilliseconds = 0;
  seen.length = 0;
  expect((await download().ended).code).toBe(0);
  expectWhole();
  const ranges = seen.filter(({ origin }) => origin === "storage").map(({ range }) => range);
  expect(ranges).toEqual([expect.stringMatching(/^bytes=\d{6,7}-$/)]);
});
