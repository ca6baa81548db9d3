/** The child's end of peerContract.ts: answers one call at a time until the parent is gone. */
import { ownMemory } from "./memory.ts";
import type { Peer, PeerAnswer, PeerCall, PeerMethods } from "./peerContract.ts";

export function servePeer(peer: Peer): void {
  const methods: PeerMethods = {
    load: (request) => peer.load(request),
    decode: (request) => peer.decode(request),
    memory: () => Promise.resolve(ownMemory()),
  };
  const send = (answer: PeerAnswer): void => {
    process.send?.(answer);
  };
  process.on("message", (message) => {
    // Typed at the parent's end, which is the same program.
    const { method, request } = message as PeerCall;
    (methods[method] as (request: unknown) => Promise<unknown>)(request).then(
      (value) => {
        send({ value });
      },
      (error: unknown) => {
        send({ failure: error instanceof Error ? (error.stack ?? error.message) : String(error) });
      },
    );
  });
}
