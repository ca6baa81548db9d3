/**
 * Text of a file as it stands in Markdown, on one line. `MarkdownString.appendText` would make every space one at which
 * no line breaks.
 */
export function escapeMarkdown(text: string): string {
  return text.replaceAll(/\s+/g, " ").replaceAll(/[\\`*_{}[\]()#+\-.!|<>&~:@]/g, "\\$&");
}
