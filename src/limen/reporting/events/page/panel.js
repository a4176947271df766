// The handles of one label: its threshold and setting, with exact counts, and how the threshold trades.

import { before, isGiven, now, outcomeOf, ratios, set, show } from "./counting.js";
import { filtered, framesOf, lowOf } from "./deciding.js";
import { content, given, labels, nLabels, placeOf, scoreAt } from "./model.js";
import { byId, counted, el, nameOf, svg, whole } from "../../page/dom.js";
import { percent, short } from "./parts.js";
/** @import { Chosen } from "./model.js" */

/** @param {string} id */
const input = (id) => /** @type {HTMLInputElement} */ (byId(id));

/** @typedef {"median" | "hysteresis" | "gap" | "shortest"} Part */
const PARTS = /** @type {Part[]} */ (["median", "hysteresis", "gap", "shortest"]);

/** A number of frames in seconds. @param {number} n */
const lasting = (n) => Number((n * content.frame_seconds).toFixed(6));

/** Values that a handle can take, by part: those of the settings given are among them. */
const choices = (() => {
  const frames = Array.from({ length: 26 }, (_, n) => n);
  const own = { median: frames.map((n) => (n === 0 ? 0 : lasting(2 * n + 1))), hysteresis: frames.slice(0, 21).map((n) => n / 4),
    gap: frames.map(lasting), shortest: frames.map(lasting) };
  for (const part of PARTS) {
    const width = framesOf, values = own[part];
    for (const one of given) {
      // Medians of as many frames are one setting, which keeps the number that was given.
      const same = values.findIndex((value) => value === one[part] || (part === "median" && width(value) === width(one[part])));
      if (same < 0) values.push(one[part]);
      else values[same] = one[part];
    }
    values.sort((a, b) => a - b);
  }
  return own;
})();

/** @param {Part} part @param {number} value */
function partText(part, value) {
  if (part === "hysteresis") return value === 0 ? "none" : `${short(value)}${content.probabilities ? " in log odds" : ""}`;
  const n = part === "median" ? framesOf(value) : Math.round(value / content.frame_seconds);
  return value === 0 || (part === "median" && n === 1) ? "none" : `${short(value)} s, ${counted(n, "frame")}`;
}

/** Range of a label's score, as drawn. @param {number} k */
function rangeOf(k) {
  const scores = filtered(k, framesOf(now.chosen[k].median));
  let low = Infinity, high = -Infinity;
  for (const score of scores) { low = Math.min(low, score); high = Math.max(high, score); }
  return [placeOf(low), placeOf(high)];
}

function showPanel() {
  const k = now.label, chosen = now.chosen[k], outcome = now.outcomes[k], { tp, pp, p } = outcome;
  byId("label-name").replaceChildren(nameOf(labels[k]));
  byId("label-count").textContent = `${whole(k + 1)} of ${whole(nLabels)}`;
  const [low, high] = rangeOf(k), slider = input("threshold");
  slider.min = String(low);
  slider.max = String(high);
  slider.value = String(Math.min(placeOf(chosen.threshold), high));
  slider.setAttribute("aria-valuetext", short(chosen.threshold));
  input("threshold-number").value = short(chosen.threshold).replace("\u2212", "-");
  byId("low-cut").textContent = chosen.hysteresis > 0 && Number.isFinite(chosen.threshold)
    ? `Events reach down to the low cut, ${short(lowOf(k, chosen))}.` : "";
  for (const part of PARTS) {
    const handle = input(part), text = partText(part, chosen[part]);
    handle.max = String(choices[part].length - 1);
    handle.value = String(choices[part].indexOf(chosen[part]));
    handle.setAttribute("aria-valuetext", text);
    byId(`${part}-text`).textContent = text;
  }
  for (const [id, value] of [["tp", tp], ["fp", pp - tp], ["fn", p - tp]]) {
    byId(`count-${id}`).replaceChildren(el("data", { value: String(value) }, whole(Number(value))));
  }
  const here = ratios(outcome), start = ratios(before[k]);
  for (const name of /** @type {("precision" | "recall" | "f1")[]} */ (["precision", "recall", "f1"])) {
    byId(`label-${name}`).replaceChildren(percent(here[name]));
    byId(`label-${name}-given`).replaceChildren("given: ", percent(start[name]));
  }
  /** @type {HTMLButtonElement} */ (byId("to-given")).disabled = isGiven(k);
}

const drawnCurve = { key: "" };
const POINTS = 60;

/** Precision, recall and F1 over thresholds with the present setting. */
function showCurve() {
  const k = now.label, { threshold, ...setting } = now.chosen[k], key = JSON.stringify([k, setting]);
  const [low, high] = rangeOf(k), host = byId("curve");
  /** @param {number} place */
  const across = (place) => 1000 * (place - low) / (high - low || 1);
  if (drawnCurve.key !== key) {
    drawnCurve.key = key;
    const places = Array.from({ length: POINTS + 1 }, (_, n) => low + (high - low) * n / POINTS);
    const each = places.map((place) => ratios(outcomeOf(k, { ...setting, threshold: scoreAt(place) })));
    host.replaceChildren(...[25, 50, 75].map((y) => svg("line", { class: "grid", x1: 0, x2: 1000, y1: y, y2: y })),
      .../** @type {("precision" | "recall" | "f1")[]} */ (["precision", "recall", "f1"]).map((name) => svg("polyline", {
        class: `curve-${name}`, points: places.map((place, n) => [across(place), each[n][name]])
          .filter(([, value]) => !Number.isNaN(value)).map(([x, value]) => `${x.toFixed(1)},${(100 * (1 - value)).toFixed(1)}`)
          .join(" ") })), svg("line", { class: "cut-high", y1: 0, y2: 100 }));
  }
  const cut = host.lastElementChild, place = Math.min(placeOf(threshold), high);
  cut?.setAttribute("x1", across(place).toFixed(1));
  cut?.setAttribute("x2", across(place).toFixed(1));
  byId("curve-low").textContent = short(scoreAt(low));
  byId("curve-high").textContent = short(scoreAt(high));
}

export function startPanel() {
  input("threshold").addEventListener("input", () => set(now.label, { threshold: scoreAt(Number(input("threshold").value)) }));
  input("threshold-number").addEventListener("change", () => {
    const text = input("threshold-number").value.trim(), value = text === "never" ? Infinity : Number(text);
    if (text === "" || Number.isNaN(value)) byId("threshold-note").textContent = `${text || "nothing"} is no number`;
    else { byId("threshold-note").textContent = ""; set(now.label, { threshold: value }); }
    showPanel();
  });
  byId("to-never").addEventListener("click", () => set(now.label, { threshold: Infinity }));
  byId("to-given").addEventListener("click", () => set(now.label, /** @type {Chosen} */ ({ ...given[now.label] })));
  for (const part of PARTS) {
    input(part).addEventListener("input", () => set(now.label, { [part]: choices[part][Number(input(part).value)] }));
  }
  byId("previous").addEventListener("click", () => show((now.label + nLabels - 1) % nLabels));
  byId("next").addEventListener("click", () => show((now.label + 1) % nLabels));
  let waiting = 0;
  now.listeners.push(() => {
    showPanel();
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(showCurve);
  });
}
