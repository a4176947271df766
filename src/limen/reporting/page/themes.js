// Light and dark, and the light of paper: what every report's page uses.

import { byId } from "./dom.js";

/** @param {string} theme  "light", "dark", or "" for that of the system. @param {() => void} repaint */
function setTheme(theme, repaint) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  for (const button of byId("themes").children) {
    button.setAttribute("aria-pressed", String((button.getAttribute("data-theme-name") ?? "") === theme));
  }
  repaint();
}

/** @param {() => void} repaint  Draws anew what takes its colours from the theme. */
export function startThemes(repaint) {
  for (const button of byId("themes").children) {
    button.addEventListener("click", () => setTheme(button.getAttribute("data-theme-name") ?? "", repaint));
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
}

/** On paper: the light theme. @param {() => void} repaint @param {(printing: boolean) => void} [prepare]  What else changes. */
export function startPrinting(repaint, prepare = () => {}) {
  let theme = "", printing = false;
  addEventListener("beforeprint", () => {
    if (printing) return;
    printing = true;
    theme = document.documentElement.dataset.theme ?? "";
    setTheme("light", repaint);
    prepare(true);
  });
  addEventListener("afterprint", () => {
    if (!printing) return;
    printing = false;
    prepare(false);
    setTheme(theme, repaint);
  });
}
