/** npm run test:kill [-- moments]: kills the engine, the extension host and the server at 100 (or so many) random moments. */
import { ensureInstalled, runNode } from "./install.mjs";

ensureInstalled();
process.env.STEERSCOPE_KILLS = process.argv[2] ?? "100";
process.exitCode = runNode("node_modules/vitest/vitest.mjs", ["run", "--project", "kill"]) ? 0 : 1;
