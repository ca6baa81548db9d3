/** What a person does in a VS Code window, for Playwright: open, choose a command, select text. */
import { noWelcome, workbenchUrl } from "./vscode-server.mjs";

const limitMilliseconds = 60_000;

export const themes = {
  dark: "Default Dark Modern",
  light: "Default Light Modern",
  hc: "Default High Contrast",
  hcl: "Default High Contrast Light",
};

/** What holds the editor that has or had the focus last. */
export const activeEditor = ".editor-group-container.active";

/** Repeats `read` until it gives something true. */
export async function until(read, what, milliseconds = 40_000) {
  const end = Date.now() + milliseconds;
  for (;;) {
    const value = await read();
    if (value) return value;
    if (Date.now() > end) throw new Error(`It did not happen: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Opens a window on `workspace` and waits until the explorer shows it. */
export async function openWorkbench(browser, server, { workspace, size = [1400, 900] }) {
  const page = await browser.newPage({ viewport: { width: size[0], height: size[1] } });
  page.setDefaultTimeout(30_000);
  await page.goto(workbenchUrl(server, workspace, noWelcome));
  await page.locator(".monaco-workbench").waitFor({ timeout: limitMilliseconds });
  await page.locator(".explorer-folders-view .monaco-list").first().waitFor({ timeout: limitMilliseconds });
  return page;
}

/** Runs a command by its title in the command palette, by keyboard. */
export async function runCommand(page, title) {
  const end = Date.now() + limitMilliseconds;
  const list = page.locator(".quick-input-list .monaco-list-row.focused", { hasText: title });
  for (;;) {
    await page.keyboard.press("F1");
    const input = page.locator(".quick-input-widget input").first();
    await input.waitFor();
    await input.fill(`>${title}`);
    try {
      await list.first().waitFor({ timeout: 2_000 });
      await page.keyboard.press("Enter");
      return;
    } catch (error) {
      // The list does not refresh when an extension comes late: open it again.
      if (Date.now() > end) throw error;
      await page.keyboard.press("Escape");
    }
  }
}

/** Chords of this extension: Control+Alt+S, then `key`. */
export async function chord(page, key) {
  await page.keyboard.press("Control+Alt+S");
  await page.keyboard.press(key);
}

/** Opens a file of the workspace through "Go to File", by keyboard. */
export async function openFile(page, path) {
  const name = path.split("/").at(-1);
  const end = Date.now() + limitMilliseconds;
  for (;;) {
    await page.keyboard.press("Control+P");
    const input = page.locator(".quick-input-widget input").first();
    await input.waitFor();
    await input.fill(path);
    try {
      await page
        .locator(".quick-input-list .monaco-list-row.focused", { hasText: name })
        .first()
        .waitFor({ timeout: 3_000 });
      break;
    } catch (error) {
      if (Date.now() > end) throw error;
      await page.keyboard.press("Escape");
    }
  }
  await page.keyboard.press("Enter");
  // The tab is there before its editor takes keys, and an editor that was open has the focus back late.
  await page.locator(".quick-input-widget").waitFor({ state: "hidden" });
  await page.locator(`.monaco-editor.focused[data-uri$="${encodeURI(name)}"]`).waitFor();
}

/** Opens the side bar's part of an extension, by its name in the activity bar. */
export async function openContainer(page, name) {
  const tab = page.locator(".activitybar").getByRole("tab", { name, exact: true });
  await tab.waitFor();
  if ((await tab.getAttribute("aria-selected")) !== "true") await tab.click();
}

/** Middle of the first `text` in the lines that the active editor paints; its spaces are U+00A0 there. */
export function placeOf(page, text) {
  return until(
    () =>
      page.evaluate(
        ([within, wanted]) => {
          const lines = document.querySelector(`${within} .view-lines`);
          if (lines === null) return null;
          const walker = document.createTreeWalker(lines, NodeFilter.SHOW_TEXT);
          for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
            const at = node.data.replaceAll("\u00a0", " ").indexOf(wanted);
            if (at < 0) continue;
            const range = document.createRange();
            range.setStart(node, at);
            range.setEnd(node, at + wanted.length);
            const box = range.getBoundingClientRect();
            return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
          }
          return null;
        },
        [activeEditor, text],
      ),
    `"${text}" is painted`,
  );
}
