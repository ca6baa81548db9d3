/**
 * "Inspect Selection": tokens of a document, coloured by their projection on a vector. What is coloured is right for the
 * text as it stands, or it is not coloured: touched tokens lose their colour at once and are read again after a pause.
 */
import * as vscode from "vscode";
import { contextKeys } from "../ids.ts";
import { registerCommand } from "../registerCommand.ts";
import type { Services } from "../services.ts";
import type { VectorEntry } from "../vectors.ts";
import {
  changeRegion,
  colourScale,
  isInside,
  regionOf,
  type DocumentText,
  type Region,
} from "./inspectedText.ts";
import { InspectionPaint, inspectionHover, type Inspected } from "./inspectionPaint.ts";
import { projectTexts, type Projected } from "./inspectionRun.ts";
import {
  rangesInText,
  readInspectionRequest,
  textsToInspect,
  type InspectArguments,
  type InspectedPart,
} from "./inspectionRequest.ts";

/** After the last key stroke. */
const pauseMilliseconds = 400;
/** Runs during which the text changed, before the command gives up. */
const maximumAttempts = 3;

/** What the command gives to callers. */
export interface InspectionResult {
  readonly vector: string;
  readonly layer: number;
  readonly model: string;
  /** Sizes from which tokens are coloured; null: none is. */
  readonly scale: readonly number[] | null;
  /** `range`: start line, start character, end line, end character. */
  readonly tokens: readonly {
    readonly text: string;
    readonly range: readonly [number, number, number, number];
    readonly projection: number;
    readonly projections: readonly number[];
  }[];
}

interface Inspection {
  readonly document: vscode.TextDocument;
  entry: VectorEntry;
  /** null: the layer that the vector is shown at, also when it changes. */
  readonly fixedLayer: number | null;
  /** Ranges are where they were when the command was given; the regions tell where they are now. */
  readonly part: InspectedPart;
  regions: readonly Region[];
  projected: Projected | null;
  /** Counts changes, so that a run that was overtaken is known. */
  stamp: number;
  timer: NodeJS.Timeout | undefined;
}

export function registerInspection(services: Services): vscode.Disposable {
  const inspections = new Inspections(services);
  return vscode.Disposable.from(
    inspections,
    registerCommand(services, "inspectSelection", (given?: InspectArguments) => inspections.inspect(given)),
    registerCommand(services, "clearInspection", () => {
      inspections.clear();
    }),
    vscode.languages.registerHoverProvider("*", {
      provideHover: (document, position) => inspections.hover(document, position),
    }),
  );
}

/** A file that was written or touched is read again, into another object: what counts is what it holds. */
function haveSameVectors(a: VectorEntry, b: VectorEntry): boolean {
  if (a.file === b.file) return true;
  if (a.file === null || b.file === null) return false;
  const [left, right] = [a.file, b.file];
  return (
    left.hidden === right.hidden &&
    left.vectors.length === right.vectors.length &&
    left.vectors.every((value, index) => value === right.vectors[index])
  );
}

class Inspections implements vscode.Disposable {
  readonly #services: Services;
  readonly #paint = new InspectionPaint();
  readonly #all = new Map<vscode.TextDocument, Inspection>();
  readonly #subscriptions: vscode.Disposable;

  constructor(services: Services) {
    this.#services = services;
    this.#subscriptions = vscode.Disposable.from(
      vscode.workspace.onDidChangeTextDocument((event) => {
        this.#onChange(event);
      }),
      vscode.workspace.onDidCloseTextDocument((document) => {
        this.#drop(document);
      }),
      vscode.window.onDidChangeVisibleTextEditors((editors) => {
        for (const editor of editors) this.#paintEditor(editor);
      }),
      vscode.window.onDidChangeActiveTextEditor(() => {
        this.#showLegend();
      }),
      services.vectors.onDidChange(() => {
        this.#onVectorsChange();
      }),
    );
  }

  async inspect(given: InspectArguments | undefined): Promise<InspectionResult | undefined> {
    const request = await readInspectionRequest(this.#services, given);
    if (request === undefined) return undefined;
    const { document, entry, layer, part } = request;
    this.#drop(document);
    const inspection: Inspection = {
      document,
      entry,
      fixedLayer: layer,
      part,
      regions: textsToInspect(document, part).map(regionOf),
      projected: null,
      stamp: 0,
      timer: undefined,
    };
    this.#all.set(document, inspection);
    try {
      for (let attempt = 0; attempt < maximumAttempts; attempt++) {
        await this.#run(inspection, vscode.ProgressLocation.Notification);
        if (inspection.projected !== null || this.#all.get(document) !== inspection) break;
      }
    } catch (error) {
      this.#drop(document);
      throw error;
    }
    // The text kept changing, or the editor was closed.
    if (inspection.projected === null) this.#drop(document);
    return this.#all.get(document) === inspection ? this.#result(inspection) : undefined;
  }

  clear(): void {
    for (const document of [...this.#all.keys()]) this.#drop(document);
  }

  hover(document: vscode.TextDocument, position: vscode.Position): vscode.Hover | null {
    const shown = this.#shown(document);
    return shown && inspectionHover(document, document.offsetAt(position), shown);
  }

  dispose(): void {
    for (const { timer } of this.#all.values()) clearTimeout(timer);
    this.#subscriptions.dispose();
    this.#paint.dispose();
  }

  async #run(inspection: Inspection, location: vscode.ProgressLocation): Promise<void> {
    const { document, entry, stamp } = inspection;
    const texts = this.#texts(inspection);
    if (entry.file === null || texts.length === 0) return;
    const { engine, models } = this.#services;
    const { file } = entry;
    const title = vscode.l10n.t("Inspecting with {0}", entry.name);
    const projected = await engine.run({ title, location }, (job) => projectTexts(job, models, file, texts));
    if (this.#all.get(document) !== inspection || inspection.stamp !== stamp) return;
    inspection.projected = projected;
    inspection.regions = projected.regions;
    this.#show(inspection);
  }

  #texts({ part, document, regions }: Inspection): readonly DocumentText[] {
    return textsToInspect(document, typeof part === "string" ? part : rangesInText(document, regions));
  }

  #onChange({ document, contentChanges }: vscode.TextDocumentChangeEvent): void {
    const inspection = this.#all.get(document);
    if (inspection === undefined || contentChanges.length === 0) return;
    const before = inspection.regions;
    let regions = before;
    let isTouched = inspection.part === "examples";
    // From the end of the document to its start: offsets before a change still hold.
    const changes = [...contentChanges].sort((a, b) => b.rangeOffset - a.rangeOffset);
    for (const { rangeOffset: offset, rangeLength: removed, text } of changes) {
      // With several changes, text before one of them has moved, too: nothing of the region is kept.
      const keepUntil = changes.length > 1 ? 0 : lastSpaceBefore(document, offset);
      regions = regions.flatMap((region) => {
        const change = { offset, removed, inserted: text.length };
        if (isInside(region, change)) isTouched = true;
        return changeRegion(region, change, keepUntil) ?? [];
      });
    }
    if (!isTouched && regions.every((region, place) => region === before[place])) return;
    inspection.regions = regions;
    inspection.stamp++;
    if (!isTouched) return;
    if (regions.length === 0) {
      this.#drop(document);
      return;
    }
    this.#show(inspection);
    // Before the first result the command itself tries again.
    if (inspection.projected !== null) this.#againSoon(inspection);
  }

  #againSoon(inspection: Inspection): void {
    clearTimeout(inspection.timer);
    inspection.timer = setTimeout(() => void this.#again(inspection), pauseMilliseconds);
  }

  /** Reads changed text anew where that costs the person nothing; otherwise the colours go. */
  async #again(inspection: Inspection): Promise<void> {
    const { engine, log } = this.#services;
    const isFree = engine.state.kind === "ready" && engine.pid !== undefined;
    if (!isFree || engine.model?.modelHash !== inspection.projected?.model.modelHash) {
      this.#drop(inspection.document);
      return;
    }
    const { stamp } = inspection;
    try {
      await this.#run(inspection, vscode.ProgressLocation.Window);
      // The text moved in the meantime, so that the result was for other places.
      if (inspection.stamp !== stamp && this.#all.get(inspection.document) === inspection) {
        this.#againSoon(inspection);
      }
    } catch (error) {
      // Nobody asked for this run: its failure is no message, and what cannot be shown is not shown.
      log.warn(`Inspection: ${String(error)}`);
      this.#drop(inspection.document);
    }
  }

  #onVectorsChange(): void {
    for (const [document, inspection] of [...this.#all]) {
      const entry = this.#services.vectors.get(inspection.entry.uri);
      if (entry === undefined || !haveSameVectors(entry, inspection.entry)) this.#drop(document);
      else {
        // The layer may be another one; the projections on all layers are there.
        inspection.entry = entry;
        this.#show(inspection);
      }
    }
  }

  #drop(document: vscode.TextDocument): void {
    const inspection = this.#all.get(document);
    if (inspection === undefined) return;
    clearTimeout(inspection.timer);
    this.#all.delete(document);
    this.#showDocument(document);
  }

  #show({ document }: Inspection): void {
    this.#showDocument(document);
  }

  #showDocument(document: vscode.TextDocument): void {
    for (const editor of vscode.window.visibleTextEditors) {
      if (editor.document === document) this.#paintEditor(editor);
    }
    this.#showLegend();
    const isInspecting = [...this.#all.values()].some(({ projected }) => projected !== null);
    void vscode.commands.executeCommand("setContext", contextKeys.inspecting, isInspecting);
  }

  #paintEditor(editor: vscode.TextEditor): void {
    this.#paint.paint(editor, this.#shown(editor.document));
  }

  #showLegend(): void {
    const document = vscode.window.activeTextEditor?.document;
    this.#paint.showLegend(document === undefined ? null : this.#shown(document));
  }

  #shown(document: vscode.TextDocument): Inspected | null {
    const inspection = this.#all.get(document);
    if (!inspection?.projected) return null;
    const { entry, regions, projected } = inspection;
    const layer = this.#layerOf(inspection);
    return {
      vectorName: entry.name,
      modelName: projected.model.name,
      layer,
      layers: entry.file?.present ?? [],
      regions,
      // Of the whole text that was read: colours do not change while parts of it wait to be read again.
      scale: colourScale(projected.regions, layer),
      tokens: projected.tokens,
      isCut: projected.isCut,
      warnings: projected.warnings,
    };
  }

  #layerOf({ fixedLayer, entry }: Inspection): number {
    return fixedLayer ?? this.#services.vectors.layerOf(entry);
  }

  #result(inspection: Inspection): InspectionResult {
    const { document, entry, projected, regions } = inspection;
    const layer = this.#layerOf(inspection);
    const layers = projected!.model.layers;
    return {
      vector: entry.name,
      layer,
      model: projected!.model.model,
      scale: colourScale(regions, layer),
      tokens: regions.flatMap((region) =>
        region.cells.map((cell) => {
          const [start, end] = [document.positionAt(cell.from), document.positionAt(cell.to)];
          const projections = Array.from(
            { length: layers },
            (_, each) => region.projections[each * region.pieces.length + cell.first]!,
          );
          return {
            text: document.getText(new vscode.Range(start, end)),
            range: [start.line, start.character, end.line, end.character] as const,
            projection: projections[layer]!,
            projections,
          };
        }),
      ),
    };
  }
}

/** Offset of the last white space before `offset`, on its line; text before it is not touched by a change at `offset`. */
function lastSpaceBefore(document: vscode.TextDocument, offset: number): number {
  const position = document.positionAt(offset);
  const before = document.lineAt(position.line).text.slice(0, position.character);
  const space = before.search(/\s\S*$/);
  // Without one, the line break before the line; an offset that no cell can end at or before stands for the start.
  return offset - position.character + (space < 0 ? -1 : space);
}
