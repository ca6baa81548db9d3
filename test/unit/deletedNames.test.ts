import { expect, test } from "vitest";
import { deletedName, surplusNames } from "../../src/host/deletedNames.ts";

const time = (minute: number): Date => new Date(Date.UTC(2026, 0, 2, 3, minute));

test("two of one name at one moment have names of their own", () => {
  const first = deletedName("a b.jsonl", time(4), []);
  expect(first).toBe("2026-01-02T03-04-00-000Z a b.jsonl");
  expect(deletedName("a b.jsonl", time(4), [first])).toBe("2026-01-02T03-04-00-000Z-2 a b.jsonl");
});

test("the newest are kept, and what others put there", () => {
  const names = [5, 4, 7, 6].map((minute) => deletedName("x.jsonl", time(minute), []));
  const all = ["notes.txt", ...names];
  expect(surplusNames(all, 3)).toEqual([names[1]]);
  expect(surplusNames(all, 4)).toEqual([]);
  expect(surplusNames(all, 0)).toEqual([...names].sort());
});
