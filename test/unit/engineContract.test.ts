/** Whoever changes the contract counts its version up, so that an engine of another version is refused, not misread. */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";
import { engineContractVersion } from "../../src/shared/engineContract.ts";

const contract = join(import.meta.dirname, "../../src/shared/engineContract.ts");

/** The types of the contract and those that they are made of, without comments and bodies. */
function declarations(): string {
  const program = ts.createProgram([contract], {
    declaration: true,
    emitDeclarationOnly: true,
    removeComments: true,
    allowImportingTsExtensions: true,
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    strict: true,
    types: [],
    noLib: true,
  });
  const texts = new Map<string, string>();
  program.emit(undefined, (file, text) => texts.set(file.slice(dirname(contract).length), text));
  return [...texts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([file, text]) => file + text)
    .join("\n");
}

test("this version of the contract is this text", () => {
  const text = declarations().replace(/engineContractVersion = \d+/, "");
  expect(text).toContain("interface TokenizedText");
  const digest = createHash("sha256").update(text).digest("hex").slice(0, 16);
  // The contract has changed? Count engineContractVersion up, and write both here.
  expect({ version: engineContractVersion, digest }).toEqual({ version: 2, digest: "051fd9ca90b42217" });
});
