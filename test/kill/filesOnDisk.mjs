/** What must be true of the files in a workspace at every moment, whatever was killed. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { examplesOf, parseExampleSet } from "../../src/formats/exampleSet.ts";
import { parseVectorFile } from "../../src/formats/vectorFile.ts";

const setNames = ["happy-sad", "renamed"];
/** The sample workspace's own examples. */
const firstExamples = 24;

/**
 * What ought to be on disk, from what the driver wrote down. Of an action that had begun and not ended both outcomes are
 * right: the old state or the new one, whole.
 */
export function expectedFiles(lines) {
  const texts = new Set();
  const openTexts = new Set();
  const vectors = new Set();
  let open;
  for (const line of lines) {
    if (line.state === "ready") open = undefined;
    if (line.state === "begin") open = line.action;
    if (line.state === "begin" && line.action.kind === "add") openTexts.add(line.action.text);
    if (line.state !== "end") continue;
    open = undefined;
    const { action, isDone } = line;
    if (!isDone) continue;
    if (action.kind === "add") texts.add(action.text);
    if (action.kind === "compute") vectors.add(action.name);
    if (action.kind === "renameVector") {
      vectors.delete(action.from);
      vectors.add(action.to);
    }
  }
  return { texts, openTexts, vectors, open };
}

/** Fails where a set or vector file is torn, missing, doubled, or lacks what was confirmed. */
export function checkFiles(workspace, expected) {
  checkSets(join(workspace, ".steering/sets"), expected);
  checkVectors(join(workspace, ".steering/vectors"), expected);
}

function checkSets(folder, { texts, openTexts }) {
  const files = visible(folder);
  expect(files, "the set under its old name or its new one").toHaveLength(1);
  expect(setNames.map((name) => `${name}.jsonl`)).toContain(files[0]);
  const content = readFileSync(join(folder, files[0]), "utf8");
  expect(content.endsWith("\n"), "the last line is complete").toBe(true);
  const set = parseExampleSet(content, "set");
  expect(set.problems.filter(({ severity }) => severity === "error")).toEqual([]);
  const found = examplesOf(set).map(({ example }) => example.text);
  expect(new Set(found).size, "no example twice").toBe(found.length);
  for (const text of texts) expect(found).toContain(text);
  const added = found.filter((text) => text.startsWith("Text "));
  expect(found.length - added.length, "the examples from before").toBe(firstExamples);
  for (const text of added) expect(openTexts).toContain(text);
}

function checkVectors(folder, { vectors, open }) {
  const files = visible(folder);
  const names = new Set(files.map((file) => file.replace(/\.safetensors$/, "")));
  for (const name of vectors) {
    // A rename that was under way may have happened.
    const isMoved = open?.kind === "renameVector" && open.from === name && names.has(open.to);
    expect(names.has(name) !== isMoved, `${name} under its old name or its new one`).toBe(true);
  }
  for (const file of files) {
    expect(file).toMatch(/\.safetensors$/);
    const {
      layers,
      hidden,
      present,
      vectors: numbers,
      provenance,
    } = parseVectorFile(readFileSync(join(folder, file)));
    expect([layers, hidden, present.length, numbers.length], `${file} is complete`).toEqual([
      6,
      288,
      6,
      6 * 288,
    ]);
    expect(numbers.every(Number.isFinite)).toBe(true);
    expect(provenance?.measures).toHaveLength(layers);
  }
}

/** Hidden names are temporary files and locks, which nothing takes for sets or vectors. */
function visible(folder) {
  try {
    return readdirSync(folder).filter((name) => !name.startsWith("."));
  } catch (error) {
    // Before the first vector there is no folder.
    if (error.code === "ENOENT") return [];
    throw error;
  }
}
