import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import importX from "eslint-plugin-import-x";
import tseslint from "typescript-eslint";

const root = dirname(fileURLToPath(import.meta.url));

/** Import arrows of docs/architecture.md: for each folder of src, the folders it may import from besides itself. */
const arrows = {
  shared: [],
  steering: ["shared"],
  formats: ["shared"],
  "engine/onnx": ["shared"],
  evaluation: ["shared", "steering"],
  engine: ["shared", "steering", "formats"],
  client: ["shared", "formats"],
  host: ["shared", "steering", "formats", "client"],
  cli: ["shared", "formats", "client", "evaluation"],
};
const folders = Object.keys(arrows);

const zones = folders.map((folder) => ({
  target: `./src/${folder}`,
  from: "./src",
  except: [folder, ...arrows[folder]].map((allowed) => `./${allowed}`),
  message: `src/${folder} may import only ${["itself", ...arrows[folder]].join(", ")} (docs/architecture.md).`,
}));

const nodeFree = ["shared", "steering", "formats", "engine/onnx"].map((folder) => `src/${folder}/**/*.ts`);

export default tseslint.config(
  { ignores: ["dist/", "node_modules/", "models/", "test/fixtures/", ".cache/"] },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: root } },
    plugins: { "import-x": importX },
    rules: {
      "import-x/no-restricted-paths": ["error", { basePath: root, zones }],
      "import-x/no-cycle": "error",
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      // Numeric kernels index typed arrays in bounds they have just checked; `!` is how the strict index rule is answered there.
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/prefer-for-of": "off",
      eqeqeq: "error",
      "no-console": "error",
    },
  },
  {
    files: nodeFree,
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            {
              regex: "^(node:|vscode$|onnxruntime)",
              message: "This folder is pure: no Node, no vscode, no native code.",
            },
          ],
        },
      ],
    },
  },
  {
    files: ["src/host/**/*.ts", "src/cli/**/*.ts", "src/client/**/*.ts", "src/extension.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            { regex: "^(onnxruntime|@huggingface)", message: "Model code runs in the engine process only." },
          ],
        },
      ],
    },
  },
  { files: ["src/cli/**/*.ts", "test/**/*.ts"], rules: { "no-console": "off" } },
);
