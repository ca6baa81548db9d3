import { join } from "node:path";
import {
  catalogueName,
  invalidCatalogue,
  maximumCatalogueBytes,
  parseCatalogue,
  type CatalogueModel,
} from "../formats/modelCatalogue.ts";
import { isSteerscopeError } from "../shared/errors.ts";
import { readFileBounded } from "./files.ts";

/** The catalogue in the folder of the models that ship. Throws FileUnreadable. */
export async function readCatalogueFile(folder: string): Promise<readonly CatalogueModel[]> {
  try {
    const bytes = await readFileBounded(join(folder, catalogueName), maximumCatalogueBytes);
    return parseCatalogue(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (error) {
    throw isSteerscopeError(error) ? error : invalidCatalogue((error as Error).message, error);
  }
}
