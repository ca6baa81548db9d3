/** What another runtime, in a process of its own, does for a comparison. Messages follow this interface. */
import type { ResidentBytes } from "./memory.ts";

export interface DecodeRequest {
  readonly ids: readonly number[];
  readonly newTokens: number;
}

export interface DecodeResult {
  /** Greedy continuation, `newTokens` long. */
  readonly ids: readonly number[];
  /** Without the prompt. */
  readonly millisecondsPerToken: number;
}

export interface Peer {
  /** Makes the model ready to run. */
  load(request: { readonly folder: string; readonly threads: number }): Promise<void>;
  decode(request: DecodeRequest): Promise<DecodeResult>;
}

/** `Peer`, and what every peer process can say of itself. */
export interface PeerMethods extends Peer {
  memory(request: null): Promise<ResidentBytes>;
}

export interface PeerCall {
  readonly method: keyof PeerMethods;
  readonly request: unknown;
}

export type PeerAnswer = { readonly value: unknown } | { readonly failure: string };
