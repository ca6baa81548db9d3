import { version } from "../../package.json";

/** Name and version that files record. */
export const program = `steerscope ${version}`;
