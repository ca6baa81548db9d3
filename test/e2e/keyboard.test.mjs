/**
 * Everything that a pointer can do to examples, vectors, models and texts, without one: keys of the editor, the focus in the
 * views, the context menus of their items. The pointer is not touched.
 */
import { describe, expect, it } from "vitest";
import { chord, openFile, runCommand, until } from "../../scripts/workbench.mjs";
import {
  acceptProposals,
  examples,
  newExampleSet,
  paintedText,
  selectLineByKeyboard,
  textColours,
  vectorFiles,
} from "./support/editor.mjs";
import { chooseInMenu, focusItem, focusView, menuEntries } from "./support/keyboard.mjs";
import { skipAfterFailure, useWindow } from "./support/steps.mjs";

const set = "a-keys";

describe("without a pointer", () => {
  const window = useWindow("dark", "keyboard");
  skipAfterFailure();

  const side = (label) => examples(window.workspace, set, label).map(({ text }) => text);
  const counts = () => [side("positive").length, side("negative").length].join(" ");

  it("adds examples by keys and by the editor's menu", async () => {
    const { page } = window;
    await openFile(page, "quiet-scenes.txt");
    await focusView(page, "Examples");
    await focusItem(page, "Examples", /^Example set happy-sad/);
    await newExampleSet(page, set);
    for (const [file, key, entry, byKey, byMenu] of [
      ["quiet-scenes.txt", "P", "Add as Positive Example", "1 0", "2 0"],
      ["loud-scenes.txt", "N", "Add as Negative Example", "2 1", "2 2"],
    ]) {
      await openFile(page, file);
      await selectLineByKeyboard(page, 1);
      await chord(page, key);
      await until(() => counts() === byKey, `an example by ${key}`);
      await selectLineByKeyboard(page, 2);
      await chooseInMenu(page, entry);
      await until(() => counts() === byMenu, `an example by the menu's ${entry}`);
    }
  });

  it("moves an example to the other side and back, and removes one, by the menu of its item", async () => {
    const { page } = window;
    const [first] = side("positive");
    const item = new RegExp(first.slice(0, 20));
    await focusView(page, "Examples");
    await focusItem(page, "Examples", item);
    expect(await menuEntries(page)).toEqual(
      expect.arrayContaining(["Move Example to Other Side", "Remove Example", "Go to Origin of Example"]),
    );
    await chooseInMenu(page, "Move Example to Other Side");
    await until(() => counts() === "1 3", "it is on the other side");
    await focusView(page, "Examples");
    await focusItem(page, "Examples", item);
    await chooseInMenu(page, "Move Example to Other Side");
    await until(() => counts() === "2 2", "it is back");
    const [, second] = side("negative");
    await focusItem(page, "Examples", new RegExp(second.slice(0, 20)));
    await chooseInMenu(page, "Remove Example");
    await until(() => counts() === "2 1", "it is removed");
  });

  it("computes by the menu of the set", async () => {
    const { page, workspace } = window;
    await focusView(page, "Examples");
    await focusItem(page, "Examples", new RegExp(`^Example set ${set}`));
    await chooseInMenu(page, "Compute Steering Vector");
    await acceptProposals(page, () => vectorFiles(workspace).length === 1);
  });

  it("switches the vector on by the space bar, and sets its strength by the menu", async () => {
    const { page } = window;
    await focusView(page, "Vectors");
    await focusItem(page, "Vectors", new RegExp(set));
    const box = page.getByRole("tree", { name: /Vectors/ }).getByRole("checkbox");
    await page.keyboard.press("Space");
    await until(() => box.isChecked(), "the box is checked");
    await page.keyboard.press("Space");
    await until(async () => !(await box.isChecked()), "the box is not checked");
    await chooseInMenu(page, "Set Layer and Strength");
    await page.locator(".quick-input-widget:focus-within input").waitFor();
    await page.keyboard.press("Control+A");
    await page.keyboard.type("3 2.5");
    await page.keyboard.press("Enter");
    await page.locator(".statusbar-item", { hasText: `2.5*${set}@3` }).waitFor();
    expect(await box.isChecked()).toBe(true);
  });

  it("inspects a text in all of its editors, and clears them all", async () => {
    const { page } = window;
    await openFile(page, "story.txt");
    await page.keyboard.press("Control+A");
    await chord(page, "I");
    await until(async () => (await textColours(page)).length > 2, "tokens have colours");
    await page.keyboard.press("Control+\\");
    const groups = page.locator(".editor-group-container");
    await until(async () => (await groups.count()) === 2, "the editor is split");
    await until(async () => (await textColours(page)).length > 2, "the new editor has colours");
    await window.picture("keyboard-split");
    await page.keyboard.press("Control+1");
    await until(async () => (await textColours(page)).length > 2, "the first one still has them");
    await chord(page, "X");
    await until(async () => (await textColours(page)).length === 0, "they are gone here");
    await page.keyboard.press("Control+2");
    await until(async () => (await textColours(page)).length === 0, "and there");
    await runCommand(page, "View: Join All Editor Groups");
    await until(async () => (await groups.count()) === 1, "one editor is left");
  });

  it("goes on at the cursor, and takes it back", async () => {
    const { page } = window;
    await openFile(page, "story.txt");
    const before = await paintedText(page);
    await page.keyboard.press("Control+End");
    await chord(page, "G");
    await until(async () => (await paintedText(page)).length > before.length + 20, "text is written");
    await page.locator(".notifications-toasts .notification-list-item").first().waitFor({ state: "hidden" });
    await page.keyboard.press("Control+Z");
    await until(async () => (await paintedText(page)) === before, "the text is as it was");
  });

  it("finds what can be done to models in the menus of their items", async () => {
    const { page } = window;
    await focusView(page, "Models");
    await focusItem(page, "Models", /gpt2|GPT-2/i);
    expect(await menuEntries(page)).toContain("Download Model");
    await focusItem(page, "Models", /stories/i);
    expect(await menuEntries(page)).toContain("Unload Model");
    await chooseInMenu(page, "Unload Model");
    await until(async () => (await menuEntries(page)).includes("Load Model"), "it is unloaded");
  });
});
