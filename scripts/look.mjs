/**
 * node scripts/look.mjs OUT.png [step ...]
 *
 * Opens VS Code on a copy of the sample workspace with the extension as it is in the source, takes the steps in order, and saves a
 * picture: for looking at one's work, and for the pictures in the documentation. Steps:
 *   --theme dark|light|hc|hcl    (first)       --size 1400x900      (first)      --vsix FILE (first)      --workspace FOLDER (first)
 *   --command "Steering: Show Log"   through the palette
 *   --open path/in/workspace         --view Steering (an activity bar entry)
 *   --press Control+A   --type text  --click "visible text"   --right-click "visible text"   --hover "visible text"
 *   --wait milliseconds              --shot OTHER.png
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { launchChromium } from "./chromium.mjs";
import { ensureInstalled, root } from "./install.mjs";
import { copySampleWorkspace } from "./sample-workspace.mjs";
import { stageExtension } from "./test-bundles.mjs";
import { ensureVscodeHost } from "./vscode-host.mjs";
import { startServer } from "./vscode-server.mjs";
import { openContainer, openFile, openWorkbench, runCommand, themes } from "./workbench.mjs";

const steps = {
  command: runCommand,
  open: openFile,
  view: openContainer,
  press: (page, keys) => page.keyboard.press(keys),
  type: (page, text) => page.keyboard.type(text, { delay: 20 }),
  click: (page, text) => page.getByText(text).first().click(),
  "right-click": (page, text) => page.getByText(text).first().click({ button: "right" }),
  hover: (page, text) => page.getByText(text).first().hover(),
  wait: (page, milliseconds) => page.waitForTimeout(Number(milliseconds)),
  shot: (page, file) => page.screenshot({ path: resolve(file) }),
};
const several = { type: "string", multiple: true };
const { values, positionals, tokens } = parseArgs({
  allowPositionals: true,
  tokens: true,
  options: {
    theme: { type: "string", default: "dark" },
    size: { type: "string", default: "1400x900" },
    vsix: { type: "string" },
    workspace: { type: "string" },
    ...Object.fromEntries(Object.keys(steps).map((name) => [name, several])),
  },
});
const [output] = positionals;
if (output === undefined || !(values.theme in themes)) {
  console.error("Usage: node scripts/look.mjs OUT.png [--theme dark|light|hc|hcl] [step ...]");
  process.exit(2);
}
ensureInstalled();
if (!ensureVscodeHost()) process.exit(1);

mkdirSync(join(root, ".cache"), { recursive: true });
const folder = mkdtempSync(join(root, ".cache/look-"));
const ownWorkspace = mkdtempSync(join(tmpdir(), "steerscope-workspace-"));
process.once("exit", () => {
  for (const path of [folder, ownWorkspace]) rmSync(path, { recursive: true, force: true });
});
copySampleWorkspace(ownWorkspace);
const isDevelopment = values.vsix === undefined;
if (isDevelopment && !stageExtension(folder)) process.exit(1);
const server = await startServer({
  settings: { "workbench.colorTheme": themes[values.theme] },
  ...(isDevelopment ? {} : { vsix: resolve(values.vsix) }),
});
const browser = await launchChromium();
try {
  const page = await openWorkbench(browser, server, {
    workspace: values.workspace === undefined ? ownWorkspace : resolve(values.workspace),
    ...(isDevelopment ? { extension: folder } : {}),
    size: values.size.split("x").map(Number),
  });
  try {
    for (const { kind, name, value } of tokens) {
      if (kind === "option" && name in steps) await steps[name](page, value);
    }
    await page.waitForTimeout(500);
  } catch (error) {
    console.error(`A step failed; the picture shows where. ${error.message}`);
    process.exitCode = 1;
  }
  await page.screenshot({ path: resolve(output) });
  console.log(resolve(output));
} finally {
  await browser.close();
  await server.stop();
}
