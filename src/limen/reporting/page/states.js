// The state of each label: one of five, as limen.states has them, and as it follows edits.

import { countsAt, f1, metric, valueAt } from "./averages.js";
import { edits } from "./edits.js";
import { atHalf, content, given, known, nLabels, positives, unpack } from "./model.js";

/** @typedef {{value: number, low: number, high: number}} Difference  With its 95 % interval. */

export const STATES = content.states.all;
const spread = content.states.spread === null ? null : unpack(content.states.spread);
/** The differences as given, where weights or groups decide. */
const asGiven = content.states.gains === null ? null : unpack(content.states.gains);
/** Positives in items: with weights, in items of mean weight. */
const inItems = content.states.positives === null ? positives : unpack(content.states.positives);

export const states = {
  /** F1 below which a label is weak. */
  bar: content.states.bar,
  /** Key of each label's state. @type {string[]} */
  of: new Array(nLabels).fill("none"),
  /** Number of labels in each. @type {Record<string, number>} */
  tally: Object.fromEntries(STATES.map(({ key }) => [key, 0])),
  /** Called when the bar moved. @type {(() => void)[]} */
  listeners: [],
};

/** What a state is called. @param {string} key */
export const wordsOf = (key) => STATES.find((state) => state.key === key)?.words ?? key;

/** When a state holds, in words. @param {string} key */
export const ruleOf = (key) => (STATES.find((state) => state.key === key)?.rule ?? "")
  .replace("{bar}", `${Number((100 * states.bar).toFixed(1))} %`);

/** Whether a label has too few positives to know its threshold. @param {number} k */
export const isFew = (k) => inItems[k] < content.states.few * (1 - 1e-9);

/**
 * The metric of a label at a position less that at 0.5, with its 95 % interval. Two cuts of a label are nested, so that
 * their counts say how many items both give, one alone, or neither; an item's influence is what one more of its kind
 * would add to the difference, and the variance is that of the summed influences. Where so few units speak for 0.5 that
 * resamples often have none, the upper end is no lower than 0.
 * @param {number} k @param {number} i @returns {Difference}
 */
export function againstHalf(k, i) {
  if (asGiven && i === given[k]) {
    return { value: asGiven[k], low: asGiven[nLabels + k], high: asGiven[2 * nLabels + k] };
  }
  const j = atHalf[k], now = countsAt(k, i), half = countsAt(k, j), n = known[k];
  const value = valueAt(metric, k, i) - valueAt(metric, k, j);
  const [right, missed, wrong, rejected] = metric.more(k, i), [right0, missed0, wrong0, rejected0] = metric.more(k, j);
  let sum = 0, squares = 0;
  /** @param {number} number @param {number} influence */
  const add = (number, influence) => {
    if (number <= 1e-12 * n) return;
    sum += number * influence;
    squares += number * influence * influence;
  };
  /** @param {number} one @param {number} other @param {number} all @param {number[]} moves */
  const addKind = (one, other, all, [given, not, given0, not0]) => {
    const both = Math.min(one, other);
    add(both, given - given0);
    add(one - both, given - not0);
    add(other - both, not - given0);
    add(all - one - other + both, not - not0);
  };
  addKind(now.tp, half.tp, positives[k], [right, missed, right0, missed0]);
  addKind(now.pp - now.tp, half.pp - half.tp, n - positives[k], [wrong, rejected, wrong0, rejected0]);
  const wider = spread === null ? (n < 2 ? Infinity : 1) : spread[k];
  const variance = Math.max(squares - (n > 0 ? sum * sum / n : 0), 0);
  const width = wider === Infinity ? Infinity : 1.96 * Math.sqrt(variance * wider);
  const forHalf = Math.max(half.tp - now.tp, 0) + Math.max(now.pp - now.tp - half.pp + half.tp, 0);
  const least = forHalf * content.states.units <= content.states.least_units ? 0 : -Infinity;
  return { value, low: value - width, high: Math.max(value + width, least) };
}

/** The state of a label at a position. @param {number} k @param {number} i */
export function stateAt(k, i) {
  if (countsAt(k, i).pp === 0) return "no_tags";
  if (isFew(k)) return "few";
  if (i !== atHalf[k] && valueAt(metric, k, i) < valueAt(metric, k, atHalf[k]) && againstHalf(k, i).high < 0) return "worse";
  return valueAt(f1, k, i) < states.bar ? "weak" : "none";
}

/** @param {Iterable<number>} moved */
function judge(moved) {
  for (const k of moved) {
    const key = stateAt(k, edits.at[k]);
    states.tally[states.of[k]]--;
    states.tally[key]++;
    states.of[k] = key;
  }
}

/** Labels that are not beyond doubt. */
export const troubled = () => nLabels - states.tally.none;

/** Move the bar of weak. @param {number} bar */
export function setBar(bar) {
  if (bar === states.bar) return;
  states.bar = bar;
  judge(labelNumbers());
  for (const listener of states.listeners) listener();
}

const labelNumbers = () => new Array(nLabels).keys();

states.tally.none = nLabels;
judge(labelNumbers());
// The first to hear of a move: all others show what is found here.
edits.listeners.unshift(({ labels }) => judge(labels));
