/** The end of a text that is being generated and not yet written, as one faint line behind the place where it will stand. */
import * as vscode from "vscode";

/** What fits beside a line of text. */
const maximumCharacters = 100;
/** Tokens of a small model come faster than a person can see. */
const refreshMilliseconds = 50;

export class GenerationPreview implements vscode.Disposable {
  readonly #document: vscode.TextDocument;
  readonly #type = vscode.window.createTextEditorDecorationType({
    after: { color: new vscode.ThemeColor("editorGhostText.foreground"), fontStyle: "italic" },
  });
  #timer: NodeJS.Timeout | undefined;

  constructor(document: vscode.TextDocument) {
    this.#document = document;
  }

  /** `read` is asked when it is time to draw. */
  update(read: () => { readonly text: string; readonly at: vscode.Position }): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const { text, at } = read();
      for (const editor of vscode.window.visibleTextEditors) {
        if (editor.document !== this.#document) continue;
        editor.setDecorations(this.#type, [
          { range: new vscode.Range(at, at), renderOptions: { after: { contentText: lastLine(text) } } },
        ]);
      }
    }, refreshMilliseconds);
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#type.dispose();
  }
}

function lastLine(text: string): string {
  const plain = text.replaceAll(/\s*\r?\n\s*/g, " ⏎ ");
  return plain.length > maximumCharacters ? `… ${plain.slice(-maximumCharacters)}` : plain;
}
