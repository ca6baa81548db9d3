/**
 * An HTTP proxy on 127.0.0.1, for plain requests and for tunnels. Whatever host is asked for, it connects to 127.0.0.1:
 * tests use names that nobody but it can find.
 */
import { createServer, request as requestHttp, type Server } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";

export class ProxyServer {
  /** `GET http://host:port/path` and `CONNECT host:port`. */
  readonly seen: string[] = [];
  /** Of each request, as it came. */
  readonly authorizations: (string | undefined)[] = [];
  /** Status of refusals; "silent": it says nothing; null: it does its work. */
  refusal: number | "silent" | null = null;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor() {
    this.#server = createServer((request, response) => {
      this.#note(`${request.method ?? ""} ${request.url ?? ""}`, request.headers["proxy-authorization"]);
      if (this.refusal === "silent") return;
      if (this.refusal !== null) {
        response.writeHead(this.refusal).end();
        return;
      }
      const { port, pathname, search } = new URL(request.url ?? "/");
      const onward = requestHttp(
        { host: "127.0.0.1", port, path: pathname + search, headers: request.headers },
        (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(response);
          answer.on("error", () => response.destroy());
        },
      );
      onward.on("error", () => response.destroy());
      response.on("close", () => onward.destroy());
      onward.end();
    });
    this.#server.on("connect", (request, client: Socket, head: Buffer) => {
      this.#note(`CONNECT ${request.url ?? ""}`, request.headers["proxy-authorization"]);
      client.on("error", () => client.destroy());
      // A tunnel's end is noticed by who reads it.
      client.on("end", () => client.destroy());
      if (this.refusal === "silent") {
        client.resume();
        return;
      }
      if (this.refusal !== null) {
        client.end(`HTTP/1.1 ${this.refusal} Refused\r\n\r\n`);
        return;
      }
      const target = connect(Number(request.url?.split(":").at(-1)), "127.0.0.1", () => {
        client.write("HTTP/1.1 200 Connection established\r\n\r\n");
        target.write(head);
        target.pipe(client);
        client.pipe(target);
      });
      target.on("error", () => client.destroy());
      client.on("close", () => target.destroy());
    });
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  /** Connections from clients that are open. */
  get connections(): number {
    return this.#sockets.size;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #note(what: string, authorization: string | undefined): void {
    this.seen.push(what);
    this.authorizations.push(authorization);
  }
}
