// The settings as they are now, what they find, their counts; moved in gestures that can be undone.

import { eventsOf } from "./deciding.js";
import { endGesture, placeLabel, takeStep } from "../../page/history.js";
import { matched } from "./matching.js";
import { given, labels, recordings, references } from "./model.js";
/** @import { Chosen, Span } from "./model.js" */
/** @import { Matched } from "./matching.js" */
/** @import { Step } from "../../page/history.js" */

/** @typedef {{events: Span[][], matches: Matched[], tp: number, pp: number, p: number}} Outcome  By recording, and summed. */
/** @typedef {{labels: number[], done: boolean}} Change  Labels that moved; done when the hand is off. */

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
  at: given.map((one) => ({ ...one })),
  outcomes: given.map((one, k) => outcomeOf(k, one)),
  label: 0,
  /** @type {Step<Chosen>[]} */
  made: [],
  /** @type {Step<Chosen>[]} */
  undone: [],
  /** @type {Map<number, Chosen>} */
  before: new Map(),
  /** Who must know that labels moved. @type {((change: Change) => void)[]} */
  listeners: [],
  /** Who must know that another label is shown. @type {(() => void)[]} */
  watchers: [],
};
/** What the settings given find. */
export const asGiven = now.outcomes.slice();

const PARTS_OF_CHOSEN = /** @type {(keyof Chosen)[]} */ (["median", "hysteresis", "gap", "shortest", "threshold"]);
/** @param {Chosen} one @param {Chosen} other */
const sameChosen = (one, other) => PARTS_OF_CHOSEN.every((part) => one[part] === other[part]);

/** @param {number} k */
export const isGiven = (k) => sameChosen(now.at[k], given[k]);
export const changed = () => labels.map((_, k) => k).filter((k) => !isGiven(k));

/** @param {number[]} moved @param {boolean} done */
function tellMoved(moved, done) {
  for (const k of moved) now.outcomes[k] = isGiven(k) ? asGiven[k] : outcomeOf(k, now.at[k]);
  for (const listener of now.listeners) listener({ labels: moved, done });
}

/** Move a label, as part of a gesture that `commit` ends. @param {number} k @param {Partial<Chosen>} change */
export function set(k, change) {
  const next = { ...now.at[k], ...change };
  if (sameChosen(next, now.at[k])) return;
  placeLabel(now, k, next);
  tellMoved([k], false);
}

/** End a gesture: what it changed becomes one step that can be undone. */
export function commit() {
  const moved = endGesture(now, sameChosen);
  for (const listener of now.listeners) listener({ labels: moved, done: true });
}

/** Go back a step, or forth again, and show what it moved. @param {boolean} back */
function retrace(back) {
  if (now.before.size) commit();
  const moved = takeStep(now, back);
  if (!moved.length) return;
  tellMoved(moved, true);
  if (!moved.includes(now.label)) show(moved[0]);
}

export const undo = () => retrace(true);
export const redo = () => retrace(false);

/** Back to the settings given. */
export function reset() {
  const away = changed();
  for (const k of away) placeLabel(now, k, { ...given[k] });
  tellMoved(away, false);
  commit();
}

/** @param {number} k */
export function show(k) {
  if (now.before.size) commit();
  now.label = k;
  for (const watcher of now.watchers) watcher();
}
