/** Settings of the VS Codes that tests start. */

/** A quiet VS Code: nothing asks, nothing looks at a network. */
export const quietSettings = {
  "security.workspace.trust.enabled": false,
  "workbench.startupEditor": "none",
  "workbench.tips.enabled": false,
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "chat.disableAIFeatures": true,
  "telemetry.telemetryLevel": "off",
  "extensions.autoUpdate": false,
  "extensions.autoCheckUpdates": false,
  "extensions.ignoreRecommendations": true,
  "git.enabled": false,
  // As on the desktop; in a browser it is on, and each save is a step of undo.
  "files.autoSave": "off",
  "remote.autoForwardPorts": false,
  "window.confirmBeforeClose": "never",
};

/** For a window that is not trusted and does not ask. */
export const untrustedSettings = {
  "security.workspace.trust.enabled": true,
  "security.workspace.trust.startupPrompt": "never",
  "security.workspace.trust.banner": "never",
  "security.workspace.trust.emptyWindow": false,
};
