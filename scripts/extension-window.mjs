/** A VS Code window with the extension on a copy of the sample workspace: for looking at one's work and for pictures. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launchChromium } from "./chromium.mjs";
import { ensureInstalled, root } from "./install.mjs";
import { copySampleWorkspace } from "./sample-workspace.mjs";
import { stageExtension } from "./test-bundles.mjs";
import { ensureVscodeHost } from "./vscode-host.mjs";
import { startServer } from "./vscode-server.mjs";
import { openWorkbench } from "./workbench.mjs";

/**
 * Options: `size`, [width, height]; `vsix`, a package to install in place of the source; `workspace`, a folder in place of the
 * copy; `server`, further options of `startServer`. Resolves with `{ page, server, workspace, close() }`. Ends the process
 * where something that it needs cannot be had.
 */
export async function openExtensionWindow({ size, vsix, workspace, server: options = {} } = {}) {
  ensureInstalled();
  if (!ensureVscodeHost()) process.exit(1);
  mkdirSync(join(root, ".cache"), { recursive: true });
  const folder = mkdtempSync(join(root, ".cache/look-"));
  const parent = mkdtempSync(join(tmpdir(), "steerscope-"));
  const remove = () => {
    for (const path of [folder, parent]) rmSync(path, { recursive: true, force: true });
  };
  process.once("exit", remove);
  // The folder's name is the window's title.
  const ownWorkspace = join(parent, "workspace");
  copySampleWorkspace(ownWorkspace);
  const isDevelopment = vsix === undefined;
  if (isDevelopment && !stageExtension(folder)) process.exit(1);
  const server = await startServer({ ...options, ...(isDevelopment ? { extension: folder } : { vsix }) });
  const browser = await launchChromium();
  const opened = workspace ?? ownWorkspace;
  const close = async () => {
    await browser.close();
    await server.stop();
    remove();
  };
  try {
    const page = await openWorkbench(browser, server, { workspace: opened, size });
    return { page, server, workspace: opened, close };
  } catch (error) {
    await close();
    throw error;
  }
}
