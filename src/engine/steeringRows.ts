/** From steering terms to what a forward step takes: dense offsets by layer and row, and which tokens they apply to. */
import { SteerscopeError } from "../shared/errors.ts";
import { isSteered } from "../shared/scope.ts";
import type { Steering } from "../shared/engineContract.ts";
import type { ModelSession, RowSteering } from "./session.ts";

/** Checks layers and widths. Throws VectorMismatch. */
export function checkSteering(steering: Steering, layers: number, hidden: number): void {
  for (const { layer, vector, strength } of steering.terms) {
    if (!Number.isInteger(layer) || layer < 0 || layer >= layers) {
      throw new SteerscopeError(
        "VectorMismatch",
        `Layer ${layer} does not exist: this model has layers 0 to ${layers - 1}.`,
        {
          remedy: "Choose a layer of this model.",
        },
      );
    }
    if (vector.length !== hidden) {
      throw new SteerscopeError(
        "VectorMismatch",
        `The vector is ${vector.length} wide, but this model's residual stream is ${hidden} wide.`,
        {
          remedy: "Use a vector that was computed on this model.",
        },
      );
    }
    if (!Number.isFinite(strength)) {
      throw new SteerscopeError("InvalidRequest", `The strength ${strength} is not a number.`);
    }
  }
}

/** Rows of a batch that have no effect share one dense tensor; `rows` are the steerings of the batch, null = unsteered. */
export class SteeringRows {
  readonly #session: ModelSession;
  readonly #rows: readonly (Steering | null)[];
  readonly #promptLength: number;
  readonly #offsets: RowSteering["offsets"] | null;

  constructor(session: ModelSession, rows: readonly (Steering | null)[], promptLength: number) {
    this.#session = session;
    this.#rows = rows;
    this.#promptLength = promptLength;
    this.#offsets = rows.some(hasEffect) ? this.#dense() : null;
  }

  #dense(): RowSteering["offsets"] {
    const { layers, hidden } = this.#session;
    const count = this.#rows.length;
    const values = new Float32Array(layers * count * hidden);
    this.#rows.forEach((steering, row) => {
      for (const { layer, vector, strength } of steering?.terms ?? []) {
        const at = (layer * count + row) * hidden;
        for (let i = 0; i < hidden; i++) values[at + i]! += strength * vector[i]!;
      }
    });
    return this.#session.steeringTensor(values, count);
  }

  /** Steering of `tokens` tokens of each row, the first of which is token `start` of its text. */
  at(start: number, tokens: number): RowSteering | null {
    if (this.#offsets === null) return null;
    const mask = new Float32Array(this.#rows.length * tokens);
    this.#rows.forEach((steering, row) => {
      if (!hasEffect(steering)) return;
      for (let t = 0; t < tokens; t++) {
        if (isSteered(steering.scope, start + t, this.#promptLength)) mask[row * tokens + t] = 1;
      }
    });
    return { offsets: this.#offsets, mask };
  }
}

/** Whether a steering changes anything at all. */
export function hasEffect(steering: Steering | null): steering is Steering {
  if (steering === null) return false;
  return steering.terms.some(({ strength, vector }) => strength !== 0 && vector.some((value) => value !== 0));
}
