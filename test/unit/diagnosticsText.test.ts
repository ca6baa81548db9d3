import { expect, test } from "vitest";
import { diagnosticsText, withoutHome, type DiagnosticFacts } from "../../src/host/diagnosticsText.ts";

const facts: DiagnosticFacts = {
  versions: { Steerscope: "steerscope 1.2.3", system: "linux 6 x64" },
  settings: {},
  engineState: "stopped",
  model: null,
  memory: null,
  activationBytes: 1_500_000,
  crash: null,
};

test("sections without content say so, sizes have units", () => {
  expect(diagnosticsText(facts, "/home/ann")).toBe(
    [
      "## Steerscope diagnostics",
      "",
      "### Versions",
      "",
      "- Steerscope: steerscope 1.2.3",
      "- system: linux 6 x64",
      "",
      "### Settings that differ",
      "",
      "none",
      "",
      "### Engine",
      "",
      "- state: stopped",
      "- activations on disk: 1.5 MB",
      "",
      "### Model",
      "",
      "none",
      "",
    ].join("\n"),
  );
});

test("home folders, passwords and tokens are left out wherever they stand", () => {
  const text = diagnosticsText(
    {
      ...facts,
      settings: {
        "steering.modelFolders": ["/home/ann/models", "/data/models"],
        "steering.hubEndpoint": "https://ann:secret@mirror.example/hf",
      },
      crash: "/HOME/ann/.cache broke\nwith hf_abcdefghijkl",
    },
    "/home/ann",
  );
  expect(text).toContain('["~/models","/data/models"]');
  expect(text).toContain('"https://…@mirror.example/hf"');
  expect(text).toContain("- last crash: ~/.cache broke with hf_…");
  expect(text).not.toMatch(/ann|secret|abcdef/);
});

test("a home folder is replaced in every spelling, and never as part of another name", () => {
  expect(withoutHome(String.raw`C:\Users\Ann\x "C:\\Users\\Ann\\y" c:/users/ann/z`, "C:\\Users\\Ann")).toBe(
    String.raw`~\x "~\\y" ~/z`,
  );
  expect(withoutHome("file:///home/ann%20b/x /home/ann b/y", "/home/ann b")).toBe("file://~/x ~/y");
  expect(withoutHome("/home/anna/x /home/ann-2/y /home/ann/", "/home/ann")).toBe(
    "/home/anna/x /home/ann-2/y ~/",
  );
  expect(withoutHome("/a/b", "/")).toBe("/a/b");
});
