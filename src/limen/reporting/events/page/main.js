// What happens when the page opens.

import { startClips } from "./clips.js";
import { redo, undo } from "./counting.js";
import { repaintAll } from "./drawing.js";
import { byId, counted } from "../../page/dom.js";
import { startKeys } from "../../page/history.js";
import { startLimits } from "./limits.js";
import { content, labels, nRecordings, references } from "./model.js";
import { startPanel } from "./panel.js";
import { startSaving } from "./saving.js";
import { startTable } from "./table.js";
import { startPrinting, startThemes } from "../../page/themes.js";
import { startVerdict } from "./verdict.js";

/** How long the recordings are together. */
function lengthText() {
  const minutes = 60 * content.hours;
  return minutes < 1 ? `${Number((60 * minutes).toPrecision(3))} s` : minutes < 120 ? `${Number(minutes.toPrecision(3))} minutes`
    : `${Number(content.hours.toPrecision(3))} hours`;
}

byId("title").textContent = content.title;
byId("facts").textContent = [counted(nRecordings, "recording"), counted(labels.length, "label"),
  counted(references.flat(2).length, "true event"), lengthText(), `settings of ${content.created.slice(0, 10)}`].join(" · ");
byId("offline").textContent = content.media?.where ? `the file works offline but for sounds, which it asks ${content.media.where} for.`
  : `the file works offline${content.media ? "; recordings are played from where they lie" : ""}.`;
byId("what-counts").textContent = `True, missed and false ones are ${content.criterion.noun}s, by ${content.criterion_words}.`;
startLimits();
startVerdict();
startTable();
startPanel();
startClips();
startSaving();
startThemes(repaintAll);
startPrinting(repaintAll);
startKeys(undo, redo);
document.documentElement.dataset.ready = "true";
