/** Which vectors are switched on, where and how strongly, as it is kept between sessions. */

export interface VectorSwitch {
  readonly on: boolean;
  /** null: the layer that the file suggests. */
  readonly layers: readonly number[] | null;
  readonly strength: number;
}

export const defaultSwitch: VectorSwitch = { on: false, layers: null, strength: 1 };

/** By path of the vector file in the workspace. */
export type VectorSwitches = Readonly<Record<string, VectorSwitch>>;

/** What is kept of files that are gone, so that a checkout and back restores it; the oldest go first. */
const maxSwitches = 1000;

/** Reads what an earlier version may have stored; what cannot be read is left out. */
export function readSwitches(stored: unknown): VectorSwitches {
  if (typeof stored !== "object" || stored === null) return {};
  return Object.fromEntries(
    Object.entries(stored).flatMap(([path, value]: [string, unknown]) => {
      if (typeof value !== "object" || value === null) return [];
      const { on, layers, strength } = value as Record<string, unknown>;
      const isList = Array.isArray(layers) && layers.length > 0 && layers.every(Number.isSafeInteger);
      const read: VectorSwitch = {
        on: on === true,
        layers: isList ? (layers as number[]) : null,
        strength: typeof strength === "number" && Number.isFinite(strength) ? strength : 1,
      };
      return [[path, read] as const];
    }),
  );
}

export function changeSwitch(
  switches: VectorSwitches,
  path: string,
  change: Partial<VectorSwitch>,
): VectorSwitches {
  const { [path]: old = defaultSwitch, ...others } = switches;
  const kept = Object.entries(others).slice(1 - maxSwitches);
  return { ...Object.fromEntries(kept), [path]: { ...old, ...change } };
}
