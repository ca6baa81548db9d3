import assert from "node:assert/strict";
import * as vscode from "vscode";
import { activate, closeEverything, eventually, openText, writeText } from "./support/editors.ts";
import { setFile, setPath } from "./support/exampleSets.ts";
import { codeLenses, hoverTexts, quickFixes } from "./support/providers.ts";

const lines = [
  '{"label": "positive", "text": "A bright day.", "pair": "p1"}',
  '{"label": "negative", "text": "It rained again.", "pair": "p1"}',
];

/** Each test has a file of its own: what was known of another cannot answer. */
async function openSet(name: string, content: readonly string[], end = "\n"): Promise<vscode.TextEditor> {
  return openText(content.join(end), setPath(name));
}

function problemsOf(uri: vscode.Uri): vscode.Diagnostic[] {
  return vscode.languages.getDiagnostics(uri).filter(({ source }) => source === "Steerscope");
}

async function firstProblem(uri: vscode.Uri): Promise<vscode.Diagnostic> {
  return eventually(() => problemsOf(uri)[0]);
}

/** Applies a quick fix of the first problem, and gives the text that it makes. */
async function applyFix({ document }: vscode.TextEditor, title: string): Promise<string> {
  const { range } = await firstProblem(document.uri);
  const actions = await quickFixes(document, range);
  const action = actions.find((each) => each.title === title);
  assert.ok(action?.edit, `${title} is none of ${actions.map((each) => each.title).join(", ")}`);
  await vscode.workspace.applyEdit(action.edit);
  return document.getText();
}

/** The same; nothing is left to report then. */
async function repair(editor: vscode.TextEditor, title: string): Promise<string> {
  const text = await applyFix(editor, title);
  await eventually(() => problemsOf(editor.document.uri).length === 0);
  return text;
}

/** What the hover on the first example's text says. */
async function hoverText(document: vscode.TextDocument): Promise<string> {
  return (await hoverTexts(document, 0, 32)).join("\n");
}

describe("example sets in the editor", () => {
  before(activate);
  afterEach(closeEverything);

  it("reports a bad line while it is there, with its place", async () => {
    const { document } = await openSet("bad", [lines[0]!, "oops", lines[1]!]);
    const problem = await firstProblem(document.uri);
    assert.equal(problem.severity, vscode.DiagnosticSeverity.Error);
    assert.equal(problem.code, "bad-line");
    assert.deepEqual([problem.range.start.line, problem.range.end.character], [1, 4]);
  });

  it("is what opening such a file starts the extension for", async () => {
    const { document } = await openSet("activation", lines);
    const manifest = vscode.extensions.getExtension("steerscope.steerscope")!.packageJSON as {
      activationEvents: string[];
    };
    assert.ok(manifest.activationEvents.includes(`onLanguage:${document.languageId}`), document.languageId);
  });

  it("follows typing without saving", async () => {
    const editor = await openSet("typing", lines);
    await editor.edit((edit) => {
      edit.insert(new vscode.Position(2, 0), "\nnot json");
    });
    const problem = await firstProblem(editor.document.uri);
    assert.equal(problem.range.start.line, 2);
    await vscode.commands.executeCommand("undo");
    await eventually(() => problemsOf(editor.document.uri).length === 0);
  });

  for (const end of ["\n", "\r\n"]) {
    it(`deletes bad lines, first, middle and last (${JSON.stringify(end)})`, async () => {
      const good = lines.join(end);
      for (const [place, content] of [
        ["first", ["oops", ...lines]],
        ["middle", [lines[0]!, "oops", lines[1]!]],
        ["last", [...lines, "oops"]],
      ] as const) {
        const editor = await openSet(`delete-${place}-${end.length}`, content, end);
        assert.equal(await repair(editor, "Delete the line"), good);
      }
    });
  }

  it("joins a text that was pasted with its line break", async () => {
    const editor = await openSet("joined", [
      '{"label": "positive", "text": "One.',
      'Two.", "pair": "p1"}',
      lines[1]!,
    ]);
    const text = await repair(editor, "Join the lines of the text with \\n");
    const [first] = text.split("\n");
    assert.deepEqual(JSON.parse(first!), { label: "positive", text: "One.\nTwo.", pair: "p1" });
  });

  it("takes a repeated pair away whole", async () => {
    const again = lines.map((line) => line.replace("p1", "p2"));
    const editor = await openSet("repeated", [
      ...lines,
      again[0]!,
      again[1]!.replace("It rained", "Snow fell"),
    ]);
    assert.equal(await repair(editor, "Delete the example and its partner"), lines.join("\n"));
  });

  it("says nothing of JSON lines elsewhere", async () => {
    const elsewhere = await openText("oops", "elsewhere.jsonl");
    const { document } = await openSet("here", ["oops"]);
    await firstProblem(document.uri);
    assert.deepEqual(problemsOf(elsewhere.document.uri), []);
  });

  it("offers to compute and to inspect, and counts pairs", async () => {
    const { document } = await openSet("lenses", [...lines, '{"label": "positive", "text": "Sun."}']);
    const commands = await codeLenses(document);
    assert.deepEqual(
      commands.map(({ title }) => title),
      ["$(play) Compute", "$(eye) Inspect", "1 pair · 1 unpaired"],
    );
    const known = await vscode.commands.getCommands(true);
    for (const { command } of commands.slice(0, 2)) assert.ok(known.includes(command), command);
  });

  it("offers to write the first pair where there is none, and does so", async () => {
    const { document } = await openSet("nothing", []);
    const [count, add] = await codeLenses(document);
    assert.deepEqual([count!.title, add!.title], ["0 pairs", "$(add) Add a pair"]);
    await vscode.commands.executeCommand(add!.command, ...(add!.arguments as unknown[]));
    const written = document.getText().split("\n");
    assert.deepEqual(
      written.map((line) => JSON.parse(line) as unknown),
      ["positive", "negative"].map((label) => ({ label, text: "", pair: "p1" })),
    );
  });

  for (const end of ["", "\n"]) {
    it(`adds a line for the side that is missing (last line ended: ${String(end !== "")})`, async () => {
      const editor = await openSet(`one-sided-${end.length}`, [
        lines[0]!.replace(', "pair": "p1"', "") + end,
      ]);
      const [, added] = (await applyFix(editor, "Add a negative example")).split("\n");
      assert.equal(added, '{"label": "negative", "text": ""}');
    });
  }

  it("links to an explanation what no edit can set right", async () => {
    const love = ["tea", "sun", "rain"].map((end) => `{"label":"positive","text":"I really love ${end}"}`);
    const others = ["Rain fell on us", "Dogs bark at me", "Cars crash at night"].map(
      (text) => `{"label":"negative","text":"${text}"}`,
    );
    const { document } = await openSet("alike", [...love, ...others]);
    const { code } = await firstProblem(document.uri);
    assert.ok(typeof code === "object");
    assert.equal(code.value, "side-alike");
    const page = await vscode.workspace.openTextDocument(code.target);
    assert.match(page.getText(), /\(`side-alike`\)/);
  });

  it("outlines both sides", async () => {
    const { document } = await openSet("outline", lines);
    const symbols = await vscode.commands.executeCommand<vscode.DocumentSymbol[]>(
      "vscode.executeDocumentSymbolProvider",
      document.uri,
    );
    assert.deepEqual(
      symbols.map(({ name, children }) => [name, children.map((child) => child.name)]),
      [
        ["Positive", ["A bright day."]],
        ["Negative", ["It rained again."]],
      ],
    );
    const text = document.getText(symbols[1]!.children[0]!.selectionRange);
    assert.equal(text, '"It rained again."');
  });

  it("completes lines, keys that are missing, and labels", async () => {
    const { document } = await openSet("completion", ["", '{"label": "", ', '{"text": "a", "pai"}']);
    const labelsAt = async (line: number, character: number) => {
      const list = await vscode.commands.executeCommand<vscode.CompletionList>(
        "vscode.executeCompletionItemProvider",
        document.uri,
        new vscode.Position(line, character),
      );
      const kinds = [
        vscode.CompletionItemKind.Snippet,
        vscode.CompletionItemKind.Property,
        vscode.CompletionItemKind.EnumMember,
      ];
      return list.items
        .filter(({ kind }) => kinds.includes(kind!))
        .map(({ label }) => (typeof label === "string" ? label : label.label))
        .sort();
    };
    assert.deepEqual(await labelsAt(0, 0), ["Negative example", "Pair of examples", "Positive example"]);
    assert.deepEqual(await labelsAt(1, 11), ["negative", "positive"]);
    assert.deepEqual(await labelsAt(1, 14), ["pair", "prompt", "source", "text"]);
    assert.deepEqual(await labelsAt(2, 18), ["label", "pair", "prompt", "source"]);
    assert.deepEqual(await labelsAt(2, 11), []);
  });

  it("shows tokens on hover, without starting the engine for it", async () => {
    const services = await activate();
    await services.engine.restart();
    const { document } = await openSet("hover", lines);
    assert.match(await hoverText(document), /Load the model to see tokens/);
    assert.equal(services.engine.pid, undefined);
    await services.engine.run({ title: "test" }, (job) => services.models.load(job));
    await eventually(() => services.engine.state.kind === "ready");
    // BOS, " A", " bright", " day", "."
    const text = await hoverText(document);
    assert.match(text, /5 tokens, 4 of them the text/);
    assert.match(text, /Read at last: token 4/);
  });

  it("shows on hover the token that Compute read last for this set", async () => {
    const services = await activate();
    const uri = await writeText(`${lines.join("\n")}\n`, setPath("remembered"));
    const { uri: vector } = await vscode.commands.executeCommand<{ uri: string }>("steering.computeVector", {
      set: uri,
      position: "last-1",
      name: "remembered",
    });
    await vscode.workspace.fs.delete(vscode.Uri.parse(vector));
    await eventually(() => services.engine.state.kind === "ready");
    const { document } = await vscode.window.showTextDocument(uri);
    // BOS, " A", " bright", " day", "."
    assert.match(await hoverText(document), /Read at last-1: token 3/);
  });

  it("checks a set that is open when it was renamed into the folder", async () => {
    const outside = await writeText("oops", "outside.jsonl");
    const inside = setFile("moved");
    await vscode.workspace.fs.rename(outside, inside, { overwrite: true });
    await vscode.window.showTextDocument(inside);
    assert.equal((await firstProblem(inside)).code, "bad-line");
  });
});
