/** Only the theme's own colours: right in dark, light and high contrast, whichever theme that is. */
export const vectorPageStyle = `
body { color: var(--vscode-editor-foreground); font-family: var(--vscode-font-family); font-size: var(--vscode-font-size); padding: 0 24px 32px; }
main { max-width: 980px; }
h1 { font-size: 1.6em; font-weight: 600; margin: 20px 0 8px; overflow-wrap: anywhere; }
h2 { font-size: 1.15em; font-weight: 600; margin: 28px 0 8px; }
.lead { margin: 0 0 16px; line-height: 1.5; }
.detail { font-family: var(--vscode-editor-font-family); overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
.scroll:focus-visible { outline: 1px solid var(--vscode-focusBorder); outline-offset: 2px; }
table { border-collapse: collapse; }
th { font-weight: 600; }
.layers { font-variant-numeric: tabular-nums; }
.layers th, .layers td { padding: 4px 14px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--vscode-panel-border, var(--vscode-contrastBorder)); }
.layers thead th { border-bottom-width: 2px; }
.layers tbody th { font-weight: normal; }
.layers .best th, .layers .best td { background: var(--vscode-editor-inactiveSelectionBackground); font-weight: 600; }
.vscode-high-contrast .best th, .vscode-high-contrast .best td { background: none; border-top: 2px solid var(--vscode-contrastActiveBorder); border-bottom: 2px solid var(--vscode-contrastActiveBorder); }
.layers .best .interval { color: inherit; }
.mark { font-weight: normal; font-size: 0.9em; padding: 0 6px; margin-left: 6px; border-radius: 3px; color: var(--vscode-badge-foreground); background: var(--vscode-badge-background); border: 1px solid var(--vscode-contrastBorder, transparent); }
.interval { font-weight: normal; color: var(--vscode-descriptionForeground); }
.legend { margin: 10px 0 0; color: var(--vscode-descriptionForeground); font-size: 0.92em; line-height: 1.5; }
.legend div { display: inline; }
.legend dt, .legend dd { display: inline; margin: 0; }
.legend dt { font-weight: 600; }
.legend dt::after { content: ": "; }
.legend dd::after { content: ". "; }
.facts th { text-align: left; vertical-align: top; padding: 3px 24px 3px 0; font-weight: normal; color: var(--vscode-descriptionForeground); white-space: nowrap; }
.facts td { padding: 3px 0; overflow-wrap: anywhere; line-height: 1.45; }
.facts code { font-family: var(--vscode-editor-font-family); font-size: 0.92em; }
.profiles { display: flex; flex-wrap: wrap; gap: 24px; margin: 0; }
figure { margin: 0; }
figcaption { color: var(--vscode-descriptionForeground); margin-bottom: 4px; }
svg { display: block; max-width: 100%; height: auto; }
.axis { stroke: var(--vscode-descriptionForeground); stroke-width: 1; }
.chance { stroke: var(--vscode-descriptionForeground); stroke-dasharray: 4 3; }
.line { fill: none; stroke-width: 2; stroke: var(--vscode-charts-blue, var(--vscode-editor-foreground)); }
.point { fill: var(--vscode-charts-blue, var(--vscode-editor-foreground)); }
.here { stroke: var(--vscode-editor-foreground); stroke-width: 1.5; fill: var(--vscode-editor-background); }
text { fill: var(--vscode-editor-foreground); font-size: 11px; }
.high { text-anchor: end; }
.middle { text-anchor: middle; }
`;
