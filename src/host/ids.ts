/** Names that package.json and the code must agree on; test/unit/manifest.test.ts compares them. */

export const commandIds = {
  addPositive: "steering.addPositive",
  addNegative: "steering.addNegative",
  addPair: "steering.addPair",
  newSet: "steering.newSet",
  renameSet: "steering.renameSet",
  deleteSet: "steering.deleteSet",
  duplicateSet: "steering.duplicateSet",
  activateSet: "steering.activateSet",
  importExamples: "steering.importExamples",
  exportSet: "steering.exportSet",
  openSet: "steering.openSet",
  revealExample: "steering.revealExample",
  editExample: "steering.editExample",
  removeExample: "steering.removeExample",
  moveExample: "steering.moveExample",
  moveExampleToSet: "steering.moveExampleToSet",
  pairExamples: "steering.pairExamples",
  unpairExamples: "steering.unpairExamples",
  copyExample: "steering.copyExample",
  computeVector: "steering.computeVector",
  openVector: "steering.openVector",
  renameVector: "steering.renameVector",
  deleteVector: "steering.deleteVector",
  duplicateVector: "steering.duplicateVector",
  negateVector: "steering.negateVector",
  combineVectors: "steering.combineVectors",
  revealVector: "steering.revealVector",
  copyVectorPath: "steering.copyVectorPath",
  setStrength: "steering.setStrength",
  switchVector: "steering.switchVector",
  editRecipe: "steering.editRecipe",
  selectModel: "steering.selectModel",
  downloadModel: "steering.downloadModel",
  cancelDownload: "steering.cancelDownload",
  discardDownload: "steering.discardDownload",
  loadModel: "steering.loadModel",
  unloadModel: "steering.unloadModel",
  testModel: "steering.testModel",
  deleteModel: "steering.deleteModel",
  revealModel: "steering.revealModel",
  openModelFolder: "steering.openModelFolder",
  refreshModels: "steering.refreshModels",
  setHubToken: "steering.setHubToken",
  forgetHubToken: "steering.forgetHubToken",
  inspectSelection: "steering.inspectSelection",
  clearInspection: "steering.clearInspection",
  generateHere: "steering.generateHere",
  stop: "steering.stop",
  restartEngine: "steering.restartEngine",
  clearCaches: "steering.clearCaches",
  showLog: "steering.showLog",
  copyDiagnostics: "steering.copyDiagnostics",
  showStatus: "steering.showStatus",
  openWalkthrough: "steering.openWalkthrough",
} as const;

export type CommandName = keyof typeof commandIds;

export const viewIds = {
  examples: "steering.examples",
  vectors: "steering.vectors",
  models: "steering.models",
} as const;

export const vectorEditorType = "steering.vector";
export const walkthroughId = "steerscope.steerscope#start";

/** Keys of `when` clauses that this extension sets. */
export const contextKeys = {
  /** A job runs in the engine. */
  busy: "steering.busy",
  /** Some editor shows coloured tokens. */
  inspecting: "steering.inspecting",
  /** Text is written into an editor. */
  generating: "steering.generating",
  /** none, unloaded, loading, ready, failed */
  modelState: "steering.modelState",
} as const;
