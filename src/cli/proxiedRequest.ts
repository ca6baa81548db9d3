/**
 * GET requests through the proxy that the environment names (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY), as curl makes
 * them: plain addresses are asked of the proxy itself, encrypted ones go through a tunnel that it cannot look into. Node
 * 20 does not do this by itself. In the editor, VS Code does.
 */
import { request as requestHttp, type ClientRequest, type RequestOptions } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { getProxyForUrl } from "proxy-from-env";
import { requestDirectly, type StartRequest } from "../client/hubHttp.ts";
import { SteerscopeError } from "../shared/errors.ts";

/** Like `requestDirectly`. Throws InvalidRequest where the environment names no proxy that can be used. */
export const requestThroughProxy: StartRequest = (url, headers, signal) => {
  const named = getProxyForUrl(url.href);
  if (named === "") return requestDirectly(url, headers, signal);
  const proxy = readProxy(named);
  if (url.protocol === "http:") {
    return requestOf(proxy)({
      ...addressOf(proxy),
      path: url.href,
      headers: { ...headers, ...authorizationOf(proxy), host: url.host },
      signal,
    });
  }
  return requestHttps(url, {
    headers,
    createConnection: (_, give) => {
      // Until the proxy has answered there is no socket to give; Node's types do not say so.
      openTunnel(proxy, url, signal, give as (error: Error | null, socket?: Duplex) => void);
      return undefined;
    },
  });
};

function readProxy(named: string): URL {
  const proxy = URL.canParse(named) ? new URL(named) : undefined;
  if (proxy !== undefined && /^https?:$/.test(proxy.protocol) && proxy.hostname !== "") return proxy;
  // Without its address, which may hold a password.
  throw new SteerscopeError("InvalidRequest", "The proxy that the environment names cannot be used.", {
    remedy: "Write HTTPS_PROXY and HTTP_PROXY as http://host:port, or unset them.",
  });
}

function requestOf({ protocol }: URL): (options: RequestOptions) => ClientRequest {
  return protocol === "https:" ? requestHttps : requestHttp;
}

function addressOf({ hostname, port, protocol }: URL): RequestOptions {
  return { host: bare(hostname), port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port) };
}

/** Without the brackets that an address has around an IPv6 host. */
function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "");
}

function authorizationOf({ username, password }: URL): Record<string, string> {
  if (username === "" && password === "") return {};
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { "proxy-authorization": `Basic ${Buffer.from(credentials).toString("base64")}` };
}

function openTunnel(
  proxy: URL,
  { hostname, host, port }: URL,
  signal: AbortSignal,
  give: (error: Error | null, socket?: Duplex) => void,
): void {
  const target = port === "" ? `${host}:443` : host;
  const request = requestOf(proxy)({
    ...addressOf(proxy),
    method: "CONNECT",
    path: target,
    headers: { host: target, ...authorizationOf(proxy) },
    // Connections of the pool would be shared with requests to the proxy itself.
    agent: false,
    signal,
  });
  const refuse = (what: string): void => {
    request.destroy();
    give(new Error(`the proxy ${what}`));
  };
  request.once("connect", ({ statusCode }, socket: Socket) => {
    if (statusCode !== 200) {
      socket.destroy();
      refuse(`answered with status ${statusCode ?? "unknown"}`);
      return;
    }
    const name = bare(hostname);
    give(null, connectTls({ socket, host: name, ...(isIP(name) === 0 ? { servername: name } : {}) }));
  });
  // Some answer a refusal as they would another request.
  request.once("response", ({ statusCode }) => {
    refuse(`answered with status ${statusCode ?? "unknown"}`);
  });
  request.on("error", give);
  request.end();
}
