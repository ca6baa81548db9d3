/** A VS Code window with the installed package on a copy of the sample workspace, and its pictures. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launchChromium } from "../../../scripts/chromium.mjs";
import { root } from "../../../scripts/install.mjs";
import { copySampleWorkspace } from "../../../scripts/sample-workspace.mjs";
import { startServer } from "../../../scripts/vscode-server.mjs";
import { openWorkbench, themes } from "../../../scripts/workbench.mjs";

const artifacts = join(root, "test-artifacts");

/** `{ page, workspace, picture(name), reopen(theme), close() }`; `theme` as in scripts/workbench.mjs. */
export async function openWindow(theme) {
  const workspace = mkdtempSync(join(tmpdir(), "steerscope-e2e-"));
  copySampleWorkspace(workspace);
  const server = await startServer({
    vsix: process.env.STEERSCOPE_VSIX,
    settings: { "workbench.colorTheme": themes[theme] },
  });
  const browser = await launchChromium();
  const page = await openWorkbench(browser, server, { workspace });
  return {
    workspace,
    page,
    async picture(name) {
      mkdirSync(artifacts, { recursive: true });
      await page.screenshot({ path: join(artifacts, `${name}.png`) });
    },
    async reopen(name) {
      const file = join(server.data, "user-data/User/settings.json");
      const settings = JSON.parse(readFileSync(file, "utf8"));
      writeFileSync(file, JSON.stringify({ ...settings, "workbench.colorTheme": themes[name] }));
      await page.reload();
    },
    async close() {
      await browser.close();
      await server.stop();
      rmSync(workspace, { recursive: true, force: true });
    },
  };
}
