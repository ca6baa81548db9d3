/**
 * The main job in a real VS Code with the installed package: examples from the editor, a vector, coloured tokens, steered text.
 * Pictures of each stage are kept in test-artifacts/.
 */
import { describe, expect, it } from "vitest";
import { chord, openContainer, openFile, runCommand, until } from "../../scripts/workbench.mjs";
import {
  acceptProposals,
  examples,
  newExampleSet,
  paintedText,
  selectLineByKeyboard,
  selectLineByMouse,
  textColours,
  vectorFiles,
} from "./support/editor.mjs";
import { skipAfterFailure, useWindow } from "./support/steps.mjs";

const exampleCount = 10;
const stories = { positive: "quiet-scenes.txt", negative: "loud-scenes.txt" };
const keys = { positive: "P", negative: "N" };
/** Classes by which VS Code marks the kind of theme. */
const themeClasses = { light: "vs", hc: "hc-black", hcl: "hc-light", dark: "vs-dark" };
const menuEntries = { positive: "Add as Positive Example", negative: "Add as Negative Example" };

describe.each([
  { way: "mouse and keyboard", theme: "dark", hasMouse: true },
  { way: "keyboard alone", theme: "light", hasMouse: false },
])("$way, $theme theme", ({ theme, hasMouse }) => {
  const run = `${hasMouse ? "mouse" : "keyboard"}-${theme}`;
  const name = (stage) => `${run}-${stage}`;
  const window = useWindow(theme, run);
  skipAfterFailure();

  it("makes an example set", async () => {
    const { page } = window;
    if (hasMouse) await openContainer(page, "Steering");
    else await runCommand(page, "Steering: Focus on Examples View");
    await page.getByRole("treeitem", { name: /^Example set happy-sad/ }).waitFor();
    await newExampleSet(page, "scenes");
  });

  it.each(["positive", "negative"])("adds ten %s examples", async (side) => {
    const { page, workspace } = window;
    const added = () => examples(workspace, "scenes", side).length;
    await openFile(page, stories[side]);
    for (let line = 1; line <= exampleCount; line++) {
      if (line === 1 && hasMouse) {
        const [first] = (await paintedText(page)).split("\n");
        const place = await selectLineByMouse(page, first.slice(0, 20));
        await page.mouse.click(place.x, place.y, { button: "right" });
        const entry = page.getByRole("menuitem", { name: menuEntries[side] });
        await entry.hover();
        await window.picture(name(`menu-${side}`));
        await entry.click();
      } else {
        await selectLineByKeyboard(page, line);
        await chord(page, keys[side]);
      }
      await until(() => added() === line, `example ${line} is in the file`);
    }
    await window.picture(name(`examples-${side}`));
  });

  it("computes a vector, which the view shows", async () => {
    const { page, workspace } = window;
    await chord(page, "C");
    await page.locator(".quick-input-widget").waitFor();
    await window.picture(name("compute"));
    await acceptProposals(page, () => vectorFiles(workspace).length === 1);
    const vector = vectorFiles(workspace)[0].replace(/\.safetensors$/, "");
    const item = page
      .getByRole("tree", { name: /Vectors/ })
      .getByRole("treeitem", { name: new RegExp(vector) });
    await item.waitFor();
    await window.picture(name("vector"));
  });

  it("colours the tokens of a selection, and clears them", async () => {
    const { page } = window;
    await openFile(page, "story.txt");
    await page.keyboard.press("Control+A");
    expect(await textColours(page)).toEqual([]);
    await chord(page, "I");
    await until(async () => (await textColours(page)).length > 2, "tokens have colours");
    await page.keyboard.press("Control+Home");
    await window.picture(name("inspect"));
    await chord(page, "X");
    await until(async () => (await textColours(page)).length === 0, "the colours are gone");
  });

  it.runIf(hasMouse)("colours tokens in every theme", async () => {
    const { page } = window;
    for (const [other, bodyClass] of Object.entries(themeClasses)) {
      await window.reopen(other);
      await page.locator(`.monaco-workbench.${bodyClass}`).waitFor();
      await page
        .getByRole("tree", { name: /Vectors/ })
        .getByRole("treeitem", { name: /scenes/ })
        .waitFor();
      await openFile(page, "story.txt");
      await page.keyboard.press("Control+A");
      await chord(page, "I");
      await until(async () => (await textColours(page)).length > 2, `tokens have colours in ${other}`);
      await page.keyboard.press("Control+Home");
      await window.picture(`theme-${other}`);
    }
  });

  it("switches the vector on", async () => {
    const { page } = window;
    const item = page
      .getByRole("tree", { name: /Vectors/ })
      .getByRole("treeitem")
      .first();
    const box = item.getByRole("checkbox");
    if (hasMouse) {
      await box.click();
    } else {
      await runCommand(page, "Steering: Switch Vector On or Off");
      await acceptProposals(page, () => box.isChecked());
    }
    await until(() => box.isChecked(), "the box is checked");
    await page.locator(".statusbar-item", { hasText: /\*scenes@/ }).waitFor();
    await window.picture(name("on"));
  });

  it("continues a text at the cursor, steered; one undo takes it back", async () => {
    const { page } = window;
    await openFile(page, "story.txt");
    const before = await paintedText(page);
    await page.keyboard.press("Control+End");
    await chord(page, "G");
    await acceptProposals(page, async () => (await paintedText(page)).length > before.length);
    await until(async () => {
      const text = await paintedText(page);
      await page.waitForTimeout(2_000);
      return text === (await paintedText(page));
    }, "the text is complete");
    await window.picture(name("generate"));
    expect((await paintedText(page)).length).toBeGreaterThan(before.length + 20);
    await page.keyboard.press("Control+Z");
    await until(async () => (await paintedText(page)) === before, "the text is as it was");
  });
});
