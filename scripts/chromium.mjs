/**
 * A Chromium for tests and screenshots: the one named by CHROMIUM, one that the system has, else the one that the npm
 * package @sparticuz/chromium carries, unpacked once into .cache/chromium.
 */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { root, runNode, seconds } from "./install.mjs";

const systemPaths = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const cache = join(root, ".cache");
const unpacked = join(cache, "chromium");
const fontsFile = join(unpacked, "fonts.conf");
/** The package's own file names folders of another machine; a Chromium that finds no font at all crashes. */
const fontsConfig = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${join(unpacked, "fonts")}</dir>
  <dir>/usr/share/fonts</dir>
  <dir>/usr/local/share/fonts</dir>
  <cachedir>${join(unpacked, "fonts-cache")}</cachedir>
</fontconfig>
`;

/** Starts a Chromium without a window. Throws where none can be had. */
export async function launchChromium() {
  return chromium.launch({
    ...findChromium(),
    headless: true,
    // Containers: no sandbox for root, little shared memory, no graphics card.
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
  });
}

function findChromium() {
  const installed = [process.env.CHROMIUM, ...systemPaths].find(
    (path) => path !== undefined && existsSync(path),
  );
  if (installed !== undefined) return { executablePath: installed };
  if (!existsSync(join(unpacked, "chromium"))) unpackChromium();
  return {
    executablePath: join(unpacked, "chromium"),
    // The package brings the libraries that a bare machine lacks, and fonts.
    env: {
      ...process.env,
      LD_LIBRARY_PATH: [join(unpacked, "al2023/lib"), process.env.LD_LIBRARY_PATH].filter(Boolean).join(":"),
      FONTCONFIG_FILE: fontsFile,
    },
  };
}

function unpackChromium() {
  console.log("Unpacking Chromium into .cache/chromium; this takes some ten seconds, once.");
  const started = Date.now();
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "chromium-"));
  const code = `import("@sparticuz/chromium").then(({ default: chromium }) => chromium.executablePath())`;
  // It unpacks into the temporary folder, and its libraries only where it takes the machine for one of Amazon's.
  const env = { ...process.env, TMPDIR: folder, AWS_LAMBDA_JS_RUNTIME: "nodejs20.x" };
  if (!runNode("-e", [code], { env })) throw new Error("Chromium could not be unpacked from its package.");
  writeFileSync(join(folder, "fonts.conf"), fontsConfig);
  try {
    renameSync(folder, unpacked);
  } catch (error) {
    // Another run was faster.
    rmSync(folder, { recursive: true, force: true });
    if (!existsSync(join(unpacked, "chromium"))) throw error;
  }
  console.log(`Unpacked in ${seconds(started)}.`);
}
