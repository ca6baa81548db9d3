/**
 * The recipe line: all that is applied to a model, in one line that is shown, edited, copied and stored with results:
 *
 *   0.8*mood@16 - 0.3*formal@12-18 scope:after-prompt
 *
 * Terms `strength*vector@layers`, joined by ` + ` and ` - `; without a strength it is 1; `0.1r` counts in median residual
 * norms. `ablate:vector@layers` and `cap:vector@layers<=limit` are terms, too. Then `scope:…` and `norm:keep`. The
 * operators stand between spaces, since names and layers may hold a hyphen. Names with other characters than letters,
 * digits and `_.-` are JSON strings in double quotes.
 */
import { formatLayers, parseLayers } from "./layers.ts";
import { formatScope, parseScope, type Scope } from "./scope.ts";

export type RecipeTerm =
  | {
      readonly kind: "add";
      readonly vector: string;
      readonly layers: readonly number[];
      readonly strength: number;
      /** What strength counts: the vector's own length, or median residual norms of the layer. */
      readonly unit: "vector" | "residual-norm";
    }
  | { readonly kind: "ablate"; readonly vector: string; readonly layers: readonly number[] }
  | {
      readonly kind: "cap";
      readonly vector: string;
      readonly layers: readonly number[];
      /** Projections above it are brought down to it. */
      readonly limit: number;
    };

export interface Recipe {
  readonly terms: readonly RecipeTerm[];
  /** null: not said. */
  readonly scope: Scope | null;
  /** The residual stream keeps its norm. */
  readonly keepsNorm: boolean;
}

/** A stretch [from, to) of the line, in UTF-16 units. */
export interface RecipePlace {
  readonly from: number;
  readonly to: number;
}

/** Where a term's parts stand, so that a vector or a layer that does not exist can be pointed at. */
export interface TermPlaces {
  readonly vector: RecipePlace;
  readonly layers: RecipePlace;
}

export interface RecipeProblem extends RecipePlace {
  /** A sentence for people. */
  readonly message: string;
}

export type ParsedRecipe =
  | { readonly recipe: Recipe; readonly places: readonly TermPlaces[]; readonly problem: null }
  | { readonly recipe: null; readonly places: null; readonly problem: RecipeProblem };

/** What is known of a vector that a recipe names. */
export interface KnownVector {
  /** Layers that it has. */
  readonly layers: readonly number[];
  /** Why it cannot be used, as a sentence, e.g. that its width is another one. */
  readonly problem?: string;
}

const maximumCharacters = 10_000;
const bareName = /[\p{L}\p{N}_.-]+/uy;
/** What can stand without quotes: not to be taken for a number, which is where a strength begins. */
const plainName = /^[\p{L}_][\p{L}\p{N}_.-]*$/u;
const quotedName = /"(?:[^"\\]|\\.)*"/y;
const unsigned = /(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y;
const signed = /[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y;
const layerList = /[\d,-]+/y;
const word = /\S+/y;
const spaces = /\s*/y;

/** Reads a line. Nothing is applied by an empty one. */
export function parseRecipe(line: string): ParsedRecipe {
  try {
    const reader = new RecipeReader(line);
    const recipe = reader.read();
    return { recipe, places: reader.places, problem: null };
  } catch (error) {
    if (error instanceof PlacedError) {
      const { message, from, to } = error;
      return { recipe: null, places: null, problem: { message, from, to } };
    }
    throw error;
  }
}

/** The inverse of `parseRecipe`. */
export function formatRecipe({ terms, scope, keepsNorm }: Recipe): string {
  const parts = terms.map((term, index) => {
    const isNegative = term.kind === "add" && term.strength < 0;
    const sign = index === 0 ? (isNegative ? "-" : "") : isNegative ? "- " : "+ ";
    return sign + formatTerm(term);
  });
  if (scope !== null) parts.push(`scope:${formatScope(scope)}`);
  if (keepsNorm) parts.push("norm:keep");
  return parts.join(" ");
}

/** The first term that cannot be applied, pointed at; null when all can. `places` as `parseRecipe` gives them. */
export function checkRecipe(
  { terms }: Pick<Recipe, "terms">,
  places: readonly TermPlaces[],
  find: (vector: string) => KnownVector | undefined,
): RecipeProblem | null {
  for (const [index, { vector, layers }] of terms.entries()) {
    const place = places[index]!;
    const known = find(vector);
    if (known === undefined) return { ...place.vector, message: `There is no vector "${vector}".` };
    if (known.problem !== undefined) return { ...place.vector, message: known.problem };
    const missing = layers.find((layer) => !known.layers.includes(layer));
    if (missing !== undefined) {
      const message = `"${vector}" has no layer ${missing}; it has ${formatLayers(known.layers)}.`;
      return { ...place.layers, message };
    }
  }
  return null;
}

function formatTerm(term: RecipeTerm): string {
  const where = `${formatVectorName(term.vector)}@${formatLayers(term.layers)}`;
  switch (term.kind) {
    case "add":
      return `${Math.abs(term.strength)}${term.unit === "vector" ? "" : "r"}*${where}`;
    case "ablate":
      return `ablate:${where}`;
    case "cap":
      return `cap:${where}<=${term.limit}`;
  }
}

/** A vector's name as it stands in a recipe: quoted where it must be. */
export function formatVectorName(name: string): string {
  return plainName.test(name) ? name : JSON.stringify(name);
}

class PlacedError extends Error {
  readonly from: number;
  readonly to: number;

  constructor(message: string, { from, to }: RecipePlace) {
    super(message);
    this.from = from;
    this.to = to;
  }
}

class RecipeReader {
  readonly places: TermPlaces[] = [];
  readonly #line: string;
  #at = 0;

  constructor(line: string) {
    this.#line = line;
  }

  read(): Recipe {
    if (this.#line.length > maximumCharacters) {
      this.#fail(`A recipe has at most ${maximumCharacters} characters.`, maximumCharacters);
    }
    const terms: RecipeTerm[] = [];
    let scope: Scope | null = null;
    let keepsNorm = false;
    let hasOptions = false;
    for (;;) {
      this.#skipSpaces();
      if (this.#at >= this.#line.length) return { terms, scope, keepsNorm };
      const start = this.#at;
      if (this.#takes("scope:")) {
        if (scope !== null) this.#fail("The scope is said twice.", start);
        scope = this.#scope();
        hasOptions = true;
      } else if (this.#takes("norm:")) {
        if (keepsNorm) this.#fail("norm is said twice.", start);
        if (!this.#takes("keep")) this.#fail("After norm: only keep can stand.");
        keepsNorm = true;
        hasOptions = true;
      } else {
        if (hasOptions) this.#fail("Vectors stand before scope: and norm:.");
        terms.push(this.#term(terms.length === 0));
      }
      this.#requireGap();
    }
  }

  #term(isFirst: boolean): RecipeTerm {
    const signAt = this.#at;
    const sign = this.#takes("-") ? -1 : this.#takes("+") ? 1 : null;
    if (!isFirst && (sign === null || !this.#isSpace())) {
      this.#fail("Between two vectors stands + or - with spaces around it.", signAt);
    }
    this.#skipSpaces();
    const kind = this.#takes("ablate:") ? "ablate" : this.#takes("cap:") ? "cap" : "add";
    if (kind === "add") {
      const strength = this.#strength(isFirst && sign !== null);
      const value = (sign ?? 1) * strength.value;
      // -0 would be written as 0.
      return { kind, ...this.#target(), strength: value === 0 ? 0 : value, unit: strength.unit };
    }
    if (sign === -1) this.#fail(`${kind}: is not a quantity; write + before it.`, signAt);
    const target = this.#target();
    if (kind === "ablate") return { kind, ...target };
    if (!this.#takes("<=")) this.#fail("cap: needs a limit, as in cap:mood@16<=4.");
    const limit = this.#number(signed, "Here a number is missing.");
    return { kind, ...target, limit: limit === 0 ? 0 : limit };
  }

  /** 1 where none is written. */
  #strength(isSigned: boolean): { value: number; unit: "vector" | "residual-norm" } {
    const start = this.#at;
    const pattern = isSigned ? unsigned : signed;
    if (this.#peek(pattern) === "") return { value: 1, unit: "vector" };
    const value = this.#number(pattern, "");
    const unit = this.#takes("r") ? "residual-norm" : "vector";
    this.#skipSpaces();
    if (this.#takes("*")) {
      this.#skipSpaces();
      return { value, unit };
    }
    // Not a strength, but the beginning of a name such as 2nd or -x.
    return this.#fail(
      "A strength is followed by *; a name that begins with a digit stands in quotes.",
      start,
      this.#at,
    );
  }

  #target(): { vector: string; layers: readonly number[] } {
    const nameAt = this.#at;
    const vector = this.#name();
    const nameEnd = this.#at;
    if (!this.#takes("@")) this.#fail("After the vector stand its layers, as in mood@16.");
    const layersAt = this.#at;
    const text = this.#take(layerList);
    let layers: readonly number[];
    try {
      layers = parseLayers(text);
    } catch {
      return this.#fail("Layers are written 3, or 3,5, or 3-6.", layersAt, Math.max(this.#at, layersAt + 1));
    }
    this.places.push({
      vector: { from: nameAt, to: nameEnd },
      layers: { from: layersAt, to: this.#at },
    });
    return { vector, layers };
  }

  #name(): string {
    const start = this.#at;
    if (this.#line[start] !== '"') {
      const name = this.#take(bareName);
      if (name === "") this.#fail("Here the name of a vector is missing.");
      return name;
    }
    const quoted = this.#take(quotedName);
    if (quoted === "") this.#fail("The closing quote is missing.", start, this.#line.length);
    try {
      const name = JSON.parse(quoted) as string;
      if (name !== "") return name;
    } catch {
      // Said below.
    }
    return this.#fail("This is not a name.", start, this.#at);
  }

  #scope(): Scope {
    const start = this.#at;
    const text = this.#take(word);
    try {
      return parseScope(text);
    } catch {
      return this.#fail(
        "A scope is all, after-prompt, generated, prompt, or a token range such as 3-7.",
        start,
        Math.max(this.#at, start + 1),
      );
    }
  }

  #number(pattern: RegExp, missing: string): number {
    const start = this.#at;
    const text = this.#take(pattern);
    if (text === "") this.#fail(missing);
    const value = Number(text);
    return Number.isFinite(value) ? value : this.#fail("This number is too large.", start, this.#at);
  }

  #requireGap(): void {
    if (this.#at < this.#line.length && !this.#isSpace()) this.#fail("This is not understood.");
  }

  #isSpace(): boolean {
    return /\s/.test(this.#line[this.#at] ?? "");
  }

  #skipSpaces(): void {
    this.#take(spaces);
  }

  #takes(text: string): boolean {
    const found = this.#line.startsWith(text, this.#at);
    if (found) this.#at += text.length;
    return found;
  }

  #peek(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#line)?.[0] ?? "";
  }

  #take(pattern: RegExp): string {
    const text = this.#peek(pattern);
    this.#at += text.length;
    return text;
  }

  #fail(message: string, from = this.#at, to = Math.max(from + 1, this.#at)): never {
    throw new PlacedError(message, { from, to });
  }
}
