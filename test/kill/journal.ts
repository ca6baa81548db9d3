/** What the driver writes down, one JSON a line, and the test reads. */

export type Action =
  | { readonly kind: "add"; readonly set: string; readonly text: string }
  | { readonly kind: "renameSet"; readonly from: string; readonly to: string }
  | { readonly kind: "compute"; readonly set: string; readonly name: string }
  | { readonly kind: "renameVector"; readonly from: string; readonly to: string };

/** `host` and `engine` are process ids. */
export type JournalLine =
  | { readonly state: "ready"; readonly host: number }
  | { readonly state: "engine"; readonly engine: number }
  | { readonly state: "begin"; readonly action: Action }
  | { readonly state: "end"; readonly action: Action; readonly isDone: boolean }
  | { readonly state: "stopped"; readonly reason: string };
