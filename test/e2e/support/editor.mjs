/** What the end-to-end tests do in a VS Code window and what they read from it. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { placeOf, runCommand } from "../../../scripts/workbench.mjs";

/** The examples of one side in a set file, in order. */
export function examples(workspace, set, label) {
  const file = join(workspace, ".steering/sets", `${set}.jsonl`);
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line)).filter((example) => example.label === label);
}

/** Makes a set, which is the active one then: the view says so. */
export async function newExampleSet(page, name) {
  await runCommand(page, "Steering: New Example Set");
  await page.getByText("Name of the new example set").waitFor();
  await page.keyboard.type(name);
  await page.keyboard.press("Enter");
  await page.locator(".pane-header", { hasText: "Examples" }).getByText(name).waitFor();
}

export function vectorFiles(workspace) {
  const folder = join(workspace, ".steering/vectors");
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".safetensors")) : [];
}

/** Selects the line that begins with `start`, as a triple click does, and gives the place of the click. */
export async function selectLineByMouse(page, start) {
  const place = await placeOf(page, start);
  await page.mouse.click(place.x, place.y, { clickCount: 3 });
  await page.locator(".statusbar-item", { hasText: "selected" }).waitFor();
  return place;
}

/** Goes to line `number` (1-based) and selects its text, by keyboard. */
export async function selectLineByKeyboard(page, number) {
  await page.keyboard.press("Control+Home");
  for (let line = 1; line < number; line++) await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Home");
  await page.keyboard.press("Shift+End");
  await page.locator(".statusbar-item", { hasText: "selected" }).waitFor();
}

/** Answers quick picks and input boxes with what they propose until `isDone`; how many there were. */
export async function acceptProposals(page, isDone) {
  // With the focus in it: one that fades away is visible still, and keys go to the editor.
  const widget = page.locator(".quick-input-widget:focus-within");
  let answered = 0;
  const end = Date.now() + 120_000;
  while (!(await isDone())) {
    expect(Date.now(), "time for the quick picks").toBeLessThan(end);
    // While a step is being prepared its list is empty or busy; Enter does nothing then.
    if (await widget.isVisible()) {
      await page.keyboard.press("Enter");
      answered++;
    }
    await page.waitForTimeout(400);
  }
  return answered;
}

/** Text of the active editor as VS Code copies it would be long-winded: what is painted, lines joined. */
export function paintedText(page) {
  return page.evaluate(() => {
    const lines = [...document.querySelectorAll(".editor-group-container.active .view-lines .view-line")];
    lines.sort((a, b) => parseFloat(a.style.top) - parseFloat(b.style.top));
    return lines.map((line) => line.textContent.replaceAll("\u00a0", " ")).join("\n");
  });
}

/** How many different background colours decorations give to text in the active editor. */
export function textColours(page) {
  return page.evaluate(() => {
    const root = document.querySelector(".editor-group-container.active .overflow-guard");
    const colours = new Set();
    for (const element of root?.querySelectorAll(".cdr, .view-line span span") ?? []) {
      const colour = getComputedStyle(element).backgroundColor;
      if (colour !== "rgba(0, 0, 0, 0)" && !/selected-text|current-line|[hH]ighlight/.test(element.className))
        colours.add(colour);
    }
    return [...colours];
  });
}
