/** The command line's requests to a hub, through the proxy that the environment names. */
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { requestThroughProxy } from "../../src/cli/proxiedRequest.ts";
import { hubGet, type HubOptions } from "../../src/client/hubHttp.ts";
import { HubServer, type HubContent } from "../support/hubServer.ts";
import { ProxyServer } from "../support/proxyServer.ts";

const hosts = { hub: "hub.test", storage: "storage.test" };
const fixture = (name: string): string =>
  readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), "utf8");
const tls = { key: fixture("hub.key"), cert: fixture("hub.crt") };
const commit = "0123456789abcdef0123456789abcdef01234567";
const weights = Buffer.from("weights");
const content: HubContent = {
  repository: "someone/Tiny",
  commit,
  files: new Map([["model.safetensors", { bytes: weights, isLarge: true }]]),
};
const path = `/someone/Tiny/resolve/${commit}/model.safetensors`;

let proxy: ProxyServer;
let hub: HubServer | undefined;
beforeEach(async () => {
  for (const name of ["http_proxy", "https_proxy", "all_proxy", "no_proxy"]) {
    vi.stubEnv(name, undefined);
    vi.stubEnv(name.toUpperCase(), undefined);
  }
  proxy = new ProxyServer();
  await proxy.start();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub?.stop();
  hub = undefined;
  await proxy.stop();
});

async function startHub(place: ConstructorParameters<typeof HubServer>[1]): Promise<HubServer> {
  hub = new HubServer(content, place);
  await hub.start();
  return hub;
}

async function get(
  endpoint: string,
  changes: Partial<HubOptions> = {},
  signal = new AbortController().signal,
) {
  const options = { endpoint, startRequest: requestThroughProxy, stallMilliseconds: 5000, ...changes };
  const { status, body } = await hubGet(endpoint + path, options, {}, signal);
  const parts: Buffer[] = [];
  for await (const part of body) parts.push(part);
  return { status, text: Buffer.concat(parts).toString() };
}

describe("a request through a proxy", () => {
  it("asks it for plain addresses, also of the storage behind a redirect", async () => {
    const { endpoint, storageOrigin } = await startHub({ hosts });
    vi.stubEnv("HTTP_PROXY", proxy.address.replace("//", "//me:p%40ss@"));
    expect(await get(endpoint)).toEqual({ status: 200, text: "weights" });
    expect(proxy.seen).toEqual([
      `GET ${endpoint}${path}`,
      `GET ${storageOrigin}/model.safetensors?signature=secret`,
    ]);
    const expected = `Basic ${Buffer.from("me:p@ss").toString("base64")}`;
    expect(proxy.authorizations).toEqual([expected, expected]);
  });

  it("goes through a tunnel to encrypted ones, whose certificate counts", async () => {
    const { endpoint } = await startHub({ hosts, tls });
    vi.stubEnv("HTTPS_PROXY", proxy.address.replace("//", "//me:p%40ss@"));
    await expect(get(endpoint)).rejects.toThrow("self-signed");
    expect(proxy.seen).toEqual([`CONNECT ${new URL(endpoint).host}`]);
    expect(proxy.authorizations).toEqual([`Basic ${Buffer.from("me:p@ss").toString("base64")}`]);
  });

  it("is not made where NO_PROXY names the host", async () => {
    const { endpoint } = await startHub({});
    vi.stubEnv("http_proxy", proxy.address);
    vi.stubEnv("NO_PROXY", "example.org,127.0.0.1");
    expect((await get(endpoint)).text).toBe("weights");
    expect(proxy.seen).toEqual([]);
  });

  it.each(["http://hub.test", "https://hub.test"])(
    "to %s fails with the proxy's refusal",
    async (endpoint) => {
      vi.stubEnv("ALL_PROXY", proxy.address);
      proxy.refusal = 407;
      const answer = await get(endpoint).catch((error: unknown) => error);
      if (endpoint.startsWith("https"))
        expect(String(answer)).toContain("the proxy answered with status 407");
      else expect(answer).toEqual({ status: 407, text: "" });
    },
  );

  it.each(["http://hub.test", "https://hub.test"])(
    "to %s is given up, and its connection closed, where the proxy says nothing or somebody stops",
    async (endpoint) => {
      vi.stubEnv("ALL_PROXY", proxy.address);
      proxy.refusal = "silent";
      await expect(get(endpoint, { stallMilliseconds: 50 })).rejects.toThrow("nothing came for 50 ms");
      await vi.waitUntil(() => proxy.connections === 0);
      const controller = new AbortController();
      const stopped = get(endpoint, {}, controller.signal);
      await vi.waitUntil(() => proxy.seen.length === 2);
      controller.abort();
      await expect(stopped).rejects.toThrow(expect.objectContaining({ kind: "Cancelled" }) as Error);
      await vi.waitUntil(() => proxy.connections === 0);
    },
  );

  it.each(["socks5://127.0.0.1:1", "http://"])(
    "refuses %s as a proxy, without its address",
    async (named) => {
      vi.stubEnv("HTTPS_PROXY", named);
      await expect(get("https://hub.test")).rejects.toThrow(
        expect.objectContaining({
          kind: "InvalidRequest",
          remedy: expect.stringContaining("http://host:port") as string,
        }) as Error,
      );
    },
  );
});
