// The settings as they are now, what they find, and their counts.

import { eventsOf } from "./deciding.js";
import { matched } from "./matching.js";
import { given, labels, nLabels, recordings, references } from "./model.js";
/** @import { Chosen, Span } from "./model.js" */
/** @import { Matched } from "./matching.js" */

/** @typedef {{events: Span[][], matches: Matched[], tp: number, pp: number, p: number}} Outcome  By recording, and summed. */

/** @param {number} k @param {Chosen} chosen @returns {Outcome} */
export function outcomeOf(k, chosen) {
  const events = recordings.map((_, r) => eventsOf(k, r, chosen));
  const matches = events.map((found, r) => matched(references[k][r], found, r));
  const counts = { tp: 0, pp: 0, p: 0 };
  for (const { tp, pp, p } of matches) { counts.tp += tp; counts.pp += pp; counts.p += p; }
  return { events, matches, ...counts };
}

export const now = {
  /** @type {Chosen[]} */
  chosen: given.map((one) => ({ ...one })),
  outcomes: given.map((one, k) => outcomeOf(k, one)),
  label: 0,
  /** Who must know that a label moved, or another is shown. @type {((k: number) => void)[]} */
  listeners: [],
};
export const before = now.outcomes.slice();

/** @param {number} above @param {number} below */
const ratio = (above, below) => (below === 0 ? NaN : above / below);

/** @param {{tp: number, pp: number, p: number}} counts */
export const ratios = ({ tp, pp, p }) => ({ precision: ratio(tp, pp), recall: ratio(tp, p), f1: ratio(2 * tp, pp + p) });

/** Sums over labels, and the mean F1 of labels that have one. @param {Outcome[]} outcomes */
export function totals(outcomes) {
  const sum = { tp: 0, pp: 0, p: 0 };
  for (const { tp, pp, p } of outcomes) { sum.tp += tp; sum.pp += pp; sum.p += p; }
  const each = outcomes.map((one) => ratios(one).f1).filter((value) => !Number.isNaN(value));
  return { ...ratios(sum), macro: each.reduce((total, value) => total + value, 0) / each.length };
}

/** @param {number} k @param {Partial<Chosen>} change */
export function set(k, change) {
  Object.assign(now.chosen[k], change);
  now.outcomes[k] = isGiven(k) ? before[k] : outcomeOf(k, now.chosen[k]);
  for (const listener of now.listeners) listener(k);
}

/** @param {number} k */
export function show(k) {
  now.label = k;
  for (const listener of now.listeners) listener(k);
}

/** @param {number} k */
export const isGiven = (k) => /** @type {(keyof Chosen)[]} */ (["median", "hysteresis", "gap", "shortest", "threshold"])
  .every((part) => now.chosen[k][part] === given[k][part]);

export const changed = () => labels.map((_, k) => k).filter((k) => !isGiven(k));

export function reset() {
  for (let k = 0; k < nLabels; k++) if (!isGiven(k)) set(k, given[k]);
}
