// The thresholds as edited: one position for each label, with undo.

import { totalsAt } from "./averages.js";
import { membersOf, together } from "./groups.js";
import { endGesture, placeLabel, takeStep } from "./history.js";
import { cutAt, given, sizeOf } from "./model.js";

/** @import { Step } from "./history.js" */
/** @typedef {{labels: number[], done: boolean}} Change  Labels that moved; done when the hand is off. */

export const edits = {
  /** Position of each label now. */
  at: Int32Array.from(given),
  totals: totalsAt(given),
  /** @type {Step<number>[]} */
  undone: [],
  /** @type {Step<number>[]} */
  made: [],
  /** Where the labels of the present gesture were before it. @type {Map<number, number>} */
  before: new Map(),
  /** Labels whose threshold is not the one given. @type {Set<number>} */
  changed: new Set(),
  /** @type {((change: Change) => void)[]} */
  listeners: [],
};

export const startTotals = totalsAt(given);

/** @param {number[]} moved @param {boolean} done */
function tellMoved(moved, done) {
  edits.totals = totalsAt(edits.at);
  for (const k of moved) {
    if (cutAt(k, edits.at[k]) !== cutAt(k, given[k])) edits.changed.add(k);
    else edits.changed.delete(k);
  }
  for (const listener of edits.listeners) listener({ labels: moved, done });
}

/** Take labels to positions and no others, as part of a gesture that `commit` ends. @param {Iterable<[number, number]>} places */
export function moveAlone(places) {
  const moved = [];
  for (const [k, i] of places) {
    if (i === edits.at[k]) continue;
    placeLabel(edits, k, i);
    moved.push(k);
  }
  if (moved.length) tellMoved(moved, false);
}

/** Move one label, and those that share its threshold, as part of a gesture. @param {number} k @param {number} position */
export function move(k, position) {
  const i = Math.min(Math.max(position, 0), sizeOf(k) - 1);
  if (i !== edits.at[k]) moveAlone(together(k, i, edits.at[k]));
}

/** Move some labels, and those that share their thresholds, as part of a gesture. @param {[number, number][]} places */
export const moveSome = (places) => moveAlone(new Map(places.flatMap(([k, i]) => together(k, i, edits.at[k]))));

/** Take a label, and those that share its threshold, to where they were given. @param {number} k */
export const putBack = (k) => moveAlone(membersOf(k).map((m) => [m, given[m]]));

/** Move all labels, as part of a gesture that `commit` ends. @param {Int32Array} next */
export const moveAll = (next) => moveAlone(next.entries());

/** End a gesture: what it changed becomes one step that can be undone. */
export const commit = () => tellMoved(endGesture(edits), true);

/** @param {boolean} back */
function retrace(back) {
  if (edits.before.size) commit();
  const moved = takeStep(edits, back);
  if (moved.length) tellMoved(moved, true);
}

export const undo = () => retrace(true);
export const redo = () => retrace(false);

/** Back to the thresholds given. */
export function reset() {
  moveAll(given);
  commit();
}

/** Labels whose threshold is not the one given. */
export const changedLabels = () => [...edits.changed].sort((a, b) => a - b);

/** A number to six digits, as it is shown. @param {number} value */
export const shortened = (value) => Number(value.toPrecision(6));

/**
 * The position whose threshold is nearest to a number: by their ratio if all are positive, else by their
 * difference. Above every cut it is "never".
 * @param {number} k @param {number} wanted
 */
export function nearestPosition(k, wanted) {
  let low = 0, high = sizeOf(k) - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (cutAt(k, middle) > wanted) low = middle + 1;
    else high = middle;
  }
  const below = cutAt(k, low);
  if (low === 0 || below === wanted) return low;
  if (low === 1 && below < wanted) return shortened(below) >= wanted ? 1 : 0;
  const above = cutAt(k, low - 1);
  if (below > wanted || above === Infinity) return low;
  const nearer = below > 0 ? above / wanted < wanted / below : above - wanted < wanted - below;
  return nearer ? low - 1 : low;
}
