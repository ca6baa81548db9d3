/** What a package may and must contain. */

export const limitBytes = 60_000_000;

const native = {
  linux: ["libonnxruntime.so.1"],
  darwin: ["libonnxruntime.1.dylib"],
  win32: ["onnxruntime.dll"],
};

const required = [
  "[Content_Types].xml",
  "extension.vsixmanifest",
  "extension/package.json",
  "extension/package.nls.json",
  "extension/package.nls.zh-cn.json",
  "extension/l10n/bundle.l10n.zh-cn.json",
  "extension/readme.md",
  "extension/changelog.md",
  "extension/LICENSE.txt",
  "extension/media/icon.png",
  "extension/media/steering.svg",
  "extension/dist/extension.js",
  "extension/dist/engine.js",
  "extension/dist/third-party-licenses.txt",
  "extension/models/catalogue.json",
  ...["LICENSE", "README.md", "config.json", "generation_config.json", "model.safetensors"].map(
    (name) => `extension/models/stories15m/${name}`,
  ),
  ...["tokenizer.json", "tokenizer_config.json"].map((name) => `extension/models/stories15m/${name}`),
  "extension/node_modules/onnxruntime-node/package.json",
  "extension/node_modules/onnxruntime-node/dist/index.js",
  "extension/node_modules/onnxruntime-node/dist/binding.js",
  "extension/node_modules/onnxruntime-common/package.json",
  "extension/node_modules/onnxruntime-common/dist/cjs/index.js",
  "extension/node_modules/onnxruntime-common/dist/cjs/package.json",
];

const allowed = [
  /^extension\/package\.nls\.[a-z-]+\.json$/,
  /^extension\/l10n\/bundle\.l10n(\.[a-z-]+)?\.json$/,
  /^extension\/media\/[\w./-]+\.(svg|png|md|css)$/,
  /^extension\/media\/schemas\/[\w.-]+\.json$/,
  /^extension\/dist\/webview\.js$/,
  /^extension\/examples\/workspace\/[\w./-]+\.(md|txt|jsonl|json)$/,
  /^extension\/node_modules\/onnxruntime-node\/dist\/[\w-]+\.js$/,
  /^extension\/node_modules\/onnxruntime-common\/dist\/cjs\/[\w-]+\.js$/,
];

/**
 * Sentences on what is wrong with a package for `target` ("linux-x64"); none: it is as it should be.
 * `entries`: path and size in bytes of each of its files; `packageBytes`: size of the package itself.
 */
export function contentProblems(target, entries, packageBytes) {
  const [os, arch] = target.split("-");
  const binaries = ["onnxruntime_binding.node", ...native[os]].map(
    (name) => `extension/node_modules/onnxruntime-node/bin/napi-v6/${os}/${arch}/${name}`,
  );
  const must = [...required, ...binaries];
  const present = new Map(entries.map(({ path, bytes }) => [path, bytes]));
  const problems = [
    ...must.filter((path) => !present.has(path)).map((path) => `${path} is missing.`),
    ...must.filter((path) => present.get(path) === 0).map((path) => `${path} is empty.`),
    ...[...present.keys()]
      .filter((path) => !must.includes(path) && !allowed.some((pattern) => pattern.test(path)))
      .map((path) => `${path} should not be there.`),
  ];
  if (packageBytes > limitBytes) {
    problems.push(`It has ${megabytes(packageBytes)}; the limit is ${megabytes(limitBytes)}.`);
  }
  return problems;
}

export function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
