/**
 * npm run pictures [-- name ...]
 *
 * Takes the pictures of docs/guide.md from a real VS Code and writes them to docs/images/guide (with names: those alone; all
 * steps are done in any case, because each picture shows what the steps before it have made). Run it by hand when what they show changes.
 */
import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openExtensionWindow } from "./extension-window.mjs";
import { root } from "./install.mjs";
import {
  activeEditor as editor,
  chord,
  openContainer,
  openFile,
  placeOf,
  runCommand,
  until,
} from "./workbench.mjs";

const target = join(root, "docs/images/guide");
const size = [1100, 880];
const sideBarWidth = 400;
const limitBytes = 120_000;
const wanted = process.argv.slice(2);
/** Nothing in a picture that is not what it is about. */
const settings = {
  "editor.minimap.enabled": false,
  "editor.occurrencesHighlight": "off",
  "editor.renderLineHighlight": "none",
  "editor.lightbulb.enabled": "off",
  "window.commandCenter": false,
  "workbench.layoutControl.enabled": false,
  "workbench.editor.editorActionsLocation": "hidden",
  "workbench.editor.empty.hint": "hidden",
  "breadcrumbs.enabled": false,
};
/** No models of this machine. */
const env = { HF_HUB_CACHE: join(root, ".cache/no-models") };
/** A set with things to correct, for the picture of what the editor says of them. */
const weatherSet = `{"label": "positive", "text": "The sun shone on the hill.", "pair": "hill"}
{"label": "negative", "text": "Rain fell on the hill all day.", "pair": "hill"}
{"label": "positive", "text": "A warm wind came from the south.", "pair": "wind"},
{"label": "negative", "text": "A cold wind came from the north.", "pair": "wind"}
{"label": "positive", "text": "The sky was blue at last.", "pair": "sky"}
{"label": "negative", "text": "The sky was grey again.", "pair": "sky"}
{"label": "positive", "text": "The sun shone on the hill."}
`;

/** Names in VS Code's list, and classes by which it marks the kind of theme. */
const themeMarks = {
  dark: { label: "Dark Modern", mark: "vs-dark" },
  light: { label: "Light Modern", mark: "vs" },
  hc: { label: "Dark High Contrast", mark: "hc-black" },
};

const setFile = (name) => `.steering/sets/${name}.jsonl`;
const settle = (page) => page.waitForTimeout(700);
const away = (page) => page.mouse.move(size[0] - 4, size[1] / 2);

const editorText = (page) => page.locator(`${editor} .view-lines`).innerText();
const sideBar = (page) => page.locator(".part.sidebar");
const quickInput = (page) => page.locator(".quick-input-widget");
const item = (page, view, name) => page.getByRole("tree", { name: view }).getByRole("treeitem", { name });

/** Opens or closes a view of the side bar. */
async function fold(page, name, isOpen) {
  const header = sideBar(page).locator(".pane-header", { hasText: name });
  if ((await header.getAttribute("aria-expanded")) !== String(isOpen)) await header.click();
}

async function setSideBar(page, isVisible) {
  await runCommand(page, "View: Toggle Primary Side Bar Visibility");
  await sideBar(page).waitFor({ state: isVisible ? "visible" : "hidden" });
  await settle(page);
}

async function cursorsOnLines(page, count) {
  await page.keyboard.press("Control+Home");
  for (let line = 1; line < count; line++) await page.keyboard.press("Shift+Alt+ArrowDown");
  await page.keyboard.press("Shift+End");
}

/** Types into the quick input that asks `question`, and accepts. */
async function answer(page, question, text) {
  await quickInput(page).getByText(question).first().waitFor();
  if (text !== undefined) await page.keyboard.type(text);
  await page.keyboard.press("Enter");
}

async function clearNotifications(page) {
  await runCommand(page, "Notifications: Clear All Notifications");
  await settle(page);
}

/** What holds all of `parts`, locators or boxes, with a margin, inside the window. */
async function around(parts, margin = 0) {
  const boxes = await Promise.all(parts.map((part) => ("boundingBox" in part ? part.boundingBox() : part)));
  const least = (values, most) => Math.max(0, Math.min(...values.map((value) => value - margin), most));
  const x = least(
    boxes.map((box) => box.x),
    size[0],
  );
  const y = least(
    boxes.map((box) => box.y),
    size[1],
  );
  const right = Math.min(size[0], Math.max(...boxes.map((box) => box.x + box.width)) + margin);
  const bottom = Math.min(size[1], Math.max(...boxes.map((box) => box.y + box.height)) + margin);
  return { x, y, width: right - x, height: bottom - y };
}

async function picture(page, name, clip) {
  if (wanted.length > 0 && !wanted.includes(name)) return;
  await settle(page);
  const path = join(target, `${name}.png`);
  // Without the blinking cursor two runs take the same picture.
  await page.screenshot({ path, clip: await clip(), caret: "hide", animations: "disabled" });
  const { size: bytes } = statSync(path);
  console.log(`${path} ${Math.round(bytes / 1000)} KB`);
  if (bytes > limitBytes) process.exitCode = 1;
}

/** Chooses a colour theme as a person does, so that the window keeps its state. */
async function setTheme(page, name) {
  const { label, mark } = themeMarks[name];
  if (await page.locator(`.monaco-workbench.${mark}`).isVisible()) return;
  await page.keyboard.press("Control+K");
  await page.keyboard.press("Control+T");
  await quickInput(page).getByRole("option").first().waitFor();
  await page.keyboard.type(label);
  await page.locator(`.monaco-workbench.${mark}`).waitFor();
  await page.keyboard.press("Enter");
  await quickInput(page).waitFor({ state: "hidden" });
}

async function widen(page) {
  const { x, width, y, height } = await sideBar(page).boundingBox();
  await page.mouse.move(x + width, y + height / 2);
  await page.mouse.down();
  await page.mouse.move(x + sideBarWidth, y + height / 2, { steps: 5 });
  await page.mouse.up();
  await away(page);
}

const steps = {
  async "multi-cursor"({ page }) {
    await setTheme(page, "light");
    await fold(page, "Vectors", false);
    await fold(page, "Models", false);
    await item(page, "Examples", /^Example set happy-sad/).click();
    await page.keyboard.press("ArrowLeft");
    await runCommand(page, "Steering: New Example Set");
    await answer(page, "Name of the new example set", "scenes");
    await item(page, "Examples", /^Example set scenes/).waitFor();
    await openFile(page, "quiet-scenes.txt");
    await cursorsOnLines(page, 8);
    const { x, y } = await placeOf(page, "watched");
    await page.mouse.click(x, y, { button: "right" });
    await page.getByRole("menuitem", { name: "Add as Positive Example" }).hover();
    await picture(page, "multi-cursor", async () => {
      const { x: left, y: top, width } = await page.locator(editor).boundingBox();
      return { x: left, y: top, width, height: 400 };
    });
    await page.keyboard.press("Enter");
    await item(page, "Examples", /8 positive/).waitFor();
    await openFile(page, "loud-scenes.txt");
    await cursorsOnLines(page, 8);
    await chord(page, "N");
    await item(page, "Examples", /8 negative/).waitFor();
  },
  async examples({ page }) {
    await setTheme(page, "dark");
    await runCommand(page, "View: Close All Editors");
    for (const side of [/^Positive examples of scenes/, /^Negative examples of scenes/]) {
      const row = item(page, "Examples", side);
      if ((await row.getAttribute("aria-expanded")) !== "true") await row.click();
    }
    const first = item(page, "Examples", /^Positive example: The lake/);
    await first.click();
    await item(page, "Examples", /^Negative example: The sea/).click({ modifiers: ["Control"] });
    await first.click({ button: "right" });
    await page.getByRole("menuitem", { name: "Pair Examples" }).hover();
    await picture(page, "examples", async () => {
      const all = await around([sideBar(page), page.locator(editor)]);
      const last = await item(page, "Examples", /^Negative example: /)
        .last()
        .boundingBox();
      return { ...all, height: last.y + last.height + 8 - all.y };
    });
    await page.keyboard.press("Enter");
    await item(page, "Examples", /p1/).first().waitFor();
    await clearNotifications(page);
  },
  async "set-file"({ page, workspace }) {
    await setTheme(page, "light");
    writeFileSync(join(workspace, setFile("weather")), weatherSet);
    await openFile(page, setFile("weather"));
    await page.getByText("3 pairs").or(page.getByText("2 pairs")).first().waitFor();
    await page.locator(`${editor} .squiggly-error`).first().waitFor();
    const { x, y } = await placeOf(page, "south");
    await page.mouse.click(x, y);
    await page.keyboard.press("Control+.");
    await page.getByText("Remove the comma at the end").waitFor();
    await picture(page, "set-file", async () => {
      const { x: left, y: top, width } = await page.locator(editor).boundingBox();
      return { x: left, y: top, width, height: 220 };
    });
    await page.keyboard.press("Escape");
    await runCommand(page, "View: Close All Editors");
    rmSync(join(workspace, setFile("weather")));
  },
  async compute({ page }) {
    await setTheme(page, "dark");
    await fold(page, "Vectors", true);
    await fold(page, "Models", true);
    await chord(page, "C");
    await quickInput(page).getByText("Compute Steering Vector: scenes").waitFor();
    await quickInput(page)
      .getByRole("option", { name: /^stories15M/ })
      .click();
    await quickInput(page).getByText("Difference of means", { exact: true }).waitFor();
    await away(page);
    await picture(page, "compute", () => around([quickInput(page)]));
    for (const step of ["2/", "3/", "4/", "5/"]) {
      await quickInput(page).getByText(step).waitFor();
      await page.keyboard.press("Enter");
    }
    await item(page, "Vectors", /scenes/).waitFor();
    await clearNotifications(page);
    await runCommand(page, "Steering: Use Example Set");
    await answer(page, "happy-sad", "happy-sad");
    await chord(page, "C");
    await answer(page, "Compute with the default settings");
    await item(page, "Vectors", /happy-sad/).waitFor();
    await settle(page);
    await clearNotifications(page);
  },
  async vector({ page }) {
    await setTheme(page, "light");
    await item(page, "Vectors", /happy-sad/).click();
    const view = page.frameLocator("iframe.webview").frameLocator("#active-frame");
    await view.getByText("Stability").first().waitFor();
    // The table is as wide as the window.
    await setSideBar(page, false);
    await away(page);
    await picture(page, "vector", async () => {
      const { x, y, width } = await page.locator(editor).boundingBox();
      return { x, y, width, height: 566 };
    });
    await setSideBar(page, true);
    await runCommand(page, "View: Close All Editors");
  },
  async strength({ page }) {
    await setTheme(page, "dark");
    await item(page, "Vectors", /scenes/).click();
    await runCommand(page, "Steering: Negate Vector");
    await item(page, "Vectors", /not-scenes/).waitFor();
    await fold(page, "Examples", false);
    await fold(page, "Models", false);
    await item(page, "Vectors", /happy-sad/).click();
    await runCommand(page, "View: Close All Editors");
    await runCommand(page, "Steering: Set Layer and Strength");
    await quickInput(page).locator("input").first().fill("3 -2");
    await quickInput(page).getByText("of the residual norm").waitFor();
    await away(page);
    await picture(page, "strength", async () => {
      const all = await around([sideBar(page), quickInput(page)]);
      const last = await item(page, "Vectors", /./).last().boundingBox();
      return { ...all, height: last.y + last.height + 24 - all.y };
    });
    await page.keyboard.press("Enter");
    await page.locator(".statusbar-item", { hasText: /happy-sad@3/ }).waitFor();
  },
  async inspect({ page }) {
    await setTheme(page, "hc");
    await openFile(page, "story.txt");
    await setSideBar(page, false);
    await page.keyboard.press("Control+A");
    await chord(page, "I");
    await page.locator(".statusbar-item", { hasText: /happy-sad, layer/ }).waitFor();
    await page.keyboard.press("Control+End");
    await settle(page);
    const { x, y } = await placeOf(page, "broke");
    await page.mouse.move(x, y);
    await page.locator(".monaco-hover:visible", { hasText: "projection on" }).waitFor();
    await picture(page, "inspect", async () => {
      const { x: left, y: top, width } = await page.locator(editor).boundingBox();
      return { x: left, y: top, width, height: 370 };
    });
    await away(page);
    await chord(page, "X");
    await setSideBar(page, true);
  },
  async generate({ page }) {
    await setTheme(page, "dark");
    const before = await editorText(page);
    await page.keyboard.press("Control+End");
    await page.keyboard.press("Backspace");
    await chord(page, "G");
    let text = "";
    await until(async () => {
      const last = text;
      await page.waitForTimeout(2_000);
      text = await editorText(page);
      return text === last && text.length > before.length;
    }, "the text is complete");
    await clearNotifications(page);
    await page.setViewportSize({ width: size[0], height: 440 });
    await runCommand(page, "View: Toggle Word Wrap");
    await picture(page, "generate", () => around([page.locator(".monaco-workbench")]));
    await page.setViewportSize({ width: size[0], height: size[1] });
    await runCommand(page, "File: Revert File");
    await settle(page);
  },
  async models({ page }) {
    await setTheme(page, "light");
    await runCommand(page, "View: Close All Editors");
    await fold(page, "Vectors", false);
    await fold(page, "Models", true);
    await item(page, "Models", /^stories15M/).click({ button: "right" });
    const menu = page.locator(".context-view .monaco-menu");
    await page.getByRole("menuitem", { name: "Test Model" }).hover();
    await picture(page, "models", async () => {
      const all = await around([sideBar(page), menu]);
      const list = await around([item(page, "Models", /./).last(), menu], 12);
      return { ...all, height: list.y + list.height - all.y };
    });
    await page.keyboard.press("Escape");
    await away(page);
  },
  async status({ page }) {
    await setTheme(page, "dark");
    await runCommand(page, "Steering: Show Status");
    await quickInput(page).getByText("Copy Diagnostics").waitFor();
    await away(page);
    await picture(page, "status", () => around([quickInput(page)]));
    await page.keyboard.press("Escape");
  },
};

const untrusted = {
  async untrusted({ page }) {
    await setTheme(page, "light");
    await page.getByRole("button", { name: "Manage Workspace Trust" }).first().waitFor();
    await item(page, "Models", /^stories15M/).waitFor();
    await page.setViewportSize({ width: size[0], height: 560 });
    await settle(page);
    await picture(page, "untrusted", () => around([sideBar(page)]));
  },
};

async function takeAll(list, options) {
  const window = await openExtensionWindow({ size, server: { settings, env, ...options } });
  const { page } = window;
  try {
    await openContainer(page, "Steering");
    await sideBar(page).locator(".pane-header", { hasText: "Examples" }).waitFor();
    await widen(page);
    for (const [name, step] of Object.entries(list)) {
      try {
        await step(window);
      } catch (error) {
        const failed = join(root, ".cache", `guide-${name}-failed.png`);
        await page.screenshot({ path: failed });
        throw new Error(`The step "${name}" failed; ${failed} shows where.`, { cause: error });
      }
    }
  } finally {
    await window.close();
  }
}

const unknown = wanted.filter((name) => !(name in steps) && !(name in untrusted));
if (unknown.length > 0) {
  console.error(`There is no picture ${unknown.join(", ")}.`);
  process.exit(2);
}
mkdirSync(target, { recursive: true });
await takeAll(steps);
await takeAll(untrusted, { trust: false });
