/** Puts texts for people into their language. `vscode.l10n` is one. */
export interface Localisation {
  /** `message` in that language, with {0}, {1} and so on replaced by `args`. */
  t(message: string, ...args: (string | number | boolean)[]): string;
}

/** The texts as they are written: for terminals and logs. */
export const english: Localisation = {
  t: (message, ...args) =>
    message.replace(/\{(\d+)\}/g, (whole, index: string) => String(args[Number(index)] ?? whole)),
};
