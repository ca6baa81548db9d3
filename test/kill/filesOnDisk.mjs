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
 * right: the old state or the new one, whole. `vectors`: for each that was confirmed, the names of which it has one.
 */
export function expectedFiles(lines) {
  const texts = new Set();
  const begunTexts = new Set();
  let vectors = [];
  for (const { state, action, isDone } of lines) {
    if (state === "begin" && action.kind === "add") begunTexts.add(action.text);
    // Until its end is written down, and for ever if it is not, a renaming may have happened or not.
    if (state === "begin" && action.kind === "renameVector") {
      vectors = vectors.map((names) => (names.includes(action.from) ? [...names, action.to] : names));
    }
    if (state !== "end" || !isDone) continue;
    if (action.kind === "add") texts.add(action.text);
    if (action.kind === "compute") vectors.push([action.name]);
    if (action.kind === "renameVector") {
      vectors = vectors.map((names) => (names.includes(action.to) ? [action.to] : names));
    }
  }
  return { texts, begunTexts, vectors };
}

/** Fails where a set or vector file is torn, missing, doubled, or lacks what was confirmed. */
export function checkFiles(workspace, expected) {
  checkSets(join(workspace, ".steering/sets"), expected);
  checkVectors(join(workspace, ".steering/vectors"), expected);
}

function checkSets(folder, { texts, begunTexts }) {
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
  for (const text of added) expect(begunTexts).toContain(text);
}

function checkVectors(folder, { vectors }) {
  const files = visible(folder);
  for (const names of vectors) {
    const found = names.filter((name) => files.includes(`${name}.safetensors`));
    expect(found, `the vector ${names.join(" or ")}`).toHaveLength(1);
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
