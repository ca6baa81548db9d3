/**
 * Seeded pseudo-random numbers: xoshiro128** 1.1 (Blackman and Vigna, prng.di.unimi.it, public domain), its state
 * filled by SplitMix32 (the finaliser of MurmurHash3 over a Weyl sequence). Integers and uniforms are the same on
 * every platform. Gaussians use Math.log and Math.sqrt only (Marsaglia's polar method): V8 carries its own port of
 * fdlibm, so they do not depend on the system's mathematics library. Not for secrets.
 */
export class SeededRandom {
  private readonly state: Uint32Array;
  /** The polar method makes two Gaussians at a time. */
  private spare: number | null = null;

  /** `seed`: any safe integer. `stream` separates sequences of one seed, e.g. the rows of a batch or the layers. */
  constructor(seed: number, stream = 0) {
    const mix = splitMix32(hashWords([seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0, stream >>> 0]));
    this.state = Uint32Array.from({ length: 4 }, mix);
  }

  /** A generator that goes on from four words of state, not all zero. */
  static fromState(words: readonly [number, number, number, number]): SeededRandom {
    const random = new SeededRandom(0);
    random.state.set(words);
    return random;
  }

  /** Uniform integer in [0, 2^32). */
  uint32(): number {
    const state = this.state;
    const s1 = state[1]!;
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    state[2]! ^= state[0]!;
    state[3]! ^= s1;
    state[1]! ^= state[2]!;
    state[0]! ^= state[3]!;
    state[2]! ^= s1 << 9;
    state[3] = rotateLeft(state[3]!, 11);
    return result;
  }

  /** Uniform in [0, 1) with 53 random bits. */
  uniform(): number {
    const high = this.uint32() >>> 5;
    const low = this.uint32() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  /** Uniform integer in [0, bound), without modulo bias; 1 <= bound <= 2^32. */
  below(bound: number): number {
    const limit = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const draw = this.uint32();
      if (draw < limit) return draw % bound;
    }
  }

  /** Normal with mean 0 and variance 1. */
  gaussian(): number {
    if (this.spare !== null) {
      const spare = this.spare;
      this.spare = null;
      return spare;
    }
    for (;;) {
      const x = 2 * this.uniform() - 1;
      const y = 2 * this.uniform() - 1;
      const square = x * x + y * y;
      if (square > 0 && square < 1) {
        const factor = Math.sqrt((-2 * Math.log(square)) / square);
        this.spare = y * factor;
        return x * factor;
      }
    }
  }

  /** The integers 0..count-1 in random order (Fisher-Yates). */
  permutation(count: number): Int32Array {
    const order = Int32Array.from({ length: count }, (_, index) => index);
    for (let last = count - 1; last > 0; last--) {
      const other = this.below(last + 1);
      const held = order[last]!;
      order[last] = order[other]!;
      order[other] = held;
    }
    return order;
  }
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/** One well-mixed 32-bit word out of several (MurmurHash3, x86 32-bit variant, without the tail). */
export function hashWords(words: Iterable<number>, seed = 0): number {
  let hash = seed | 0;
  let count = 0;
  for (const word of words) {
    hash ^= Math.imul(rotateLeft(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);
    hash = (Math.imul(rotateLeft(hash, 13), 5) + 0xe6546b64) | 0;
    count++;
  }
  return finalise(hash ^ (count * 4));
}

function finalise(word: number): number {
  let hash = word;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function splitMix32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    return finalise(state);
  };
}
