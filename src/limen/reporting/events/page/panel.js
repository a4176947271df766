// The handles of one label: its threshold and setting, with exact counts, and how the threshold trades.

import { asGiven, commit, isGiven, now, outcomeOf, set, show } from "./counting.js";
import { filtered, framesOf, lowOf } from "./deciding.js";
import { byId, counted, el, exact, inputById, nameOf, svg, whole } from "../../page/dom.js";
import { isLimited, wouldBreak } from "./limits.js";
import { content, given, labels, nLabels, placeOf, scoreAt } from "./model.js";
import { facing, inPercent, metricAt, sharesOf, spec } from "./objective.js";
import { metricValue, short, withUnit } from "./parts.js";
/** @import { Outcome } from "./counting.js" */

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

/** The range of a label's filtered score, as drawn, by label and frames of the median. @type {Map<string, [number, number]>} */
const ranges = new Map();

/** @param {number} k @returns {[number, number]} */
function rangeOf(k) {
  const width = framesOf(now.at[k].median), key = `${k} ${width}`, found = ranges.get(key);
  if (found) return found;
  let low = Infinity, high = -Infinity;
  for (const score of filtered(k, width)) { low = Math.min(low, score); high = Math.max(high, score); }
  /** @type {[number, number]} */
  const range = low > high ? [0, 0] : [placeOf(low), placeOf(high)];
  ranges.set(key, range);
  return range;
}

/** What the panel shows of a label: shares of its events, and the metric if it is no other name for one. */
const SHARES = /** @type {("precision" | "recall" | "f1")[]} */ (["precision", "recall", "f1"]);

function showPanel() {
  const k = now.label, chosen = now.at[k], outcome = now.outcomes[k], { tp, pp, p } = outcome;
  byId("label-name").replaceChildren(nameOf(labels[k]));
  byId("label-count").textContent = nLabels > 1 ? `${whole(k + 1)} of ${whole(nLabels)}` : "";
  const [low, high] = rangeOf(k), slider = inputById("threshold");
  slider.min = String(low);
  slider.max = String(high);
  slider.value = String(Math.min(placeOf(chosen.threshold), high));
  slider.setAttribute("aria-valuetext", `${short(chosen.threshold)}: ${tp} found, ${pp - tp} false, ${p - tp} missed`);
  if (document.activeElement !== inputById("threshold-number")) {
    inputById("threshold-number").value = short(chosen.threshold).replace("\u2212", "-");
  }
  byId("low-cut").textContent = chosen.hysteresis > 0 && Number.isFinite(chosen.threshold)
    ? `Events reach down to the low cut, ${short(lowOf(k, chosen))}.` : "";
  for (const part of PARTS) {
    const handle = inputById(part), text = partText(part, chosen[part]);
    handle.max = String(choices[part].length - 1);
    handle.value = String(choices[part].indexOf(chosen[part]));
    handle.setAttribute("aria-valuetext", text);
    byId(`${part}-text`).textContent = text;
  }
  for (const [id, value] of [["tp", tp], ["fp", pp - tp], ["fn", p - tp]]) {
    byId(`count-${id}`).replaceChildren(exact(Number(value), whole(Number(value))));
  }
  const here = sharesOf(outcome), start = sharesOf(asGiven[k]);
  for (const name of SHARES) {
    byId(`label-${name}`).replaceChildren(withUnit(here[name]));
    byId(`label-${name}-given`).replaceChildren("given: ", withUnit(start[name]));
  }
  if (!spec.is_f1) {
    byId("label-metric").replaceChildren(metricValue(metricAt(k, outcome)));
    byId("label-metric-given").replaceChildren("given: ", metricValue(metricAt(k, asGiven[k])));
  }
  /** @type {HTMLButtonElement} */ (byId("to-given")).disabled = isGiven(k);
  /** @type {HTMLButtonElement} */ (byId("to-never")).disabled = chosen.threshold === Infinity;
}

/** The curve drawn: of which label and setting, and what each of its thresholds gives. @type {{key: string, places: number[],
 *   each: Outcome[]}} */
const drawnCurve = { key: "", places: [], each: [] };
const POINTS = 60;

/** Heights of a curve's points between 0 and 1: costs reach from the least to 0. @param {number[]} values */
function heights(values) {
  if (inPercent) return values;
  const costs = values.map(facing), most = Math.max(...costs.filter((cost) => !Number.isNaN(cost)), 1e-12);
  return costs.map((cost) => cost / most);
}

/** Draw the curve of outcomes at these places, from `low` to `high`. @param {number} k @param {number[]} places
 * @param {Outcome[]} each @param {(place: number) => number} across */
function drawCurve(k, places, each, across) {
  /** @param {string} name @param {number[]} values */
  const line = (name, values) => svg("polyline", { class: `curve-${name}`, points: places.map((place, n) => [across(place), values[n]])
    .filter(([, value]) => !Number.isNaN(value)).map(([x, value]) => `${x.toFixed(1)},${(100 * (1 - value)).toFixed(1)}`).join(" ") });
  const last = spec.is_f1 ? each.map((one) => sharesOf(one).f1) : heights(each.map((one) => metricAt(k, one)));
  const half = places.length > 1 ? (across(places[1]) - across(places[0])) / 2 : 0;
  const forbidden = isLimited(k) ? places.flatMap((place, n) => (wouldBreak(k, each[n])
    ? [svg("rect", { class: "not-allowed", x: (across(place) - half).toFixed(1), y: 0, width: (2 * half).toFixed(1), height: 100 })] : [])) : [];
  byId("curve").replaceChildren(...forbidden, ...[25, 50, 75].map((y) => svg("line", { class: "grid", x1: 0, x2: 1000, y1: y, y2: y })),
    line("precision", each.map((one) => sharesOf(one).precision)), line("recall", each.map((one) => sharesOf(one).recall)), line("f1", last),
    svg("line", { class: "cut-high", y1: 0, y2: 100 }));
  byId("curve").classList.remove("stale");
  Object.assign(drawnCurve, { places, each });
  byId("limit-key").hidden = forbidden.length === 0;
}

/** Of the thresholds counted, the nearest that keeps the constraints of the label shown, if it breaks one. */
function showRemedy() {
  const k = now.label, place = byId("remedy"), { places, each } = drawnCurve, here = placeOf(now.at[k].threshold);
  place.replaceChildren();
  if (!wouldBreak(k, now.outcomes[k])) return;
  const nearest = places.filter((_, n) => !wouldBreak(k, each[n])).sort((a, b) => Math.abs(a - here) - Math.abs(b - here))[0];
  if (nearest === undefined) { place.replaceChildren(`None of the ${places.length} thresholds counted keeps them all with this setting.`); return; }
  const threshold = scoreAt(nearest);
  place.replaceChildren(`Of the ${places.length} thresholds counted, ${short(threshold)} is the nearest that keeps them all `,
    el("button", { type: "button", class: "small", onclick: () => {
      set(k, { threshold });
      commit();
      byId("label-name").focus({ preventScroll: true });
    } }, `use ${short(threshold)}`));
}

/** Precision, recall and the metric over thresholds with the present setting: counted a little at a time, lest a hand wait. */
function showCurve() {
  const k = now.label, { threshold, ...setting } = now.at[k], key = JSON.stringify([k, setting]);
  const [low, high] = rangeOf(k);
  /** @param {number} place */
  const across = (place) => 1000 * (place - low) / (high - low || 1);
  const cutLine = () => {
    const cut = byId("curve").querySelector(".cut-high"), x = across(Math.min(placeOf(now.at[k].threshold), high)).toFixed(1);
    cut?.setAttribute("x1", x);
    cut?.setAttribute("x2", x);
  };
  if (drawnCurve.key !== key) {
    drawnCurve.key = key;
    byId("curve").classList.add("stale");
    const places = Array.from({ length: POINTS + 1 }, (_, n) => low + (high - low) * n / POINTS);
    /** @type {Outcome[]} */
    const each = [];
    const more = () => {
      if (drawnCurve.key !== key) return;
      for (const until = performance.now() + 20; each.length <= POINTS && performance.now() < until;) {
        each.push(outcomeOf(k, { ...setting, threshold: scoreAt(places[each.length]) }));
      }
      if (each.length <= POINTS) { setTimeout(more, 0); return; }
      drawCurve(k, places, each, across);
      cutLine();
      showRemedy();
    };
    setTimeout(more, 120);
  }
  const stale = byId("curve").classList.contains("stale");
  if (stale) byId("remedy").replaceChildren();
  else { cutLine(); showRemedy(); }
  byId("curve-low").textContent = short(scoreAt(low));
  byId("curve-high").textContent = short(scoreAt(high));
}

export function startPanel() {
  if (!spec.is_f1) {
    for (const id of ["metric-name", "curve-metric"]) byId(id).textContent = spec.title;
    byId("metric-box").hidden = false;
    if (!inPercent) byId("curve-metric").textContent = `${spec.title}, of its most`;
  }
  const slider = inputById("threshold"), number = inputById("threshold-number");
  slider.addEventListener("input", () => set(now.label, { threshold: scoreAt(Number(slider.value)) }));
  number.addEventListener("change", () => {
    const text = number.value.trim().replace("\u2212", "-"), value = text === "never" ? Infinity : Number(text);
    const wrong = text === "" || Number.isNaN(value) || value === -Infinity;
    byId("threshold-note").textContent = wrong ? `${text || "nothing"} is no number; "never" is the word for none` : "";
    if (!wrong) set(now.label, { threshold: value });
    commit();
    number.value = short(now.at[now.label].threshold).replace("\u2212", "-");
  });
  /** @param {Partial<import("./model.js").Chosen>} change */
  const step = (change) => { set(now.label, change); commit(); };
  byId("to-never").addEventListener("click", () => step({ threshold: Infinity }));
  byId("to-given").addEventListener("click", () => step({ ...given[now.label] }));
  for (const part of PARTS) {
    inputById(part).addEventListener("input", () => set(now.label, { [part]: choices[part][Number(inputById(part).value)] }));
  }
  for (const handle of ["threshold", ...PARTS]) inputById(handle).addEventListener("change", commit);
  byId("previous").addEventListener("click", () => show((now.label + nLabels - 1) % nLabels));
  byId("next").addEventListener("click", () => show((now.label + 1) % nLabels));
  for (const id of ["previous", "next"]) byId(id).hidden = nLabels === 1;
  let waiting = 0;
  const refresh = () => {
    showPanel();
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(showCurve);
  };
  now.listeners.push(refresh);
  now.watchers.push(() => { byId("threshold-note").textContent = ""; refresh(); });
  refresh();
}
