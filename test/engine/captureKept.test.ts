/** A capture that is stopped keeps what it has finished, and the next one goes on from there. */
import { beforeAll, expect, it } from "vitest";
import { useTestEngine } from "./support/engine.ts";

const test = useTestEngine();
beforeAll(() => test.call("load", { model: "stories15m" }));

const names = ["Lily", "Tom", "Mia", "Ben", "Sue", "Max", "Amy", "Tim", "Sam", "Ann"];
const things = ["a red ball", "an old hat", "the big tree", "his small dog", "her new kite"];
const inputs = names.flatMap((name) =>
  things.map((thing) => ({ text: `${name} went out to play in the park one day and found ${thing} there.` })),
);
const request = {
  inputs,
  template: "none",
  position: { kind: "mean" },
  withEmbedding: false,
} as const;

it("keeps finished rows when it is cancelled", async () => {
  const stop = new AbortController();
  const stopped = test.call("capture", request, {
    signal: stop.signal,
    onProgress: (progress) => {
      if (progress.kind === "step" && progress.done > progress.total / 2) stop.abort();
    },
  });
  await expect(stopped).rejects.toMatchObject({ kind: "Cancelled" });
  const rest = await test.call("capture", request);
  expect(rest.tokens.fromCache).toBeGreaterThan(0);
  expect(rest.tokens.fromCache).toBeLessThan(inputs.length);

  await test.call("clearCaches", undefined);
  const whole = await test.call("capture", request);
  expect(whole.tokens.fromCache).toBe(0);
  const largest = whole.activations.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const deviation = whole.activations.reduce(
    (most, value, i) => Math.max(most, Math.abs(value - rest.activations[i]!)),
    0,
  );
  expect(deviation / largest).toBeLessThan(1e-6);
});
