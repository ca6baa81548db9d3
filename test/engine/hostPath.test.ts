/**
 * The processes that people look at never load onnxruntime: its runs block the thread, and when its native code aborts,
 * everything in the process goes with it.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { builtFile, embeddedModels, fixtures, repository } from "./support/engine.ts";

const modelCode = /onnxruntime|@huggingface/;

describe("at run time", () => {
  let folder: string;
  let probe: string;
  let report: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "steerscope-host-"));
    probe = join(folder, "probe.cjs");
    report = join(folder, "report.json");
    writeFileSync(
      probe,
      `process.on("exit", () => {
        process.report.excludeNetwork = true;
        const { sharedObjects } = process.report.getReport();
        const loaded = { modules: Object.keys(require.cache), libraries: sharedObjects };
        require("node:fs").writeFileSync(${JSON.stringify(report)}, JSON.stringify(loaded));
      });`,
    );
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs Node with `argv`; what it has loaded when it ends, and what it said. */
  function run(...argv: string[]): {
    modules: string[];
    libraries: string[];
    code: number | null;
    out: string;
  } {
    rmSync(report, { force: true });
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--require", probe, ...argv], {
      cwd: repository,
      encoding: "utf8",
      env: { ...process.env, STEERSCOPE_CACHE: join(folder, "cache") },
    });
    const loaded = JSON.parse(readFileSync(report, "utf8")) as { modules: string[]; libraries: string[] };
    return { ...loaded, code: status, out: stdout + stderr };
  }

  it("would show", () => {
    const { modules, libraries } = run("-e", 'require("onnxruntime-node")');
    expect(modules.filter((path) => modelCode.test(path))).not.toEqual([]);
    expect(libraries.filter((path) => modelCode.test(path))).not.toEqual([]);
  });

  it.each<[string, number, RegExp, string[]]>([
    ["help", 0, /Usage|usage/, ["--help"]],
    ["a command without what it needs", 2, /example set/, ["compute"]],
    ["a command whose file is missing", 1, /missing\.jsonl/, ["compute", "missing.jsonl", "--out", "v.st"]],
    ["a command that the engine process answers", 0, /stories15m/, ["models"]],
  ])("not in the command line: %s", (_, code, says, argv) => {
    const ran = run(builtFile("cli.js"), ...argv);
    expect(ran.code).toBe(code);
    expect(ran.out).toMatch(says);
    expect(ran.modules).toContain(builtFile("cli.js"));
    expect([...ran.modules, ...ran.libraries].filter((path) => modelCode.test(path))).toEqual([]);
  });

  it("not in a program with the client, while the engine process has a model loaded", async () => {
    const program = join(folder, "program.cjs");
    const options = {
      enginePath: builtFile("engine.js"),
      embeddedModels,
      cacheFolder: join(folder, "cache"),
      threads: 1,
    };
    const model = join(fixtures, "decoder-graphs/optimum/llama");
    await build({
      stdin: {
        contents: `
          import { EngineClient } from "./src/client/engineClient.ts";
          const client = new EngineClient(${JSON.stringify(options)});
          void client.engine
            .load({ model: ${JSON.stringify(model)} })
            .then(({ layers }) => console.log(layers + " layers"))
            .finally(() => client.dispose());`,
        resolveDir: repository,
        loader: "ts",
      },
      outfile: program,
      bundle: true,
      platform: "node",
    });
    const ran = run(program);
    expect(ran.out).toBe("3 layers\n");
    expect(ran.modules).toContain(program);
    expect([...ran.modules, ...ran.libraries].filter((path) => modelCode.test(path))).toEqual([]);
  });
});

describe("in what is imported", () => {
  /** Every source file and package that `entries` lead to, by any import that stands at run time. */
  async function closure(entries: readonly string[]): Promise<string[]> {
    const { metafile } = await build({
      absWorkingDir: repository,
      entryPoints: [...entries],
      outdir: "unused",
      write: false,
      bundle: true,
      metafile: true,
      packages: "external",
      platform: "node",
      // The engine has import.meta, which only ES modules may.
      format: "esm",
    });
    const packages = Object.values(metafile.inputs).flatMap(({ imports }) =>
      imports.flatMap(({ path, external }) => (external === true ? [path] : [])),
    );
    return [...new Set([...Object.keys(metafile.inputs), ...packages])];
  }

  function sourcesIn(folder: string): string[] {
    if (!existsSync(join(repository, folder))) return [];
    const all = readdirSync(join(repository, folder), { recursive: true, encoding: "utf8" });
    const sources = all.filter((name) => name.endsWith(".ts"));
    return sources.map((name) => `${folder}/${name.replaceAll("\\", "/")}`);
  }

  it("would show", async () => {
    const found = (await closure(["src/engine/main.ts"])).filter((path) => modelCode.test(path));
    expect(found).toEqual(expect.arrayContaining(["onnxruntime-node", "@huggingface/transformers"]));
  });

  const folders = ["shared", "steering", "formats", "evaluation", "client", "cli", "host"]
    .map((name) => ({ folder: `src/${name}`, files: sourcesIn(`src/${name}`) }))
    .filter(({ files }) => files.length > 0);

  it("knows all of them", () => {
    expect(folders.length).toBeGreaterThanOrEqual(6);
  });

  it.each(folders)("not by $folder", async ({ files }) => {
    const found = await closure(files);
    expect(found).toEqual(expect.arrayContaining(files));
    expect(found.filter((path) => modelCode.test(path) || path.startsWith("src/engine/"))).toEqual([]);
  });
});
