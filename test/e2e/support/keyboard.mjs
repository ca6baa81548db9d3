/** What a person without a pointer does in the views and the context menus. */
import { runCommand, until } from "../../../scripts/workbench.mjs";

/** More than a view or a menu has. */
const maximumSteps = 60;

export async function focusView(page, name) {
  // A view that is still empty cannot take the focus.
  await until(async () => {
    await runCommand(page, `Steering: Focus on ${name} View`);
    return page
      .locator(`.monaco-list[role=tree][aria-label^="${name}"]:focus`)
      .waitFor({ timeout: 1000 })
      .then(
        () => true,
        () => false,
      );
  }, `the view ${name} has the focus`);
}

/** Walks down a view that has the focus, opening what is closed, until an item's label matches. */
export async function focusItem(page, view, label) {
  const read = () =>
    page.evaluate(() => document.activeElement?.querySelector(".monaco-list-row.focused")?.ariaLabel ?? "");
  await page.keyboard.press("Home");
  for (let step = 0; step < maximumSteps; step++) {
    const before = await read();
    if (label.test(before)) return;
    await page.keyboard.press("ArrowRight");
    await page.waitForTimeout(60);
    if ((await read()) === before) await page.keyboard.press("ArrowDown");
  }
  throw new Error(`No item of ${view} is ${label}.`);
}

const menu = (page) => page.locator(".context-view .monaco-menu");

async function openMenu(page) {
  await until(async () => {
    await page.keyboard.press("Shift+F10");
    return menu(page)
      .waitFor({ timeout: 1000 })
      .then(
        () => true,
        () => false,
      );
  }, "a menu opens");
}

/** The entries of the context menu of what has the focus. */
export async function menuEntries(page) {
  await openMenu(page);
  const names = await menu(page).locator(".action-label:not(.separator)").allInnerTexts();
  await page.keyboard.press("Escape");
  await menu(page).waitFor({ state: "hidden" });
  return names.map((name) => name.trim());
}

/** Chooses an entry of that menu by arrow keys. */
export async function chooseInMenu(page, name) {
  await openMenu(page);
  const chosen = menu(page).locator(".action-item.focused", { hasText: name });
  for (let step = 0; (await chosen.count()) === 0; step++) {
    if (step === maximumSteps) throw new Error(`The menu has no entry ${name}.`);
    await page.keyboard.press("ArrowDown");
  }
  await page.keyboard.press("Enter");
  await menu(page).waitFor({ state: "hidden" });
}
