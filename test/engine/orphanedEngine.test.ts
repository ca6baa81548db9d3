/** The engine's parent may be killed at any moment: a window that is reloaded, an extension host that crashes. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { expect, test, vi } from "vitest";
import { embeddedModels, repository } from "./support/engine.ts";

/** A process whose parent is gone may stay as a zombie where nobody collects it. */
function isRunning(pid: number): boolean {
  try {
    if (process.platform === "linux") return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("an engine in the middle of a run ends when its parent is killed", async () => {
  const folder = await mkdtemp(join(tmpdir(), "steerscope-orphan-"));
  const options = { enginePath: join(repository, "dist/engine.js"), embeddedModels, cacheFolder: folder };
  // Prints its engine's process id once the engine is generating.
  const program = `
    import { EngineClient } from ${JSON.stringify(join(repository, "src/client/engineClient.ts"))};
    import { greedySampling } from ${JSON.stringify(join(repository, "src/shared/engineContract.ts"))};
    const client = new EngineClient(${JSON.stringify(options)});
    await client.engine.load({ model: "stories15m" });
    let isTold = false;
    await client.engine.generate(
      {
        input: { text: "Once upon a time" },
        template: "none",
        variants: Array.from({ length: 24 }, () => null),
        sampling: { ...greedySampling, maxTokens: 250, temperature: 1 },
      },
      {
        onProgress: () => {
          if (!isTold) console.log(client.pid);
          isTold = true;
        },
      },
    );
    console.log("ended");`;
  const bundle = await build({
    stdin: { contents: program, resolveDir: repository, loader: "ts" },
    bundle: true,
    platform: "node",
    format: "esm",
    write: false,
  });
  const file = join(folder, "parent.mjs");
  await writeFile(file, bundle.outputFiles[0]!.contents);
  const parent = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  parent.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  try {
    await vi.waitFor(() => {
      expect(output).toMatch(/^\d+\n$/);
    }, 60_000);
    const pid = Number(output);
    expect(isRunning(pid)).toBe(true);
    parent.kill("SIGKILL");
    await vi.waitFor(() => {
      expect(isRunning(pid)).toBe(false);
    }, 20_000);
    expect(output).not.toContain("ended");
  } finally {
    parent.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
});
