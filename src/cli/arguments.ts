/** Command-line arguments: parsed by Node's parseArgs, read through typed getters that complain in sentences. */
import { parseArgs } from "node:util";
import { SteerscopeError } from "../shared/errors.ts";

export interface OptionSpec {
  readonly type: "string" | "boolean";
  /** May be given more than once. */
  readonly multiple?: boolean;
  /** What stands for the value in the help. */
  readonly value?: string;
  readonly help: string;
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

/** A mistake in how a command was written: exit code 2. */
export function usageError(message: string, remedy?: string): SteerscopeError {
  return new SteerscopeError("InvalidRequest", message, remedy === undefined ? {} : { remedy });
}

export class Arguments {
  readonly positionals: readonly string[];
  readonly #values: ReadonlyMap<string, string | boolean | readonly (string | boolean)[]>;

  /** Reads `argv` by `specs`. Throws InvalidRequest for unknown options and missing values. */
  constructor(argv: readonly string[], specs: OptionSpecs) {
    try {
      const options = Object.fromEntries(
        Object.entries(specs).map(([name, { type, multiple }]) => [
          name,
          { type, multiple: multiple === true },
        ]),
      );
      const { values, positionals } = parseArgs({
        args: joinNegativeNumbers(argv, specs),
        options,
        allowPositionals: true,
        strict: true,
      });
      this.positionals = positionals;
      this.#values = new Map(
        Object.entries(values).flatMap(([name, value]) =>
          value === undefined ? [] : [[name, value] as const],
        ),
      );
    } catch (error) {
      // parseArgs ends its sentences with advice about "--" that helps nobody here.
      throw usageError((error as Error).message.split(". ")[0]!);
    }
  }

  flag(name: string): boolean {
    return this.#values.get(name) === true;
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name);
    return typeof value === "string" ? value : undefined;
  }

  texts(name: string): string[] {
    const value = this.#values.get(name);
    return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
  }

  required(name: string, why: string): string {
    return present(this.text(name), name, why);
  }

  /** Where something is: never an empty text. */
  path(name: string): string | undefined {
    const value = this.text(name);
    if (value === "") throw usageError(`--${name} is empty.`);
    return value;
  }

  requiredPath(name: string, why: string): string {
    return present(this.path(name), name, why);
  }

  /** The only word of the line that is no option, a path. */
  onlyPath(complaint: string): string {
    const [path, ...others] = this.positionals;
    if (path === undefined || path === "" || others.length > 0) throw usageError(complaint);
    return path;
  }

  /** One of `values`, or undefined when not given. */
  oneOf<T extends string>(name: string, values: readonly T[]): T | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const found = values.find((candidate) => candidate === value);
    if (found === undefined)
      throw usageError(`--${name} must be one of ${values.join(", ")}, not "${value}".`);
    return found;
  }

  number(name: string, least: number, most: number): number | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : readNumber(name, value, least, most);
  }

  numbers(name: string, least: number, most: number): number[] {
    return this.texts(name).map((value) => readNumber(name, value, least, most));
  }

  integer(name: string, least: number, most: number): number | undefined {
    const value = this.number(name, least, most);
    if (value !== undefined && !Number.isInteger(value))
      throw usageError(`--${name} must be a whole number.`);
    return value;
  }
}

/** Token ids as written: `5,9,33`. Throws InvalidRequest. */
export function parseIds(text: string): Int32Array {
  const ids = text.split(",").map((part) => (/^\s*\d{1,9}\s*$/.test(part) ? Number(part) : NaN));
  if (ids.some(Number.isNaN)) throw usageError(`"${text}" is not a list of token ids.`, "Write 5,9,33.");
  return Int32Array.from(ids);
}

function present(value: string | undefined, name: string, why: string): string {
  if (value === undefined) throw usageError(`--${name} is missing: ${why}.`);
  return value;
}

function readNumber(name: string, text: string, least: number, most: number): number {
  const value = text.trim() === "" ? NaN : Number(text);
  if (!(value >= least && value <= most)) {
    throw usageError(`--${name} must be a number from ${least} to ${most}, not "${text}".`);
  }
  return value;
}

/** `--strength -4` as `--strength=-4`: parseArgs takes the number for an option. */
function joinNegativeNumbers(argv: readonly string[], specs: OptionSpecs): string[] {
  const joined: string[] = [];
  for (const argument of argv) {
    const before = joined.at(-1);
    const takesValue = before?.startsWith("--") === true && specs[before.slice(2)]?.type === "string";
    if (takesValue && /^-\.?\d/.test(argument)) joined[joined.length - 1] = `${before}=${argument}`;
    else joined.push(argument);
  }
  return joined;
}
