// One label: its cut as a handle, and what the cut means.

import { bestOf, countsAt, f1, metric, metricIsF1, precision, ratio, recall, spec, valueAt } from "./averages.js";
import { choose, chosen } from "./chosen.js";
import { MINUS, THIN, byId, counted, el, exact, inputById, nameOf, whole } from "./dom.js";
import { commit, edits, move, nearestPosition, putBack, shortened } from "./edits.js";
import { percent, signed } from "./metric.js";
import { LEVEL, cutText, metricText, objectiveName, say, spanText, unit } from "./texts.js";
import {
  GROUPS, aim, axisEnd, calibration, cutPlace, drawLabelCharts, drawnTitle, positionAt, shown,
} from "./labelcharts.js";
import { describedLimits } from "./limitcharts.js";
import { refreshLimitNotes } from "./limitnotes.js";
import { spokenLimits } from "./limitpanel.js";
import {
  atHalf, content, cutAt, given, known, labels, lowest, nLabels, positives, ranges, sizeOf, unpack,
} from "./model.js";
import { againstHalf, states, wordsOf } from "./states.js";
import { table } from "./table.js";

/** @param {string} text */
const upper = (text) => text[0].toUpperCase() + text.slice(1);

/** The metric of a label against that at 0.5, with its interval. @param {number} k @param {number} i */
function differs(k, i) {
  const { value, low, high } = againstHalf(k, i);
  if (cutAt(k, i) === cutAt(k, atHalf[k]) || !Number.isFinite(low)) return "";
  return `${upper(spec.title)} against that at 0.5: ${signed(value, metricText)} (${LEVEL} ` +
    `${spanText(low, high, (end) => signed(end, metricText))}), on these data${low <= 0 && high >= 0 ? ": no clear difference" : ""}.`;
}

/** What a state means for a label. @type {Record<string, (k: number) => string>} */
const NOTES = {
  no_tags: (k) => (cutAt(k, edits.at[k]) === Infinity ? "never given, whatever the score." : "no item scores so high."),
  few: (k) => `only ${counted(positives[k], "positive")}, so the threshold is poorly known. Annotate more.`,
  worse: (k) => differs(k, edits.at[k]),
  weak: (k) => `F1 is ${percent(valueAt(f1, k, edits.at[k]))}${THIN}%, below the bar of ${Number((100 * states.bar).toFixed(1))}${THIN}%.`,
};

/** A label at a position, in words. @param {number} k @param {number} i */
function inWords(k, i) {
  const value = metricIsF1 ? "" : `, ${spec.title} ${metricText(valueAt(metric, k, i))}${unit}`;
  return `${cutText(cutAt(k, i))}: precision ${percent(valueAt(precision, k, i))}${THIN}%, recall ` +
    `${percent(valueAt(recall, k, i))}${THIN}%, F1 ${percent(valueAt(f1, k, i))}${THIN}%${value}`;
}

/** A threshold as it can be typed. @param {number} cut */
const typedText = (cut) => (cut === Infinity ? "never" : cut <= lowest ? "any" : String(shortened(cut)));

/** Show the cut in the box for its number, whatever was being typed there. @param {string} [note] */
function showNumber(note = "") {
  inputById("cut-number").value = typedText(cutAt(chosen.label, edits.at[chosen.label]));
  byId("cut-note").textContent = note;
}

/** Take what was typed as a threshold. */
function takeNumber() {
  const k = chosen.label, text = inputById("cut-number").value.trim().toLowerCase();
  if (text === typedText(cutAt(k, edits.at[k]))) return;
  const number = text === "never" ? Infinity : text === "any" ? -Infinity
    : Number(text.replace(MINUS, "-").replace(",", "."));
  if (text === "" || Number.isNaN(number)) {
    showNumber("type a number, any or never");
    return;
  }
  move(k, nearestPosition(k, number));
  commit();
  const cut = cutAt(k, edits.at[k]);
  if (cut === Infinity && number !== Infinity) showNumber("above every cut: never");
  else if (shortened(cut) !== shortened(number) && typedText(cut) !== text) showNumber("the nearest cut with known counts");
}

/** Everything about the shown label that follows its cut. */
function refreshLabel() {
  const k = chosen.label, i = edits.at[k];
  const { tp, pp } = countsAt(k, i), p = positives[k], n = known[k];
  const cut = cutAt(k, i);
  const slider = inputById("cut");
  slider.min = String(shown.low);
  slider.max = String(axisEnd());
  slider.value = String(cutPlace());
  slider.setAttribute("aria-valuetext", inWords(k, i));
  slider.setAttribute("aria-label", `Threshold of ${labels[k]}`);
  showNumber();
  inputById("cut-number").dataset.value = String(cut);
  const values = [
    ["precision", valueAt(precision, k, i), valueAt(precision, k, given[k])],
    ["recall", valueAt(recall, k, i), valueAt(recall, k, given[k])],
    ["F1", valueAt(f1, k, i), valueAt(f1, k, given[k])],
  ];
  byId("label-values").replaceChildren(...values.map(([name, value, before]) => el("div", {},
    el("dt", { class: `key-${String(name).toLowerCase()}` }, String(name)),
    el("dd", { id: `label-${String(name).toLowerCase()}` }, exact(Number(value), percent(Number(value))),
      el("small", {}, i === given[k] ? "" : ` ${signed(Number(value) - Number(before), percent)}`)))),
  ...(metricIsF1 ? [] : [el("div", {}, el("dt", {}, spec.title),
    el("dd", { id: "label-metric" }, exact(valueAt(metric, k, i), metricText(valueAt(metric, k, i)))))]),
  el("div", {}, el("dt", {}, `tags per 1${THIN}000`),
    el("dd", { id: "label-tags" }, exact(ratio(1000 * pp, n, 0), whole(Number(ratio(1000 * pp, n, 0).toFixed(1)))))));
  for (const [id, value] of /** @type {[string, number][]} */ (
    [["tp", tp], ["fn", p - tp], ["fp", pp - tp], ["tn", n - p - (pp - tp)]])) {
    byId(`count-${id}`).replaceChildren(exact(value, whole(value)));
  }
  const key = states.of[k];
  const notes = [
    key !== "none" && `${upper(wordsOf(key))}: ${NOTES[key](k)}`,
    key !== "worse" && differs(k, i),
    ranges && i === given[k] && cut !== Infinity &&
      `Other data like those tuned on would put the threshold from ${cutText(ranges[k])} to ${cutText(ranges[nLabels + k])} (95 %): ` +
      "the bar on top.",
    content.positions.all_cuts && allCuts[k] > sizeOf(k) &&
      `Thinned: ${whole(sizeOf(k))} of ${whole(allCuts[k])} cuts can be chosen here; the counts of each are exact.`,
  ];
  refreshLimitNotes();
  byId("label-notes").replaceChildren(...notes.filter(Boolean).map((text) => el("li", {}, String(text))));
  /** @type {[string, number][]} */
  const targets = [["to-given", given[k]], ["to-half", atHalf[k]], ["to-never", 0]];
  for (const [id, position] of targets) byId(id).setAttribute("aria-pressed", String(cutAt(k, position) === cut));
  describeCharts(k, i);
  for (const name of ["histogram", "curves", "recall"]) shown.plots[name]?.redraw(false, false);
}

const allCuts = content.positions.all_cuts ? unpack(content.positions.all_cuts) : new Float64Array(0);

/** What the charts show, for those who do not see them. @param {number} k @param {number} i */
function describeCharts(k, i) {
  const { tp, pp } = countsAt(k, i), p = positives[k];
  const groups = [];
  for (let g = k * GROUPS; g < (k + 1) * GROUPS; g++) {
    if (calibration.total[g] === 0) continue;
    groups.push(`${cutText(calibration.score[g])}: ${percent(calibration.positive[g] / calibration.total[g])} %`);
  }
  /** @type {Record<string, string>} */
  const texts = {
    histogram: `Scores of ${labels[k]}: of ${whole(p)} items with the label ${whole(tp)} score at or above the ` +
      `cut ${cutText(cutAt(k, i))}; of ${whole(known[k] - p)} without it ${whole(pp - tp)}.`,
    curves: `Precision, recall and ${drawnTitle} against the cut. At ${inWords(k, i)}.${describedLimits(k)}`,
    "precision-recall": `Precision against recall. The operating point is at precision ` +
      `${percent(valueAt(precision, k, i))} %, recall ${percent(valueAt(recall, k, i))} %.`,
    calibration: `Share of items that have the label, by mean score: ${groups.join("; ")}.`,
  };
  for (const [id, text] of Object.entries(texts)) byId(id).setAttribute("aria-label", text);
}

/** Show a label. @param {number} k */
function showLabel(k) {
  aim(k);
  byId("label-name").replaceChildren(nameOf(labels[k]));
  byId("label-support").textContent = `${counted(positives[k], "positive")} among ${counted(known[k], "item")}`;
  byId("curves-metric").textContent = drawnTitle;
  drawLabelCharts();
  refreshLabel();
}

/** Move the shown label's cut by positions; up is a higher threshold. @param {number} steps */
function step(steps) {
  move(chosen.label, edits.at[chosen.label] - steps);
}

/** @type {Record<string, () => number>} */
const KEYS = {
  ArrowRight: () => 1, ArrowUp: () => 1, ArrowLeft: () => -1, ArrowDown: () => -1,
  PageUp: () => Math.max(1, Math.round(sizeOf(chosen.label) / 20)),
  PageDown: () => -Math.max(1, Math.round(sizeOf(chosen.label) / 20)),
  Home: () => -sizeOf(chosen.label), End: () => sizeOf(chosen.label),
};

/** The order in which labels are gone through: that of the table when one was chosen or it was sorted, so that a label
 * which its edit moves elsewhere does not lead there. */
const walk = { order: table.order };

/** Show a neighbour of the shown label. @param {number} way */
function turn(way) {
  const order = walk.order.includes(chosen.label) ? walk.order : table.order;
  const k = order[Math.min(Math.max(order.indexOf(chosen.label) + way, 0), order.length - 1)];
  if (k === undefined) return;
  choose(k);
  walk.order = order;
}

export function startLabel() {
  byId("previous").addEventListener("click", () => turn(-1));
  byId("next").addEventListener("click", () => turn(1));
  const slider = inputById("cut");
  slider.addEventListener("input", () => move(chosen.label, positionAt(Number(slider.value))));
  slider.addEventListener("change", commit);
  slider.addEventListener("keydown", (event) => {
    const steps = KEYS[event.key];
    if (!steps || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    step(event.shiftKey ? 10 * steps() : steps());
  });
  slider.addEventListener("keyup", (event) => { if (KEYS[event.key]) commit(); });
  slider.addEventListener("blur", () => { if (edits.before.size) commit(); });
  const typed = inputById("cut-number");
  typed.addEventListener("change", takeNumber);
  typed.addEventListener("keydown", (event) => { if (event.key === "Escape") showNumber(); });
  byId("to-given").addEventListener("click", () => {
    putBack(chosen.label);
    commit();
  });
  /** @type {[string, () => number][]} */
  const buttons = [
    ["to-half", () => atHalf[chosen.label]],
    ["to-best", () => bestOf(metric, chosen.label)],
    ["to-never", () => 0],
    ["raise", () => edits.at[chosen.label] - 1],
    ["lower", () => edits.at[chosen.label] + 1],
  ];
  for (const [id, position] of buttons) {
    byId(id).addEventListener("click", () => {
      move(chosen.label, position());
      commit();
    });
  }
  byId("to-best").textContent = `best ${spec.title}`;
  byId("to-best").title = "Of this label alone, whatever moves with it and must hold.";
  chosen.listeners.push(showLabel, () => { walk.order = table.order; });
  table.listeners.push(() => { if (!table.following) walk.order = table.order; });
  states.listeners.push(refreshLabel);
  edits.listeners.push(({ labels: moved, done }) => {
    if (!moved.includes(chosen.label) && !done) return;
    refreshLabel();
    if (moved.includes(chosen.label)) {
      const k = chosen.label;
      say(`${labels[k]} at ${inWords(k, edits.at[k])}: ${wordsOf(states.of[k])}. ${objectiveName(content.objective.average)} ` +
        `${metricText(edits.totals[content.objective.average])}${unit}.${spokenLimits(k)}`);
    }
  });
}
