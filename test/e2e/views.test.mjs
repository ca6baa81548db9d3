/** The views by keyboard, and the questions of Compute Steering Vector with their way back, in a real VS Code with the installed package. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { chord, openContainer, runCommand, until } from "../../scripts/workbench.mjs";
import { examples, newExampleSet, vectorFiles } from "./support/editor.mjs";
import { useWindow } from "./support/steps.mjs";

const window = useWindow("dark", "views");
const tree = (view) => window.page.getByRole("tree", { name: new RegExp(view) });
const item = (view, name) => tree(view).getByRole("treeitem", { name });
/** A question, told by its title, its prompt or what stands in its empty box. */
function question(words) {
  const widget = window.page.locator(".quick-input-widget:focus-within");
  return widget.filter({ hasText: words }).or(widget.getByPlaceholder(words)).first();
}

async function pressUndo() {
  const { page } = window;
  await page.locator(".notifications-toasts").getByRole("button", { name: "Undo" }).first().click();
}

/** The `__metadata__` of a vector file. */
function provenance(name) {
  const bytes = readFileSync(join(window.workspace, ".steering/vectors", `${name}.safetensors`));
  const length = Number(bytes.readBigUInt64LE());
  return JSON.parse(bytes.subarray(8, 8 + length).toString())["__metadata__"];
}

async function isSelected(row) {
  return (await row.getAttribute("aria-selected")) === "true";
}

beforeAll(async () => {
  await openContainer(window.page, "Steering");
  await item("Examples", /^Example set happy-sad/).waitFor();
});

describe("Examples view", () => {
  it("selects a new set and its copy", async () => {
    await newExampleSet(window.page, "fresh");
    await until(() => isSelected(item("Examples", /^Example set fresh,.*active/)), "the new set is selected");
    await runCommand(window.page, "Steering: Duplicate Example Set");
    await question("Example set to duplicate").waitFor();
    await window.page.keyboard.press("Enter");
    await until(
      () => isSelected(item("Examples", /^Example set fresh-copy,.*active/)),
      "the copy is selected",
    );
  });

  it("removes the example with the focus, not the selected one, and brings it back", async () => {
    const { page, workspace } = window;
    const texts = () => examples(workspace, "happy-sad", "positive").map(({ text }) => text);
    const before = texts();
    const set = item("Examples", /^Example set happy-sad/);
    await set.click();
    if ((await set.getAttribute("aria-expanded")) === "false") await page.keyboard.press("ArrowRight");
    // The set, its positive side, its first example.
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    expect(await isSelected(set)).toBe(true);
    await page.keyboard.press("Delete");
    await until(() => texts().length === before.length - 1, "an example is removed");
    expect(texts()).toEqual(before.slice(1));
    await pressUndo();
    await until(() => texts().length === before.length, "it is back");
    expect(texts()).toEqual(before);
  });
});

describe("Compute Steering Vector", () => {
  it("goes back to earlier questions, and computes what was answered last", async () => {
    const { page, workspace } = window;
    await runCommand(page, "Steering: Use Example Set");
    await question("New examples go to this set").waitFor();
    await page.keyboard.type("happy-sad");
    await page.keyboard.press("Enter");
    await chord(page, "C");
    const place = (step) => question(`Compute Steering Vector: happy-sad (${step}/`);
    // The first that matches is "Compute with the default settings".
    const model = page
      .locator(".quick-input-list [role=option]", { hasText: /^(?!.*Compute with).*stories/i })
      .first();
    await place(1).waitFor();
    await page.keyboard.type("stories15m");
    await model.click();
    await place(2).waitFor();
    await window.picture("views-compute-method");
    await page.keyboard.type("repeng");
    await page.keyboard.press("Enter");
    await place(3).waitFor();
    await page.keyboard.press("Control+Alt+Minus");
    await place(2).waitFor();
    await page.getByRole("button", { name: "Back" }).click();
    await place(1).waitFor();
    await model.click();
    await place(2).waitFor();
    await page.keyboard.type("mean-difference");
    await page.keyboard.press("Enter");
    await place(3).waitFor();
    await page.keyboard.type("last-2");
    await page.locator(".quick-input-list [role=option]", { hasText: "Read at last-2" }).waitFor();
    await page.keyboard.press("Enter");
    await place(4).waitFor();
    if (await page.getByPlaceholder("How examples are given to the model").isVisible()) {
      await page.keyboard.press("Enter");
      await place(5).waitFor();
    }
    await question("Name of the vector").waitFor();
    await page.keyboard.press("Control+A");
    await page.keyboard.type("back");
    await page.keyboard.press("Enter");
    await until(() => vectorFiles(workspace).includes("back.safetensors"), "the vector is written");
    expect(provenance("back")).toMatchObject({ method: "mean-difference", read_position: "last-2" });
    await until(() => isSelected(item("Vectors", /Steering vector back/)), "the vector is selected");
  });
});

describe("Show Log", () => {
  it("shows what the engine did", async () => {
    const { page } = window;
    await runCommand(page, "Steering: Show Log");
    // Painted spaces are U+00A0.
    await page.locator(".part.panel .view-lines", { hasText: /Engine\sprocess\s\d+\sstarted/ }).waitFor();
    await window.picture("views-log");
    await runCommand(page, "View: Hide Panel");
  });
});

describe("Vectors view", () => {
  const box = (name) => item("Vectors", new RegExp(`Steering vector ${name},`)).getByRole("checkbox");

  it("Space switches the vector with the focus, selected or not, and opens nothing", async () => {
    const { page, workspace } = window;
    await runCommand(page, "Steering: Duplicate Vector");
    await until(() => isSelected(item("Vectors", /Steering vector back-2,/)), "the copy is selected");
    await runCommand(page, "View: Close All Editors");
    await runCommand(page, "Steering: Focus on Vectors View");
    await until(
      () => tree("Vectors").evaluate((node) => node.contains(document.activeElement)),
      "the view has the focus",
    );
    await page.keyboard.press("End");
    await page.keyboard.press("Space");
    await until(() => box("back-2").isChecked(), "the selected one is on");
    // The focus moves, the selection stays.
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Space");
    await until(() => box("back").isChecked(), "the one with the focus is on");
    expect(await box("back-2").isChecked()).toBe(true);
    expect(await isSelected(item("Vectors", /Steering vector back-2,/))).toBe(true);
    await page.keyboard.press("Space");
    await until(async () => !(await box("back").isChecked()), "it is off again");
    expect(await page.locator(".editor-group-container .tab").count()).toBe(0);
    await window.picture("views-space");
    await page.keyboard.press("Delete");
    await until(() => vectorFiles(workspace).length === 1, "the one with the focus is deleted");
    expect(vectorFiles(workspace)).toEqual(["back-2.safetensors"]);
    await pressUndo();
    await until(() => vectorFiles(workspace).length === 2, "it is back");
  });
});
