/** The parent's end of peerContract.ts. */
import { fork, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { memoryOf, type Memory } from "./memory.ts";
import type { PeerAnswer, PeerMethods } from "./peerContract.ts";
import { root } from "./environment.ts";

/** Names of the scripts in test/benchmarks/peers. */
export type PeerName = "stock" | "transformersJs";

type Requests = { readonly [M in keyof PeerMethods]: Parameters<PeerMethods[M]>[0] };
type Results = { readonly [M in keyof PeerMethods]: Awaited<ReturnType<PeerMethods[M]>> };

export class PeerProcess {
  readonly #child: ChildProcess;

  constructor(name: PeerName) {
    // scripts/bench.mjs bundles the peers beside the benchmarks. Standard output is the benchmark's own.
    this.#child = fork(join(root, ".cache/bench/peers", `${name}.mjs`), [], {
      execArgv: [],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
  }

  /** One call at a time. Rejects when the peer fails or dies. */
  call<M extends keyof PeerMethods>(method: M, request: Requests[M]): Promise<Results[M]> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const ended = (code: number | null): void => {
        reject(new Error(`the peer ended with ${code ?? "a signal"} during ${method}`));
      };
      child.once("exit", ended);
      child.once("message", (message) => {
        child.off("exit", ended);
        const answer = message as PeerAnswer;
        if ("failure" in answer) reject(new Error(answer.failure));
        else resolve(answer.value as Results[M]);
      });
      child.send({ method, request });
    });
  }

  async memory(): Promise<Memory> {
    return memoryOf(this.#child.pid!, await this.call("memory", null));
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await ended;
  }
}
