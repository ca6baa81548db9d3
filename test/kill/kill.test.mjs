/**
 * Kills the engine, the extension host and the whole server at random moments, while examples are added, sets and vectors renamed,
 * and vectors computed. After each, every file is the old one or the new one, complete. STEERSCOPE_KILLS: how many times;
 * STEERSCOPE_KILL_SEED: another sequence of moments.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { launchChromium } from "../../scripts/chromium.mjs";
import { root } from "../../scripts/install.mjs";
import { copySampleWorkspace } from "../../scripts/sample-workspace.mjs";
import { bundleForHost } from "../../scripts/test-bundles.mjs";
import { developmentExtension, noWelcome, startServer, workbenchUrl } from "../../scripts/vscode-server.mjs";
import { until } from "../../scripts/workbench.mjs";
import { SeededRandom } from "../../src/steering/random.ts";
import { checkFiles, expectedFiles } from "./filesOnDisk.mjs";

const kills = Number(process.env.STEERSCOPE_KILLS ?? 30);
const seed = Number(process.env.STEERSCOPE_KILL_SEED ?? 1);
const kinds = ["add", "renameSet", "compute", "renameVector"];
/** A little longer than each takes, so that all of it, and what comes after, is hit. */
const longestMilliseconds = { add: 20, renameSet: 20, compute: 600, renameVector: 20 };
/** Targets by how often; what takes long to come back is killed less often. */
const targets = ["engine", "engine", "engine", "host", "host", "server"];

const random = new SeededRandom(seed);
const folder = mkdtempSync(join(tmpdir(), "steerscope-kill-"));
const workspace = join(folder, "workspace");
const journal = join(folder, "journal.jsonl");
const driver = join(root, ".cache/kill");
let browser;
let page;
let server;

beforeAll(async () => {
  copySampleWorkspace(workspace);
  mkdirSync(join(folder, "data"));
  await bundleForHost([join(root, "test/kill/driver.ts")], driver);
  browser = await launchChromium();
  await startEverything(process.env.STEERSCOPE_VSIX);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
  rmSync(driver, { recursive: true, force: true });
});

it(`leaves whole files after ${kills} kills`, async () => {
  const killed = { engine: 0, host: 0, server: 0 };
  for (let kill = 0; kill < kills; kill++) {
    const target = targets[kill % targets.length];
    const kind = target === "engine" && kill % 2 === 0 ? "compute" : kinds[random.below(kinds.length)];
    const action = await nextBegin(kind);
    await pause(random.uniform() * longestMilliseconds[kind]);
    const context = `kill ${kill} of the ${target} during ${JSON.stringify(action)}, seed ${seed}`;
    try {
      await killAndCheck(target);
    } catch (error) {
      throw new Error(`${context}: ${error.message}`, { cause: error });
    }
    killed[target]++;
  }
  const lines = readJournal();
  const done = (kind) =>
    lines.filter(({ state, action, isDone }) => state === "end" && action.kind === kind && isDone);
  console.log(
    `Killed ${Object.entries(killed)
      .map(([target, times]) => `${target} ${times}x`)
      .join(", ")}; done meanwhile: ` + kinds.map((kind) => `${kind} ${done(kind).length}x`).join(", "),
  );
  // The test would prove nothing if the work between the kills had failed.
  for (const kind of kinds) expect(done(kind).length, `${kind} done`).toBeGreaterThan(0);
});

async function killAndCheck(target) {
  const lines = readJournal();
  const host = lines.findLast(({ state }) => state === "ready").host;
  const engine = lines.findLast(({ state }) => state === "engine")?.engine;
  if (target === "engine") {
    if (engine !== undefined) signal(engine, "SIGKILL");
    checkStandingStill();
    return;
  }
  if (target === "host") signal(host, "SIGKILL");
  else await server.kill();
  await until(() => !isAlive(host), "the extension host is gone");
  if (engine !== undefined)
    await until(() => !isAlive(engine), "the engine did not outlive its extension host");
  checkStandingStill();
  await page.close();
  if (target === "server") await startEverything();
  else await openPage();
}

/** Looks at the files while nobody works on them: files are renamed by the server, which may be alive still. */
function checkStandingStill() {
  signal(-server.pid, "SIGSTOP");
  try {
    checkFiles(workspace, expectedFiles(readJournal()));
  } finally {
    signal(-server.pid, "SIGCONT");
  }
}

async function startEverything(vsix) {
  server = await startServer({
    data: join(folder, "data"),
    isDriven: true,
    ...(vsix === undefined ? {} : { vsix }),
  });
  await openPage();
}

/** Each page gets an extension host of its own, in which the driver begins to work. */
async function openPage() {
  const before = countReady();
  page = await browser.newPage();
  // VS Code calls these two in a window with tests.
  for (const name of ["codeAutomationLog", "codeAutomationExit"]) {
    await page.exposeFunction(name, () => undefined);
  }
  const environment = { STEERSCOPE_KILL_JOURNAL: journal, STEERSCOPE_KILL_SEED: String(random.uint32()) };
  await page.goto(
    workbenchUrl(server, workspace, [
      developmentExtension(server, join(root, "test/carrier")),
      ["extensionTestsPath", `vscode-remote://${server.authority}${join(driver, "driver.js")}`],
      ["extensionEnvironment", JSON.stringify(environment)],
      ...noWelcome,
    ]),
  );
  await until(() => countReady() > before, "the driver works");
}

function countReady() {
  return readJournal().filter(({ state }) => state === "ready").length;
}

/** Waits until the driver begins something of this kind, and gives it. */
async function nextBegin(kind) {
  const seen = readJournal().length;
  const end = Date.now() + 60_000;
  for (;;) {
    const found = readJournal()
      .slice(seen)
      .find(({ state, action }) => state === "begin" && action.kind === kind);
    if (found !== undefined) return found.action;
    const stopped = readJournal()
      .slice(seen)
      .find(({ state }) => state === "stopped");
    if (stopped !== undefined) throw new Error(`The driver stopped: ${stopped.reason}`);
    if (Date.now() > end) throw new Error(`The driver begins no ${kind}.`);
    await pause(1);
  }
}

function readJournal() {
  if (!existsSync(journal)) return [];
  const text = readFileSync(journal, "utf8");
  // A line that is just being written, or whose writer was killed, does not count.
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return [];
      }
    });
}

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
