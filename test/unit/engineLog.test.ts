import { expect, test } from "vitest";
import { EngineLogReader, type EngineLogLine } from "../../src/client/engineLog.ts";

function linesOf(...chunks: readonly string[]): EngineLogLine[] {
  const lines: EngineLogLine[] = [];
  const reader = new EngineLogReader((line) => lines.push(line));
  for (const chunk of chunks) reader.read(chunk);
  reader.end();
  return lines;
}

test("levels are those of onnxruntime's letters, of Node's warnings, and info for the rest", () => {
  const output = [
    "2026-11-24 00:00:00.0 [W:onnxruntime:, session_state.cc:1166 Verify] Some nodes were not assigned",
    "2026-11-24 00:00:00.0 [E:onnxruntime:Default, env.cc:254] pthread_setaffinity_np failed",
    "2026-11-24 00:00:00.0 [V:onnxruntime:, graph.cc:1] detail",
    "(node:12) ExperimentalWarning: something",
    "(node:12) Warning: something",
    "Error: it broke",
    "plain words",
  ].join("\n");
  expect(linesOf(output).map(({ level }) => level)).toEqual([
    "warn",
    "error",
    "debug",
    "warn",
    "warn",
    "error",
    "info",
  ]);
});

test("lines come whole, whatever the chunks, without colours, control characters and empty lines", () => {
  const lines = linesOf("\u001b[0;93mfir", "st\u001b[m\r\n\r\n", "sec\u0007ond\nthird");
  expect(lines.map(({ text }) => text)).toEqual(["first", "second", "third"]);
});

test("output without a line end is not kept for ever", () => {
  const lines: EngineLogLine[] = [];
  const reader = new EngineLogReader((line) => lines.push(line));
  for (let chunk = 0; chunk < 100; chunk++) reader.read("x".repeat(1000));
  expect(lines.length).toBeGreaterThan(5);
  expect(Math.max(...lines.map(({ text }) => text.length))).toBeLessThanOrEqual(10_000);
});
