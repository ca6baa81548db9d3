import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.{ts,mjs}"] } },
      {
        test: {
          name: "engine",
          include: ["test/engine/**/*.test.ts"],
          // Each file loads native code and models: one after the other on a small machine.
          fileParallelism: false,
          pool: "forks",
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.mjs"],
          globalSetup: "test/e2e/support/package.mjs",
          // One VS Code at a time, and each test builds on what the one before has done.
          fileParallelism: false,
          pool: "forks",
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "kill",
          include: ["test/kill/**/*.test.mjs"],
          globalSetup: "test/e2e/support/package.mjs",
          pool: "forks",
          // Set by the number of kills.
          testTimeout: 0,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
