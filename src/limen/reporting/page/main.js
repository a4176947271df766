// What happens when the page opens.

import { startAddress } from "./address.js";
import { startAttention } from "./attention.js";
import { readColours, repaint } from "./charts.js";
import { byId } from "./dom.js";
import { redo, undo } from "./edits.js";
import { startLabel } from "./label.js";
import { startLimitCharts } from "./limitcharts.js";
import { startLimits } from "./limitpanel.js";
import { showErrors, showMethods, startChanges } from "./lists.js";
import { content } from "./model.js";
import { showBar, showFacts, showFirstRows, showTiles } from "./overview.js";
import { startReview } from "./review.js";
import { startSaving } from "./saving.js";
import { drawRows, startTable, table } from "./table.js";
import { startTradeoff } from "./tradeoff.js";
import { showVerdict } from "./verdict.js";

/** @param {string} theme  "light", "dark", or "" for that of the system. */
function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  for (const button of byId("themes").children) {
    button.setAttribute("aria-pressed", String((button.getAttribute("data-theme-name") ?? "") === theme));
  }
  repaint();
}

function startThemes() {
  for (const button of byId("themes").children) {
    button.addEventListener("click", () => setTheme(button.getAttribute("data-theme-name") ?? ""));
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
}

/** On paper: every row, in the light theme. */
function startPrinting() {
  let theme = "";
  addEventListener("beforeprint", () => {
    if (table.whole) return;
    theme = document.documentElement.dataset.theme ?? "";
    setTheme("light");
    table.whole = true;
    drawRows();
  });
  addEventListener("afterprint", () => {
    if (!table.whole) return;
    table.whole = false;
    setTheme(theme);
    drawRows();
  });
}

function startKeys() {
  addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement && /^(text|search|number)$/.test(event.target.type);
    if (!(event.ctrlKey || event.metaKey) || event.altKey || typing) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    if (key === "y" || event.shiftKey) redo();
    else undo();
  });
}

readColours();
byId("title").textContent = content.title;
showFacts();
showFirstRows();
showTiles();
showBar();
startAttention();
startTable();
startReview();
startLimits();
startLimitCharts();
startLabel();
startTradeoff();
showMethods();
showErrors();
startChanges();
startSaving();
showVerdict();
startThemes();
startPrinting();
startKeys();
startAddress();
document.documentElement.dataset.ready = "true";
performance.mark("ready");
