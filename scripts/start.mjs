/** `npm start`: until the editor part exists, the demo. */
await import("./demo.mjs");
