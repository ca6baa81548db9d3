import { expect, test } from "vitest";
import type { Memento } from "vscode";
import { rememberModel, withMemory } from "../../src/host/modelMemory.ts";
import { nothingKnown, type ModelEntry } from "../../src/host/modelScan.ts";

function memento(): Memento {
  const values = new Map<string, unknown>();
  return {
    keys: () => [...values.keys()],
    get: <T>(key: string, otherwise?: T) => (values.get(key) ?? otherwise) as T,
    update: (key: string, value: unknown) => {
      values.set(key, structuredClone(value));
      return Promise.resolve();
    },
  };
}

const entry: ModelEntry = {
  ...nothingKnown,
  reference: "/models/tiny",
  name: "tiny",
  origin: "folder",
  folder: "/models/tiny",
  bytes: 1000,
};

test("precision and self-test of a model that was loaded are known from then on", async () => {
  const memory = memento();
  expect(withMemory(memory, entry)).toBe(entry);
  await rememberModel(memory, entry, { precision: "q4", selfTest: true });
  expect(withMemory(memory, entry)).toEqual({ ...entry, precision: "q4", selfTest: true });
});

test("other files under the same name are another model", async () => {
  const memory = memento();
  await rememberModel(memory, entry, { precision: "q4", selfTest: true });
  for (const other of [
    { ...entry, bytes: 1001 },
    { ...entry, commit: "0".repeat(40) },
  ])
    expect(withMemory(memory, other)).toBe(other);
});

test("a model that its self-test refused keeps the precision that its name tells", async () => {
  const memory = memento();
  const named = { ...entry, precision: "q8" };
  await rememberModel(memory, named, { precision: null, selfTest: false });
  expect(withMemory(memory, named)).toEqual({ ...named, selfTest: false });
});

test("the oldest of very many are forgotten", async () => {
  const memory = memento();
  const named = (number: number): ModelEntry => ({ ...entry, reference: `/models/m${number}` });
  for (let number = 0; number < 201; number++) {
    await rememberModel(memory, named(number), { precision: "fp32", selfTest: true });
  }
  expect(withMemory(memory, named(0)).selfTest).toBeNull();
  expect(withMemory(memory, named(1)).selfTest).toBe(true);
  expect(withMemory(memory, named(200)).selfTest).toBe(true);
});
