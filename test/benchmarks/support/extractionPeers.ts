/** Peers: the Python systems, each in a process of its own, through the script peers_extract.py (docs/performance.md). */
import { spawn } from "node:child_process";
import { external, smollm2, threads, type Skip } from "./environment.ts";

interface PeerSample {
  readonly seconds: number;
  readonly peakMegabytes: number;
  readonly normOfLayer15?: number;
}

/** Name and batch size, as each is fastest on a small machine. repeng's vectors have another meaning and norm 1. */
const peers = [
  { name: "steering-vectors", batch: 1, isMean: true },
  { name: "repeng", batch: 8, isMean: false },
  { name: "torch", batch: 8, isMean: true },
] as const;

/** Runs by name; adds to `skips` and returns none where Python, the script or the model is missing. */
export function extractionPeers(
  pairsFile: string,
  skips: Skip[],
): ReadonlyMap<string, () => Promise<PeerSample>> {
  const python = external("STEERSCOPE_PEERS_PYTHON");
  const script = external("STEERSCOPE_PEERS", "peers_extract.py");
  const model = smollm2("hf");
  if (typeof python !== "string" || typeof script !== "string" || typeof model !== "string") {
    skips.push(...[python, script, model].filter((place) => typeof place !== "string"));
    return new Map();
  }
  return new Map(
    peers.map(({ name, batch, isMean }) => [
      name,
      async () => {
        const args = [script, name, model, pairsFile, String(threads), String(batch)];
        const lines = (await output(python, args)).trim().split("\n");
        const result = JSON.parse(lines.at(-1)!) as { extract_s: number; peak_MB: number; norm15: number };
        return {
          seconds: result.extract_s,
          // peak_MB counts 1024 * 1024 bytes.
          peakMegabytes: Math.round((result.peak_MB * 1024 ** 2) / 1e6),
          ...(isMean ? { normOfLayer15: result.norm15 } : {}),
        };
      },
    ]),
  );
}

function output(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, HF_HUB_OFFLINE: "1", TOKENIZERS_PARALLELISM: "false" },
    });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(text);
      else reject(new Error(`${program} ${args.join(" ")} ended with ${code ?? "a signal"}`));
    });
  });
}
