import { SteerscopeError } from "../../shared/errors.ts";

export interface TridiagonalEigen {
  /** In no order. */
  readonly values: Float64Array;
  /** [size, size]: column k belongs to values[k]. */
  readonly vectors: Float64Array;
}

/**
 * Eigenvalues and orthonormal eigenvectors of a small symmetric tridiagonal matrix: implicit QL with Wilkinson shifts
 * (Bowdler, Martin, Reinsch and Wilkinson 1968, procedure tql2). `off[i]` couples i and i + 1. Arguments stay as they
 * are.
 */
export function tridiagonalEigen(diagonal: readonly number[], off: readonly number[]): TridiagonalEigen {
  const size = diagonal.length;
  const values = Float64Array.from(diagonal);
  const coupling = Float64Array.from({ length: size }, (_, i) => (i < size - 1 ? off[i]! : 0));
  const vectors = new Float64Array(size * size);
  for (let i = 0; i < size; i++) vectors[i * size + i] = 1;
  for (let low = 0; low < size; low++) {
    // Quadratic to cubic convergence; two or three rounds are usual.
    for (let round = 0; ; round++) {
      let high = low;
      while (high < size - 1) {
        const scale = Math.abs(values[high]!) + Math.abs(values[high + 1]!);
        if (Math.abs(coupling[high]!) <= Number.EPSILON * scale) break;
        high++;
      }
      if (high === low) break;
      if (round === 60) throw new SteerscopeError("Internal", "The QL iteration does not converge.");
      sweep(values, coupling, vectors, low, high);
    }
  }
  return { values, vectors };
}

function sweep(
  values: Float64Array,
  coupling: Float64Array,
  vectors: Float64Array,
  low: number,
  high: number,
): void {
  const size = values.length;
  const half = (values[low + 1]! - values[low]!) / (2 * coupling[low]!);
  const root = Math.hypot(half, 1);
  let g = values[high]! - values[low]! + coupling[low]! / (half + (half < 0 ? -root : root));
  let sine = 1;
  let cosine = 1;
  let shift = 0;
  for (let i = high - 1; i >= low; i--) {
    const f = sine * coupling[i]!;
    const b = cosine * coupling[i]!;
    const r = Math.hypot(f, g);
    coupling[i + 1] = r;
    if (r === 0) {
      // The matrix has split; what is left converges in the next round.
      values[i + 1]! -= shift;
      coupling[high] = 0;
      return;
    }
    sine = f / r;
    cosine = g / r;
    g = values[i + 1]! - shift;
    const t = (values[i]! - g) * sine + 2 * cosine * b;
    shift = sine * t;
    values[i + 1] = g + shift;
    g = cosine * t - b;
    for (let row = 0; row < size; row++) {
      const place = row * size + i;
      const right = vectors[place + 1]!;
      const left = vectors[place]!;
      vectors[place + 1] = sine * left + cosine * right;
      vectors[place] = cosine * left - sine * right;
    }
  }
  values[low]! -= shift;
  coupling[low] = g;
  coupling[high] = 0;
}
