/** Starts and stops the VS Code server on a loopback port, with data of its own. */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { vscodeNode, vscodeServer } from "./vscode-host.mjs";
import { quietSettings, untrustedSettings } from "./vscode-settings.mjs";

const startLimitMilliseconds = 60_000;

/** Servers that run: none outlives this process. */
const running = new Set();
process.once("exit", () => {
  for (const pid of running) killGroup(pid);
});
for (const [signal, number] of Object.entries({ SIGINT: 2, SIGTERM: 15, SIGHUP: 1 })) {
  process.once(signal, () => process.exit(128 + number));
}

function killGroup(pid) {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

/**
 * Options: `data`, a folder for user data and extensions that is kept (default: a temporary one); `settings`, merged over the
 * quiet ones; `vsix`, a package to install first; `extension`, a folder to take as installed; `trust: false` for workspaces that
 * are not trusted; `isDriven` for windows that take a development extension or tests from their address, and show no toasts;
 * `port`, 0 for a free one; `defaultFolder`, for addresses that name none; `env`. Resolves with `{ url, authority, pid, data, stop(), kill() }` when the server listens.
 */
export async function startServer({
  data,
  settings = {},
  vsix,
  extension,
  trust = true,
  isDriven = false,
  port = 0,
  defaultFolder,
  env = {},
} = {}) {
  const folder = data ?? mkdtempSync(join(tmpdir(), "steerscope-vscode-"));
  const userData = join(folder, "user-data");
  const extensions = join(folder, "extensions");
  mkdirSync(join(userData, "User"), { recursive: true });
  mkdirSync(extensions, { recursive: true });
  // Where no list is kept yet, VS Code takes up what it finds in the folder.
  if (extension !== undefined) symlinkSync(extension, join(extensions, basename(extension)), "dir");
  const settingsFile = join(userData, "User/settings.json");
  // Data that are kept may hold a person's own settings by now.
  if (!existsSync(settingsFile)) {
    const all = { ...quietSettings, ...(trust ? {} : untrustedSettings), ...settings };
    writeFileSync(settingsFile, `${JSON.stringify(all, null, 2)}\n`);
  }

  const childEnv = {
    ...process.env,
    // A device id would be left under ~/.cache.
    XDG_CACHE_HOME: join(folder, "cache"),
    // No marketplace, so that nothing waits for one.
    EXTENSIONS_GALLERY: "{}",
    ...env,
  };
  // From a terminal inside VS Code these would point at that VS Code.
  for (const name of Object.keys(childEnv)) {
    if (/^VSCODE_IPC_HOOK|^ELECTRON_/.test(name)) delete childEnv[name];
  }
  const common = [
    vscodeServer,
    "--accept-server-license-terms",
    ...["--telemetry-level", "off", "--user-data-dir", userData, "--extensions-dir", extensions],
  ];
  if (vsix !== undefined) {
    execFileSync(vscodeNode, [...common, "--install-extension", vsix, "--force"], {
      env: childEnv,
      stdio: "pipe",
    });
  }
  const child = spawn(
    vscodeNode,
    [
      ...common,
      ...["--host", "127.0.0.1", "--port", String(port), "--without-connection-token"],
      ...(trust ? ["--disable-workspace-trust"] : []),
      ...(defaultFolder === undefined ? [] : ["--default-folder", defaultFolder]),
      // A built VS Code ignores development extensions and tests in addresses without it.
      ...(isDriven ? ["--enable-smoke-test-driver"] : []),
    ],
    // A process group of its own: an extension host that is still starting outlives its server.
    { env: childEnv, stdio: ["ignore", "pipe", "pipe"], detached: true },
  );
  running.add(child.pid);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const cleanUp = () => {
    killGroup(child.pid);
    running.delete(child.pid);
    if (data === undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  };
  try {
    const listening = await portOf(child);
    return {
      url: `http://127.0.0.1:${listening}`,
      authority: `127.0.0.1:${listening}`,
      pid: child.pid,
      data: folder,
      async stop() {
        child.kill("SIGTERM");
        const forced = setTimeout(() => killGroup(child.pid), 5_000);
        await ended;
        clearTimeout(forced);
        cleanUp();
      },
      /** The whole process group at once, as a power cut would. */
      async kill() {
        killGroup(child.pid);
        await ended;
        cleanUp();
      },
    };
  } catch (error) {
    cleanUp();
    throw error;
  }
}

function portOf(child) {
  let output = "";
  return new Promise((resolve, reject) => {
    const fail = (what) => reject(new Error(`The VS Code server ${what}.\n${output}`));
    const timer = setTimeout(() => fail("did not start in time"), startLimitMilliseconds);
    const read = (text) => {
      if (output.length < 100_000) output += text;
      const found = /Extension host agent listening on (\d+)/.exec(output);
      if (found === null) return;
      clearTimeout(timer);
      resolve(Number(found[1]));
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.once("exit", (code) => {
      clearTimeout(timer);
      fail(`ended with ${code}`);
    });
  });
}

/** The address of a workbench on `folder`; `payload`: pairs of what VS Code takes from it, e.g. a development extension. */
export function workbenchUrl(server, folder, payload = []) {
  const url = new URL(server.url);
  url.searchParams.set("folder", folder);
  if (payload.length > 0) url.searchParams.set("payload", JSON.stringify(payload));
  return url.href;
}

/** What makes an extension in a folder of this machine run without being installed. */
export function developmentExtension(server, folder) {
  return ["extensionDevelopmentPath", `vscode-remote://${server.authority}${folder}`];
}

export const noWelcome = [
  ["skipWelcome", "true"],
  ["skipReleaseNotes", "true"],
];
