import { describe, expect, it } from "vitest";
import { contentProblems, limitBytes } from "../../scripts/vsix-contents.mjs";
import { zipEntries } from "../../scripts/zip-entries.mjs";

/** Everything that must be there, as the check itself asks for it. */
function complete(target) {
  return contentProblems(target, [], 0).map((problem) => ({
    path: problem.replace(/ is missing\.$/, ""),
    bytes: 1,
  }));
}

describe("contents of a package", () => {
  it.each(["linux-x64", "darwin-arm64", "win32-arm64"])("are complete for %s", (target) => {
    const entries = complete(target);
    expect(entries.map(({ path }) => path)).toContain("extension/dist/engine.js");
    expect(contentProblems(target, entries, limitBytes)).toEqual([]);
  });

  it("have no surprises", () => {
    const surprises = [
      "extension/dist/cli.js",
      "extension/src/extension.ts",
      "extension/media/.DS_Store",
    ].map((path) => ({ path, bytes: 1 }));
    expect(contentProblems("linux-x64", [...complete("linux-x64"), ...surprises], 1)).toHaveLength(3);
  });

  it("have no native files of other platforms", () => {
    const both = [...complete("linux-x64"), ...complete("linux-arm64")];
    const problems = contentProblems("linux-x64", both, 1);
    expect(problems).toHaveLength(2);
    expect(problems.every((problem) => problem.includes("linux/arm64"))).toBe(true);
  });

  it("are not empty and not too large", () => {
    const [first, ...rest] = complete("linux-x64");
    const entries = [{ ...first, bytes: 0 }, ...rest];
    expect(contentProblems("linux-x64", entries, limitBytes + 1)).toHaveLength(2);
  });
});

describe("zip entries", () => {
  /** Made with Info-ZIP: `mkdir d && printf abc > d/a.txt && printf hello > b && zip -0 -X -r o.zip d b`, then `zip -z`. */
  const zip = Buffer.from(
    "UEsDBAoAAAAAAHgBeF0AAAAAAAAAAAAAAAACAAAAZC9QSwMECgAAAAAAeAF4XcJBJDUDAAAAAwAAAAcAAABkL2EudHh0YWJjUEsDBAoAAAAAAHgBeF2GphA2BQAAAAUAAAABAAAAYmhlbGxvUEsBAh4DCgAAAAAAeAF4XQAAAAAAAAAAAAAAAAIAAAAAAAAAAAAQAO1BAAAAAGQvUEsBAh4DCgAAAAAAeAF4XcJBJDUDAAAAAwAAAAcAAAAAAAAAAAAAAKSBIAAAAGQvYS50eHRQSwECHgMKAAAAAAB4AXhdhqYQNgUAAAAFAAAAAQAAAAAAAAAAAAAApIFIAAAAYlBLBQYAAAAAAwADAJQAAABsAAAAAgBoaQ==",
    "base64",
  );

  it("are read with their sizes, folders left out", () => {
    expect(zipEntries(zip)).toEqual([
      { path: "d/a.txt", bytes: 3 },
      { path: "b", bytes: 5 },
    ]);
  });

  it("are refused where there are none", () => {
    expect(() => zipEntries(Buffer.from("no zip file at all, not at all"))).toThrow("not a zip file");
  });
});
