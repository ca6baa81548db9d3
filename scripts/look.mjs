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
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { openExtensionWindow } from "./extension-window.mjs";
import { openContainer, openFile, runCommand, themes } from "./workbench.mjs";

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

const { page, close } = await openExtensionWindow({
  size: values.size.split("x").map(Number),
  ...(values.vsix === undefined ? {} : { vsix: resolve(values.vsix) }),
  ...(values.workspace === undefined ? {} : { workspace: resolve(values.workspace) }),
  server: { settings: { "workbench.colorTheme": themes[values.theme] } },
});
try {
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
  await close();
}
