import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { describeRepository, parseHubReference } from "../../src/client/hubApi.ts";
import { downloadModel, offeredWeights, planCatalogue, planWeights } from "../../src/client/hubDownload.ts";
import {
  hubEndpoint,
  hubGet,
  requestDirectly,
  type HubOptions,
  type StartRequest,
} from "../../src/client/hubHttp.ts";
import { discardPartialDownload, findPartialDownloads } from "../../src/client/partialDownload.ts";
import { TransferRate } from "../../src/client/transferRate.ts";
import { downloadRecordName } from "../../src/formats/downloadRecord.ts";
import { HubServer, type HubContent, type HubFault } from "../support/hubServer.ts";

const commit = "0123456789abcdef0123456789abcdef01234567";
const weights = randomBytes(300_000);

let base = "";
let folder = "";
let content: HubContent;
let hub: HubServer;
beforeEach(async () => {
  base = mkdtempSync(join(tmpdir(), "steerscope-hub-"));
  folder = join(base, "models/someone/Tiny");
  content = {
    repository: "someone/Tiny",
    commit,
    licence: "apache-2.0",
    files: new Map([
      ["config.json", { bytes: Buffer.from("{}"), isLarge: false }],
      ["README.md", { bytes: Buffer.from("# Tiny"), isLarge: false }],
      ["tokenizer.json", { bytes: randomBytes(20_000), isLarge: false }],
      ["model.safetensors", { bytes: weights, isLarge: true }],
    ]),
  };
  hub = new HubServer(content);
  await hub.start();
});
afterEach(async () => {
  await hub.stop();
  rmSync(base, { recursive: true, force: true });
});

interface Changes extends Partial<HubOptions> {
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

async function download({
  signal = new AbortController().signal,
  onProgress,
  ...changes
}: Changes = {}): Promise<void> {
  const options: HubOptions = {
    endpoint: hub.endpoint,
    backOffMilliseconds: 1,
    stallMilliseconds: 2000,
    ...changes,
  };
  const model = await describeRepository(
    { repository: content.repository, revision: "main" },
    options,
    signal,
  );
  await downloadModel({
    plan: planWeights(model, offeredWeights(model)[0]),
    folder,
    hub: options,
    signal,
    onProgress: ({ done, total }) => onProgress?.(done, total),
  });
}

function fault(kind: HubFault["kind"], times = 1, path = "model.safetensors"): void {
  hub.faults.push({ kind, times, path });
}

function requests(path: string): (string | undefined)[] {
  return hub.seen
    .filter((seen) => seen.origin === "storage" && seen.path.endsWith(path))
    .map(({ range }) => range);
}

const failure = (part: object): Error =>
  expect.objectContaining({ kind: "DownloadFailed", ...part }) as Error;
const remedy = (text: string): Error => failure({ remedy: expect.stringContaining(text) as string });

function expectWhole(): void {
  expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
  expect(readdirSync(folder).sort()).toEqual(
    ["config.json", "model.safetensors", downloadRecordName, "tokenizer.json"].sort(),
  );
  expect(readdirSync(join(folder, ".."))).toEqual(["Tiny"]);
}

describe("a download", () => {
  it("brings what the engine reads, pins the commit, and appears whole", async () => {
    const steps: [number, number][] = [];
    await download({ onProgress: (done, total) => steps.push([done, total]) });
    expectWhole();
    expect(JSON.parse(readFileSync(join(folder, downloadRecordName), "utf8"))).toMatchObject({
      repository: "someone/Tiny",
      commit,
      licence: "apache-2.0",
    });
    expect(
      hub.seen.filter(({ path }) => path.includes("/resolve/")).every(({ path }) => path.includes(commit)),
    ).toBe(true);
    const total = weights.length + 20_002;
    expect(steps.at(-1)).toEqual([total, total]);
    expect(steps.every(([done], index) => index === 0 || done >= steps[index - 1]![0])).toBe(true);
  });

  it("sends the token to the hub and never to where the hub sends on to", async () => {
    content.token = "hf_secret";
    await download({ token: "hf_secret" });
    expectWhole();
    expect(
      hub.seen
        .filter(({ origin }) => origin === "hub")
        .every(({ authorization }) => authorization === "Bearer hf_secret"),
    ).toBe(true);
    const storage = hub.seen.filter(({ origin }) => origin === "storage");
    expect(storage.length).toBeGreaterThan(0);
    expect(storage.every(({ authorization }) => authorization === undefined)).toBe(true);
  });

  it.each<[string, HubFault["kind"]]>([
    ["the connection is reset", { resetAfter: 100_000 }],
    ["the body is cut short", { truncateTo: 100_000 }],
    ["the link falls silent", { stallAfter: 100_000 }],
  ])("goes on by a range where %s", async (_, kind) => {
    fault(kind);
    await download({ stallMilliseconds: 200 });
    expectWhole();
    const [first, second, ...more] = requests("model.safetensors");
    expect([first, more]).toEqual([undefined, []]);
    expect(Number(/^bytes=(\d+)-$/.exec(second!)?.[1])).toBeGreaterThan(0);
  });

  it.each<[string, HubFault["kind"], number]>([
    ["sends the whole file in its place", "ignores-range", 1],
    ["sends another range", "other-range", 2],
    ["says that there is no such range", { status: 416 }, 2],
  ])("starts anew where the server %s", async (_, kind, more) => {
    fault({ resetAfter: 100_000 });
    hub.onRequest = ({ range }) => {
      if (range !== undefined && hub.faults.every(({ times }) => times === 0)) fault(kind);
      if (range !== undefined) hub.onRequest = () => undefined;
    };
    await download();
    expectWhole();
    const [first, second, ...others] = hub.seen
      .filter(({ origin, path }) => origin === "hub" && path.endsWith("model.safetensors"))
      .map(({ range }) => range);
    expect(first).toBeUndefined();
    expect(second).toMatch(/^bytes=\d+-$/);
    expect(others).toEqual(Array.from({ length: more - 1 }, () => undefined));
  });

  it("takes nothing beyond the size that the hub names", async () => {
    fault("longer", 9);
    await expect(download()).rejects.toThrow(
      failure({ message: expect.stringContaining("longer than") as string }),
    );
    expect(existsSync(folder)).toBe(false);
  });

  it("bears a slow link, as long as something comes", async () => {
    hub.slowMilliseconds = 40;
    // All in all 700 ms and more.
    await download({ stallMilliseconds: 400 });
    expectWhole();
    expect(requests("model.safetensors")).toEqual([undefined]);
  });

  it.runIf(existsSync("/dev/full"))("says that the disk is full when it is", async () => {
    fault({ resetAfter: 100_000 });
    hub.onRequest = ({ range }) => {
      if (range !== undefined) fault({ status: 404 });
    };
    await expect(download()).rejects.toThrow(failure({}));
    hub.onRequest = () => undefined;
    const part = join(folder, "../.Tiny.download/model.safetensors.part");
    rmSync(part);
    symlinkSync("/dev/full", part);
    await expect(download()).rejects.toThrow(
      expect.objectContaining({
        kind: "FileUnwritable",
        remedy: expect.stringContaining("Free space") as string,
      }) as Error,
    );
    expect(existsSync(folder)).toBe(false);
  });

  it("stops at once, keeps what it has, and goes on from there", async () => {
    hub.slowMilliseconds = 5;
    const controller = new AbortController();
    const stopped = download({
      signal: controller.signal,
      onProgress: (done) => {
        if (done > 150_000) controller.abort();
      },
    });
    await expect(stopped).rejects.toThrow(expect.objectContaining({ kind: "Cancelled" }) as Error);
    expect(existsSync(folder)).toBe(false);
    hub.slowMilliseconds = 0;
    const root = join(folder, "../..");
    const [kept, ...others] = await findPartialDownloads(root);
    expect(others).toEqual([]);
    expect(kept).toMatchObject({ folder, repository: "someone/Tiny", commit, total: 320_002 });
    expect(kept!.done).toBeGreaterThan(150_000);
    expect(kept!.done).toBeLessThan(kept!.total);
    hub.seen.length = 0;
    await download();
    expectWhole();
    expect(await findPartialDownloads(root)).toEqual([]);
    const [seen, ...more] = hub.seen.filter(({ origin }) => origin === "storage");
    expect(more).toEqual([]);
    expect(seen!.range).toMatch(/^bytes=1\d{5}-$/);
    expect(seen!.ifRange).toMatch(/^".+"$/);
    expect(hub.seen.some(({ path }) => path.endsWith("tokenizer.json"))).toBe(false);
  });

  it("what is kept can be discarded, but not while it is being downloaded", async () => {
    hub.slowMilliseconds = 5;
    const controller = new AbortController();
    let begin: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const running = download({
      signal: controller.signal,
      onProgress: (done) => {
        if (done > 50_000) begin();
      },
    });
    running.catch(() => undefined);
    await begun;
    await expect(discardPartialDownload(folder)).rejects.toThrow(failure({}));
    controller.abort();
    await expect(running).rejects.toThrow();
    await discardPartialDownload(folder);
    expect(readdirSync(join(folder, "../.."))).toEqual([]);
    await discardPartialDownload(folder);
  });

  it("says what the hub answered again and again", async () => {
    fault({ status: 500 }, 9, "config.json");
    await expect(download()).rejects.toThrow(
      failure({ message: "The model hub answered with status 500 again and again." }),
    );
  });

  it("is stopped while it waits for another attempt", async () => {
    fault({ status: 503 }, 9, "config.json");
    const controller = new AbortController();
    const running = download({ signal: controller.signal, backOffMilliseconds: 60_000 });
    hub.onRequest = ({ path }) => {
      if (path.endsWith("config.json"))
        setTimeout(() => {
          controller.abort();
        }, 20);
    };
    await expect(running).rejects.toThrow(expect.objectContaining({ kind: "Cancelled" }) as Error);
  });

  it("starts a file anew where it has changed since", async () => {
    fault({ resetAfter: 100_000 });
    hub.onRequest = ({ origin }) => {
      // Later than this request, which is to break off in the middle.
      if (origin === "storage")
        queueMicrotask(() => {
          fault({ status: 404 });
        });
    };
    await expect(download()).rejects.toThrow(failure({}));
    hub.onRequest = () => undefined;
    expect(existsSync(join(folder, "../.Tiny.download/model.safetensors.part"))).toBe(true);
    const changed = randomBytes(weights.length);
    content.files.set("model.safetensors", { bytes: changed, isLarge: true });
    content.commit = commit.replace("0", "f");
    hub.faults.length = 0;
    hub.seen.length = 0;
    await download();
    expect(readFileSync(join(folder, "model.safetensors")).equals(changed)).toBe(true);
    expect(requests("model.safetensors")).toEqual([undefined]);
  });

  it("takes wrong content once for an accident, twice for a failure", async () => {
    fault("wrong-content");
    await download();
    expectWhole();
    rmSync(folder, { recursive: true });
    fault("wrong-content", 2);
    await expect(download()).rejects.toThrow(
      failure({ message: expect.stringContaining("is not what") as string }),
    );
    expect(existsSync(folder)).toBe(false);
  });

  it("checks small files by Git's hash", async () => {
    fault("wrong-content", 2, "tokenizer.json");
    await expect(download()).rejects.toThrow(
      failure({ message: expect.stringContaining("tokenizer.json") as string }),
    );
  });

  it("checks what a plain mirror lists without hashes by the header of its redirect", async () => {
    content.isPlain = true;
    await download();
    expectWhole();
    rmSync(folder, { recursive: true });
    fault("wrong-content", 2);
    await expect(download()).rejects.toThrow(failure({}));
  });

  it.each([429, 500, 502, 503])("tries again after status %i", async (status) => {
    fault({ status, headers: { "retry-after": "0" } }, 2);
    fault({ status }, 2, "revision/main");
    await download();
    expectWhole();
  });

  it("gives up after five fruitless attempts", async () => {
    fault({ status: 500 }, 100);
    await expect(download()).rejects.toThrow(remedy("goes on where it has stopped"));
    expect(hub.seen.filter(({ path }) => path.endsWith("model.safetensors"))).toHaveLength(5);
  });

  it.each([
    ["in seconds", () => "3600"],
    ["as a date", () => new Date(Date.now() + 3_600_000).toUTCString()],
  ])("does not wait for an hour that is asked for %s", async (_, value) => {
    fault({ status: 429, headers: { "retry-after": value() } }, 1, "revision/main");
    await expect(download()).rejects.toThrow(remedy("60 minutes"));
  });

  it.each([
    [{}, "accept its licence and set an access token"],
    [{ token: "hf_other" }, "its licence is accepted"],
  ])("says what a gated model needs (%j)", async (changes, text) => {
    content.token = "hf_secret";
    content.isGated = true;
    const error = await download(changes).catch((reason: unknown) => reason);
    expect(error).toEqual(remedy(text));
    expect(error).toEqual(remedy(`${hub.endpoint}/someone/Tiny`));
    expect(JSON.stringify(error)).not.toContain("hf_other");
  });

  it("says that there is no such revision or file", async () => {
    fault({ status: 404 }, 1, "revision/main");
    await expect(download()).rejects.toThrow(
      failure({ message: expect.stringContaining("does not have") as string }),
    );
  });

  it("refuses a repository without a model", async () => {
    content.files.delete("model.safetensors");
    await expect(download()).rejects.toThrow(
      failure({ message: expect.stringContaining("holds no model") as string }),
    );
  });

  it("refuses a checkpoint that would need a graph, before its weights are fetched", async () => {
    content.architecture = "gemma3_text";
    await expect(download()).rejects.toThrow(remedy("qwen3"));
    content.files.set("onnx/model.onnx", { bytes: Buffer.from("graph"), isLarge: true });
    await download();
    expect(existsSync(join(folder, "model.safetensors"))).toBe(false);
    expect(readFileSync(join(folder, "onnx/model.onnx"), "utf8")).toBe("graph");
  });

  it("refuses to fill the disk, before it begins", async () => {
    content.listedSizes = { "model.safetensors": 1e15 };
    await expect(download()).rejects.toThrow(
      failure({ message: expect.stringContaining("the download needs 1000 TB, and") as string }),
    );
    expect(requests("model.safetensors")).toEqual([]);
  });

  it.each(["../evil.json", "/etc/x", "a\\..\\b", "C:x", "a//b", "a/./b"])(
    "refuses a listing with %j",
    async (path) => {
      content.files.set(path, { bytes: Buffer.from("x"), isLarge: false });
      await expect(download()).rejects.toThrow(
        failure({ message: expect.stringContaining("outside") as string }),
      );
    },
  );

  it.each(["ftp://127.0.0.1/x", "file:///etc/passwd"])(
    "does not follow a redirect to %s",
    async (redirectTo) => {
      fault({ redirectTo });
      await expect(download()).rejects.toThrow(
        failure({ message: expect.stringContaining("refused") as string }),
      );
    },
  );

  it("follows redirects without a host, and not from encrypted to plain addresses", async () => {
    fault({ redirectTo: `/someone/Tiny/resolve/${commit}/tokenizer.json` }, 1, "config.json");
    content.files.set("config.json", content.files.get("tokenizer.json")!);
    await download();
    expect(existsSync(join(folder, "model.safetensors"))).toBe(true);
    const encrypted: StartRequest = (url, headers, signal) =>
      requestDirectly(new URL(url.href.replace("https:", "http:")), headers, signal);
    const options = { endpoint: hub.endpoint.replace("http:", "https:"), startRequest: encrypted };
    fault({ redirectTo: `${hub.endpoint}/elsewhere` });
    await expect(
      hubGet(`${options.endpoint}/model.safetensors`, options, {}, new AbortController().signal),
    ).rejects.toThrow(failure({ detail: expect.stringContaining("no encryption") as string }));
  });

  it("does not follow redirects for ever", async () => {
    fault({ redirectTo: `${hub.endpoint}/someone/Tiny/resolve/${commit}/model.safetensors` }, 1000);
    await expect(download()).rejects.toThrow(
      failure({ detail: expect.stringContaining("10 redirects") as string }),
    );
  });

  it("leaves a folder alone that somebody else has filled", async () => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "notes.txt"), "mine");
    await expect(download()).rejects.toThrow(
      failure({ message: expect.stringContaining("is there already") as string }),
    );
    expect(readFileSync(join(folder, "notes.txt"), "utf8")).toBe("mine");
  });

  it("replaces an earlier download", async () => {
    await download();
    const changed = randomBytes(1000);
    content.files.set("model.safetensors", { bytes: changed, isLarge: true });
    await download();
    expect(readFileSync(join(folder, "model.safetensors")).equals(changed)).toBe(true);
  });

  it("runs once at a time", async () => {
    hub.slowMilliseconds = 5;
    const first = download();
    await new Promise<void>((resolve) => {
      hub.onRequest = ({ origin }) => {
        if (origin === "storage") resolve();
      };
    });
    await expect(download()).rejects.toThrow(
      failure({ message: expect.stringContaining("another window") as string }),
    );
    await first;
    expectWhole();
  });

  it("takes over the lock of a process that is gone", async () => {
    const staging = join(folder, "../.Tiny.download");
    mkdirSync(staging, { recursive: true });
    writeFileSync(
      join(staging, ".lock"),
      JSON.stringify({ process: 2 ** 30, host: (await import("node:os")).hostname() }),
    );
    await download();
    expectWhole();
  });

  it("says when nobody answers", async () => {
    await expect(download({ endpoint: "http://127.0.0.1:1" })).rejects.toThrow(remedy("network"));
  });
});

describe("what is fetched", () => {
  it("is what the catalogue names, and an error where the repository has dropped a file", async () => {
    const options = { endpoint: hub.endpoint };
    const model = await describeRepository(
      { repository: "someone/Tiny", revision: "main" },
      options,
      new AbortController().signal,
    );
    const plan = planCatalogue(model, [{ path: "config.json", sha256: null }]);
    expect(plan.files.map(({ path }) => path)).toEqual(["config.json"]);
    expect(() => planCatalogue(model, [{ path: "gone.json", sha256: null }])).toThrow(failure({}));
  });
});

describe("parseHubReference", () => {
  it.each([
    ["someone/Tiny", { repository: "someone/Tiny", revision: "main" }],
    [" someone/Tiny@v1.0 ", { repository: "someone/Tiny", revision: "v1.0" }],
    ["https://huggingface.co/someone/Tiny", { repository: "someone/Tiny", revision: "main" }],
    ["someone/Tiny@refs/pr/1", { repository: "someone/Tiny", revision: "refs/pr/1" }],
    ["Tiny", undefined],
    ["../..", undefined],
    ["a/b/c", undefined],
    ["a/b@../c", undefined],
    ["", undefined],
  ])("reads %j", (text, reference) => {
    expect(parseHubReference(text)).toEqual(reference);
  });
});

describe("hubEndpoint", () => {
  it("takes the setting, then the environment, then the hub itself", () => {
    expect(hubEndpoint("https://mirror.example/hf/", { HF_ENDPOINT: "https://other" })).toBe(
      "https://mirror.example/hf",
    );
    expect(hubEndpoint("", { HF_ENDPOINT: "https://other" })).toBe("https://other");
    expect(hubEndpoint(" ", {})).toBe("https://huggingface.co");
  });

  it.each(["file:///x", "huggingface.co", "https://user:word@x"])("refuses %s", (text) => {
    expect(() => hubEndpoint(text, {})).toThrow(expect.objectContaining({ kind: "InvalidRequest" }) as Error);
  });
});

describe("TransferRate", () => {
  it("is that of the last seconds, unknown at first and after a loss", () => {
    let now = 0;
    const rate = new TransferRate(() => now);
    expect(rate.update(1000)).toBeNull();
    now = 1000;
    expect(rate.update(3000)).toBe(2000);
    for (now = 2000; now <= 10_000; now += 1000) rate.update(3000 + now);
    expect(rate.update(3000 + now)).toBeCloseTo(1000, -2);
    expect(rate.update(0)).toBeNull();
  });
});
