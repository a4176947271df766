// Which labels need a look, in what order, why, and what can be done about each.

import { bestOf, countsAt, f1, metric, metricIsF1, spec, totalsAt, valueAt } from "./averages.js";
import { choose } from "./chosen.js";
import { byId, counted, el, nameOf, whole } from "./dom.js";
import { commit, edits, move } from "./edits.js";
import { percent } from "./metric.js";
import { LEVEL, cutText, inPercent, metricText, objectiveName, sizeText, unit } from "./texts.js";
import { together } from "./groups.js";
import { atHalf, content, cutAt, given, labels, nLabels, positives } from "./model.js";
import { againstHalf, isFew, states, troubled, wordsOf } from "./states.js";

const WORST = 5;
/** A difference that is seen in percent with one decimal. */
const SEEN = 0.001;

/** Whether the thresholds were tuned for sums over labels, which may give up one for the others. */
const tunedPooled = content.file.original.average === "micro" && content.objective.average === "micro"
  && !["fixed", "given"].includes(content.verdict.origin);

/** Group of a label in the order of need, from 0. @param {number} k */
function groupOf(k) {
  const key = states.of[k];
  if (key === "no_tags") return isFew(k) ? 3 : 1;
  return { worse: 0, weak: 2, few: 3 }[key] ?? 4;
}

/** What decides within a group, the least first. @type {((k: number) => number)[]} */
const URGENCY = [
  (k) => valueAt(metric, k, edits.at[k]) - valueAt(metric, k, atHalf[k]),
  (k) => -positives[k],
  (k) => {
    const { tp, pp } = countsAt(k, edits.at[k]);
    return -(positives[k] - tp + pp - tp);
  },
  (k) => positives[k],
  (k) => -positives[k],
];

export const ORDER_RULE = `Needs attention: labels ${wordsOf("worse")} by how much, labels given up (never given, with ` +
  `${content.states.few} positives or more) by positives, ${wordsOf("weak")} ones by missed and wrong decisions, those with ` +
  `${wordsOf("few")} by how few, then the rest by positives.`;

/** Labels by how much they need a look. */
export function byNeed() {
  const group = Int8Array.from(labels, (_, k) => groupOf(k));
  const within = Float64Array.from(labels, (_, k) => URGENCY[group[k]](k));
  return labels.map((_, k) => k).sort((a, b) => group[a] - group[b] || within[a] - within[b] || a - b);
}

/** By how much the objective would change if a label were at a position. @param {number} k @param {number} i */
function effectOf(k, i) {
  const at = Int32Array.from(edits.at), average = content.objective.average;
  for (const [m, place] of together(k, i, at[k])) at[m] = place;
  return totalsAt(at)[average] - edits.totals[average];
}

/** What a move does to the objective, in words. @param {number} change */
function effectText(change) {
  const name = objectiveName(content.objective.average), least = inPercent ? 0.001 : 1e-4;
  if (Number.isNaN(change)) return "";
  if (change === 0) return ` and leaves ${name} as it is`;
  const size = Math.abs(change) < least / 2 ? `less than ${sizeText(least)}` : sizeText(change);
  if (!inPercent) return ` and ${change < 0 ? "raises" : "lowers"} the ${name} by ${size}`;
  return ` and ${change < 0 ? "costs" : "gains"} ${size} of ${name}`;
}

/** @param {number} k @param {number} i @param {string} text */
const use = (k, i, text) => el("button", { type: "button", class: "small", "aria-label": `${text}: ${labels[k]}`,
  onclick: () => {
    move(k, i);
    commit();
    byId("attention-title").focus({ preventScroll: true });
  } }, text);

/** @param {number} k @param {string} text */
const look = (k, text) => el("button", { type: "button", class: "small", "aria-label": `${text}: ${labels[k]}`,
  onclick: () => choose(k, true) }, text);

/** A label's own best cut, if it gives more than now by what is seen. @param {number} k */
function ownBest(k) {
  const of = metricIsF1 || !inPercent ? f1 : metric, i = bestOf(of, k), now = edits.at[k];
  const value = valueAt(of, k, i), name = of === f1 ? "F1" : spec.title;
  return value - valueAt(of, k, now) < SEEN ? null : { i, text: `its own best cut, ${cutText(cutAt(k, i))}, gives ${name} ` +
    `${percent(value)}${effectText(effectOf(k, i))}` };
}

/** Why a label needs a look, and what can be done. @param {number} k @returns {{cause: string, actions: Node[]}} */
export function causeOf(k) {
  const i = edits.at[k], p = positives[k], { tp, pp } = countsAt(k, i), group = groupOf(k);
  const many = counted(p, "positive");
  if (group === 0) {
    const { value, low, high } = againstHalf(k, i);
    return { cause: `${wordsOf("worse")} by ${sizeText(value)} of ${spec.title} ` +
      `(${LEVEL} ${lossText(-high)} to ${lossText(-low)}); 0.5 gives ${metricText(valueAt(metric, k, atHalf[k]))}${unit}` +
      effectText(effectOf(k, atHalf[k])), actions: [use(k, atHalf[k], "use 0.5")] };
  }
  const best = ownBest(k);
  if (group === 1) {
    const gaveUp = tunedPooled && i === given[k] ? `: ${objectiveName("micro")} gave it up` : "";
    return best ? { cause: `${wordsOf("no_tags")}, though it has ${many}${gaveUp}. F1 is ` +
      `${percent(valueAt(f1, k, i))}; ${best.text}`, actions: [use(k, best.i, "use it")] }
      : { cause: `${wordsOf("no_tags")}, though it has ${many}; no cut gives more`, actions: [look(k, "look at it")] };
  }
  if (group === 2) {
    const cause = `${wordsOf("weak")}: F1 ${percent(valueAt(f1, k, i))}, ${whole(p - tp)} of ${many} missed, ` +
      `${whole(pp - tp)} given wrongly`;
    return best ? { cause: `${cause}; ${best.text}`, actions: [use(k, best.i, "use it"), look(k, "look at it")] }
      : { cause: `${cause}; no cut gives more: the scores tell it apart no better`, actions: [look(k, "look at it")] };
  }
  if (group === 3) {
    return { cause: `${wordsOf("few")} (${whole(p)}): annotate more`, actions: [look(k, "look at it")] };
  }
  return { cause: wordsOf("none"), actions: [] };
}

/** An end of a loss. @param {number} value */
const lossText = (value) => (inPercent ? percent(value) : value.toFixed(4));

export const attention = {
  /** Labels by need, when the hand was last off. @type {number[]} */
  order: byNeed(),
  /** @type {(() => void)[]} */
  listeners: [],
};

function refreshAttention() {
  attention.order = byNeed();
  const worst = attention.order.slice(0, Math.min(WORST, troubled()));
  byId("attention").hidden = worst.length === 0;
  byId("attention-list").replaceChildren(...worst.map((k) => {
    const { cause, actions } = causeOf(k);
    return el("li", { class: `state-${states.of[k]}`, "data-label": k },
      el("button", { type: "button", class: "link", onclick: () => choose(k, true) }, nameOf(labels[k])),
      el("span", { class: "cause" }, `${cause}.`), ...actions);
  }));
  byId("attention-more").textContent = (troubled() > worst.length
    ? `The first ${worst.length} of ${counted(troubled(), "label")}; the table has all, in this order. ` : "") +
    "Figures are of these items: cuts that are chosen by them fit them.";
  for (const listener of attention.listeners) listener();
}

/** Places of the labels in the order of need. */
export function placesByNeed() {
  const place = new Int32Array(nLabels);
  attention.order.forEach((k, at) => { place[k] = at; });
  return place;
}

export function startAttention() {
  byId("attention-rule").textContent = ORDER_RULE;
  edits.listeners.push(({ labels: moved, done }) => { if (done && moved.length) refreshAttention(); });
  states.listeners.push(refreshAttention);
  refreshAttention();
}
