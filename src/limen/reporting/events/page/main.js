// What happens when the page opens.

import { startClips } from "./clips.js";
import { now, show } from "./counting.js";
import { drawn } from "./drawing.js";
import { content, labels, nRecordings, references } from "./model.js";
import { startPanel } from "./panel.js";
import { byId, counted } from "../../page/dom.js";
import { startTable } from "./table.js";

/** Draw again what takes its colours from the theme. */
function repaint() {
  for (const update of drawn.values()) update();
}

function startThemes() {
  for (const button of byId("themes").children) {
    button.addEventListener("click", () => {
      const theme = button.getAttribute("data-theme-name") ?? "";
      if (theme) document.documentElement.dataset.theme = theme;
      else delete document.documentElement.dataset.theme;
      for (const other of byId("themes").children) other.setAttribute("aria-pressed", String(other === button));
      repaint();
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
}

byId("title").textContent = content.title;
byId("facts").textContent = [counted(nRecordings, "recording"), counted(labels.length, "label"),
  `${counted(references.flat(2).length, "true event")}`, content.criterion_words, content.created.slice(0, 10)].join(" · ");
byId("offline").textContent = content.media?.where ? `the file works offline but for sounds, which it asks ${content.media.where} for.`
  : "the file works offline; recordings are played from where they lie.";
startPanel();
startTable();
startClips();
startThemes();
show(now.label);
document.documentElement.dataset.ready = "true";
