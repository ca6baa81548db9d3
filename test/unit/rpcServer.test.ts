import { expect, test, vi } from "vitest";
import type { AsyncEngine, JobContext } from "../../src/engine/asyncEngine.ts";
import { throwIfCancelled } from "../../src/engine/asyncEngine.ts";
import { serve, unreadableId } from "../../src/engine/server.ts";
import { engineMethods, type EngineAnswer } from "../../src/shared/engineContract.ts";

/** An engine whose `load` waits to be told to go on; other methods answer with their request. */
function connect() {
  const answers: EngineAnswer[] = [];
  const started: unknown[] = [];
  let goOn: (() => void)[] = [];
  let deliver: (message: unknown) => void = () => undefined;
  const echo = (request: unknown): Promise<unknown> => Promise.resolve({ echo: request });
  const engine = {
    ...Object.fromEntries(engineMethods.map((method) => [method, echo])),
    load: async (request: unknown, { signal, progress }: JobContext) => {
      started.push(request);
      progress({ kind: "step", stage: "load", done: 0, total: 1, unit: "model" });
      await new Promise<void>((resolve) => goOn.push(resolve));
      throwIfCancelled(signal);
      if (request === "throw") throw new TypeError("broken");
      if (request === "unclonable") return () => 0;
      return { loaded: request };
    },
  } as unknown as AsyncEngine;
  serve(
    {
      send: (answer) => {
        answers.push(structuredClone(answer));
      },
      onMessage: (listener) => {
        deliver = listener;
      },
    },
    engine,
  );
  return {
    answers,
    started,
    send: (message: unknown) => {
      deliver(message);
    },
    finishOne: async () => {
      await vi.waitFor(() => {
        expect(goOn).not.toHaveLength(0);
      });
      const [first, ...rest] = goOn;
      goOn = rest;
      first!();
    },
    answerTo: (id: number) =>
      vi.waitFor(() => {
        const found = answers.filter((answer) => answer.id === id && answer.type !== "progress");
        expect(found).toHaveLength(1);
        return found[0]!;
      }),
  };
}

const load = (id: number, request: unknown): object => ({ type: "call", id, method: "load", request });

test("one job at a time, in order; hello and describe out of turn", async () => {
  const { send, started, finishOne, answerTo, answers } = connect();
  send(load(1, "a"));
  send(load(2, "b"));
  send({ type: "call", id: 3, method: "tokenize", request: "c" });
  send({ type: "call", id: 4, method: "hello" });
  send({ type: "call", id: 5, method: "describe" });
  await answerTo(4);
  await answerTo(5);
  expect(started).toEqual(["a"]);
  await finishOne();
  expect(await answerTo(1)).toMatchObject({ value: { loaded: "a" } });
  await finishOne();
  expect(await answerTo(3)).toMatchObject({ value: { echo: "c" } });
  expect(answers.filter(({ type }) => type === "result").map(({ id }) => id)).toEqual([4, 5, 1, 2, 3]);
});

test("progress carries the id of its job", async () => {
  const { send, answers, finishOne, answerTo } = connect();
  send(load(9, "a"));
  await finishOne();
  await answerTo(9);
  expect(answers[0]).toMatchObject({ type: "progress", id: 9, progress: { stage: "load" } });
});

test("cancel takes a waiting job out of the queue and signals the running one", async () => {
  const { send, started, finishOne, answerTo } = connect();
  send(load(1, "a"));
  send(load(2, "b"));
  send({ type: "cancel", id: 2 });
  expect(await answerTo(2)).toMatchObject({ type: "error", error: { kind: "Cancelled" } });
  send({ type: "cancel", id: 1 });
  send({ type: "cancel", id: 1 });
  send({ type: "cancel", id: 77 });
  await finishOne();
  expect(await answerTo(1)).toMatchObject({ error: { kind: "Cancelled" } });
  send(load(3, "c"));
  await finishOne();
  expect(await answerTo(3)).toMatchObject({ type: "result" });
  expect(started).toEqual(["a", "c"]);
});

test.each([
  ["an exception", "throw", "broken"],
  ["a value that cannot be sent", "unclonable", "could not be cloned"],
])("%s is an answer, and the queue goes on", async (_, request, message) => {
  const { send, finishOne, answerTo } = connect();
  send(load(1, request));
  send(load(2, "a"));
  await finishOne();
  expect(await answerTo(1)).toMatchObject({
    error: { kind: "Internal", message: expect.stringContaining(message) as string },
  });
  await finishOne();
  expect(await answerTo(2)).toMatchObject({ type: "result" });
});

test.each([
  [undefined],
  [null],
  ["call"],
  [{}],
  [{ type: "call" }],
  [{ type: "call", id: "1", method: "load" }],
  [{ type: "call", id: -1, method: "load" }],
  [{ type: "call", id: 0.5, method: "load" }],
])("a malformed message (%j) is answered under the id that nobody uses", async (message) => {
  const { send, answerTo } = connect();
  send(message);
  expect(await answerTo(unreadableId)).toMatchObject({ error: { kind: "InvalidRequest" } });
});

test.each([["fly"], ["__proto__"], ["constructor"], [undefined], [{ toString: null }]])(
  "an unknown method (%j) is answered",
  async (method) => {
    const { send, answerTo } = connect();
    send({ type: "call", id: 1, method });
    expect(await answerTo(1)).toMatchObject({ type: "error" });
  },
);

test("an id that is open is not opened again", async () => {
  const { send, answers, finishOne } = connect();
  send(load(1, "a"));
  send(load(1, "b"));
  await finishOne();
  await vi.waitFor(() => {
    expect(answers.filter(({ type }) => type !== "progress")).toMatchObject([
      { id: 1, error: { kind: "InvalidRequest" } },
      { id: 1, value: { loaded: "a" } },
    ]);
  });
});
