import { describe, expect, it } from "vitest";
import { StopWatcher } from "../../src/engine/stopWatcher.ts";

function watcher(
  pieces: readonly string[],
  stop: readonly string[],
): { emitted: string[]; text: string; stopped: boolean } {
  let next = 0;
  const stream = { push: () => pieces[next++] ?? "", end: () => "" };
  const watch = new StopWatcher(stream, stop);
  const emitted: string[] = [];
  for (let i = 0; i < pieces.length && !watch.stopped; i++) emitted.push(watch.push(i));
  if (!watch.stopped) emitted.push(watch.end());
  return { emitted, text: watch.text, stopped: watch.stopped };
}

describe("StopWatcher", () => {
  it("passes text through without stop strings", () => {
    expect(watcher(["One", " day"], [])).toEqual({
      emitted: ["One", " day", ""],
      text: "One day",
      stopped: false,
    });
  });

  it("ends before a stop string that spans tokens", () => {
    expect(watcher(["The e", "n", "d. More"], ["end."])).toMatchObject({ text: "The ", stopped: true });
  });

  it("holds back what may begin a stop string and gives it out when it does not", () => {
    expect(watcher(["a\n", "b", "\n"], ["\n\n"])).toEqual({
      emitted: ["a", "\nb", "", "\n"],
      text: "a\nb\n",
      stopped: false,
    });
  });

  it("takes the earliest of several stop strings", () => {
    expect(watcher(["one two three"], ["three", "two"]).text).toBe("one ");
  });
});
