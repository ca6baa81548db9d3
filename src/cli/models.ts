import { usageError } from "./arguments.ts";
import type { Command } from "./command.ts";
import { printable, size, table } from "./text.ts";

export const modelsCommand: Command = {
  name: "models",
  usage: "[options]",
  summary: "List the models that can be named, and which of them are on this machine.",
  options: {},
  notes: ["A folder with a model can be named in the place of an id everywhere."],
  prepare(values) {
    if (values.positionals.length > 0) throw usageError("models takes options only.");
    return async (run) => {
      const models = await run.engine.listModels(undefined, run.call);
      const columns = [
        { title: "id", align: "left" },
        { title: "state", align: "left" },
        { title: "size", align: "right" },
        { title: "licence", align: "left" },
        { title: "note", align: "left" },
      ] as const;
      const rows = models.map(({ id, origin, present, bytes, approximate, licence, note }) => [
        id,
        origin === "embedded" ? (present ? "embedded" : "missing") : present ? "downloaded" : "on the hub",
        `${approximate ? "~" : ""}${size(bytes)}`,
        licence,
        note,
      ]);
      return { text: printable(table(columns, rows)), json: { command: "models", models } };
    };
  },
};
