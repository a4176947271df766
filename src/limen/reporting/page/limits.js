// Constraints, judged after each move as limen judges them: whole counts without rounding, 0/0 breaks nothing.

import { allKnown, allPositives, countsAt } from "./averages.js";
import { nearestTo, slackFor } from "./bounds.js";
import { edits } from "./edits.js";
import { content, cutAt, falsePositives, known, labels, nLabels, positives, sizeOf, starts, truePositives, unpack } from "./model.js";
/** @import { Four, Limit } from "./bounds.js" */

const weighted = content.data.weighted;
/** The mean weight of what is counted, where weights are; else 0. */
export const meanWeight = weighted ? allKnown / Math.max(content.data.n_items * nLabels, 1) : 0;

/**
 * @typedef {Object} Kept  A constraint, and what is found of it.
 * @property {Limit} spec
 * @property {number} place
 * @property {Int32Array} which  Of counts: the number of each label's value from 1, 0 where it has none.
 * @property {[number, number][]} edges  Of an order: parents and children.
 * @property {Uint8Array} broken  Labels that break it.
 * @property {number} number  How many do.
 * @property {boolean} holds
 */

/** @type {Kept[]} */
export const limits = content.limits.all.map((spec, place) => {
  const flat = spec.edges ? unpack(spec.edges) : [];
  return {
    spec, place, which: spec.which ? Int32Array.from(unpack(spec.which)) : new Int32Array(0),
    edges: Array.from({ length: flat.length / 2 }, (_, e) => /** @type {[number, number]} */ ([flat[2 * e], flat[2 * e + 1]])),
    broken: new Uint8Array(spec.kind === "pooled" ? 0 : nLabels), number: 0, holds: true,
  };
});

const countLimits = limits.filter(({ spec }) => spec.kind === "counts");
export const pooledLimits = limits.filter(({ spec }) => spec.kind === "pooled");
/** Constraints on thresholds, by label. @type {Map<number, Kept[]>} */
const ofThreshold = new Map();
/** Labels whose thresholds must be no higher, and no lower, than a label's. @type {Map<number, number[]>[]} */
const [parentsOf, childrenOf] = [new Map(), new Map()];
/** @param {Map<number, any[]>} map @param {number} k @param {any} one */
const append = (map, k, one) => { if (!map.get(k)?.push(one)) map.set(k, [one]); };
for (const limit of limits) {
  for (const k of new Set(limit.spec.of ?? limit.edges.flat())) append(ofThreshold, k, limit);
  for (const [parent, child] of limit.edges) { append(parentsOf, child, parent); append(childrenOf, parent, child); }
}

const excusable = new Set(content.limits.excused);
/** Whether a label need not keep its constraints: it is never given because it can't. @param {number} k @param {number} cut */
export const isExcused = (k, cut) => cut === Infinity && excusable.has(k);

export const kept = {
  /** Number of constraints that each label breaks. */
  breaks: new Int32Array(nLabels),
  /** Number of labels that break one. */
  labels: 0,
  /** Number of constraints that do not hold. */
  broken: 0,
};

/** What must not be negative. @param {Kept} limit @param {number} v  Number of the value. @param {Four} counts */
export const slackOf = ({ spec }, v, counts) => slackFor(spec, v, counts, weighted);

/** @param {number} k @param {number} i @returns {Four} */
export function fourAt(k, i) {
  const tp = truePositives[starts[k] + i];
  return [tp, tp + falsePositives[starts[k] + i], positives[k], known[k]];
}

/** The counts of all labels now, with one elsewhere if so asked. @param {number} [k] @param {number} [i] @returns {Four} */
export function pooledCounts(k, i) {
  let { tp, pp } = edits.totals;
  if (k !== undefined && i !== undefined) {
    const now = countsAt(k, edits.at[k]), then = countsAt(k, i);
    tp += then.tp - now.tp;
    pp += then.pp - now.pp;
  }
  return [tp, pp, allPositives, allKnown];
}

/** The value that a constraint has for a label, from 0; -1 if none. @param {Kept} limit @param {number} k */
export const valueNumber = (limit, k) => (limit.spec.kind === "pooled" ? 0 : limit.which[k] - 1);

/** Whether a label at a position breaks a constraint of its own counts. @param {Kept} limit @param {number} k @param {number} i */
function breaksCounts(limit, k, i) {
  const v = limit.which[k] - 1;
  return v >= 0 && !isExcused(k, cutAt(k, i)) && slackOf(limit, v, fourAt(k, i)) < 0;
}

/** @param {Limit} spec @param {number} cut */
const outOf = ({ low, high }, cut) => (low != null && cut < low) || (high != null && cut > high);
const cutNow = (/** @type {number} */ k) => cutAt(k, edits.at[k]);

/** @param {Kept} limit @param {number} k @param {boolean} now  Whether the label breaks it. */
function mark(limit, k, now) {
  const change = Number(now) - limit.broken[k];
  if (change === 0) return;
  limit.broken[k] += change;
  limit.number += change;
  kept.labels += Number(kept.breaks[k] + change > 0) - Number(kept.breaks[k] > 0);
  kept.breaks[k] += change;
}

/** Judge a constraint on thresholds: all its labels. @param {Kept} limit */
function judgeThresholds(limit) {
  const { kind, of = [] } = limit.spec;
  if (kind === "range") for (const k of of) mark(limit, k, !isExcused(k, cutNow(k)) && outOf(limit.spec, cutNow(k)));
  if (kind === "same") {
    const own = new Set(of.filter((k) => !isExcused(k, cutNow(k)))), apart = new Set([...own].map(cutNow)).size > 1;
    for (const k of of) mark(limit, k, apart && own.has(k));
  }
  if (kind === "order") {
    const wrong = new Set(limit.edges.filter(([parent, child]) => cutNow(parent) > cutNow(child)).flat());
    for (const k of limit.edges.flat()) mark(limit, k, wrong.has(k));
  }
}

/** Judge what labels at their positions now can change. @param {Iterable<number>} moved */
function judgeLimits(moved) {
  /** @type {Set<Kept>} */
  const others = new Set();
  for (const k of moved) {
    for (const limit of countLimits) mark(limit, k, breaksCounts(limit, k, edits.at[k]));
    for (const limit of ofThreshold.get(k) ?? []) others.add(limit);
  }
  for (const limit of others) judgeThresholds(limit);
  for (const limit of limits) {
    limit.holds = limit.spec.kind === "pooled" ? slackOf(limit, 0, pooledCounts()) >= 0 : limit.number === 0;
  }
  kept.broken = limits.reduce((sum, { holds }) => sum + Number(!holds), 0);
}

/** Labels above and below a label whose thresholds are on the wrong side of its own. @param {number} k */
export function wrongOrder(k) {
  const own = cutNow(k);
  return { above: (parentsOf.get(k) ?? []).filter((other) => cutNow(other) > own),
    below: (childrenOf.get(k) ?? []).filter((other) => cutNow(other) < own) };
}

/** The constraints that a label has a part in. @param {number} k */
export const limitsOf = (k) => [...countLimits.filter(({ which }) => which[k] > 0), ...(ofThreshold.get(k) ?? []), ...pooledLimits];

/** From where to where a label's threshold may go, by ranges and by the labels above and below it now. @param {number} k */
export function spanFor(k) {
  let low = -Infinity, high = Infinity;
  for (const { spec } of ofThreshold.get(k) ?? []) {
    if (spec.kind !== "range") continue;
    low = Math.max(low, spec.low ?? -Infinity);
    high = Math.min(high, spec.high ?? Infinity);
  }
  for (const parent of parentsOf.get(k) ?? []) low = Math.max(low, cutNow(parent));
  for (const child of childrenOf.get(k) ?? []) high = Math.min(high, cutNow(child));
  return { low, high };
}

/** Whether a label could be at each of its positions, as far as its own constraints go. @param {number} k
 * @returns {(i: number) => boolean} */
export function allows(k) {
  const { low, high } = spanFor(k), own = countLimits.filter(({ which }) => which[k] > 0);
  return (i) => {
    const cut = cutAt(k, i);
    const within = isExcused(k, cut) ? !childrenOf.get(k)?.some((child) => cutNow(child) < cut) : cut >= low && cut <= high;
    return within && !own.some((limit) => breaksCounts(limit, k, i));
  };
}

/** The position nearest to where a label is at which something holds; -1 if at none. @param {number} k
 * @param {(i: number) => boolean} holds */
export function nearestWhere(k, holds) {
  const from = edits.at[k], size = sizeOf(k);
  for (let step = 0; step < size; step++) {
    if (from - step >= 0 && holds(from - step)) return from - step;
    if (from + step < size && holds(from + step)) return from + step;
  }
  return -1;
}

/** The label nearest to its limit, or furthest beyond; -1 if none can be measured. @param {Kept} limit */
export const nearestLabel = (limit) => nearestTo(limit, (k) => fourAt(k, edits.at[k]), (k) => isExcused(k, cutNow(k)));

/** Labels that a constraint is about and that need not keep it now, for they are never given. @param {Kept} limit */
export const excusedOf = (limit) => [...excusable].filter((k) => isExcused(k, cutNow(k)) && without(limit, k));

/** Whether a label would break a constraint if it had to keep it. @param {Kept} limit @param {number} k */
function without(limit, k) {
  const v = limit.spec.kind === "counts" ? limit.which[k] - 1 : -1;
  if (v >= 0) return slackOf(limit, v, fourAt(k, edits.at[k])) < 0;
  return limit.spec.kind === "range" && (limit.spec.of ?? []).includes(k) && outOf(limit.spec, cutNow(k));
}

/** Labels that break a constraint. @param {Kept} limit */
export const breakers = (limit) => [...limit.broken.keys()].filter((k) => limit.broken[k] > 0);

/** Labels that break a constraint of theirs. */
export const allBreakers = () => [...kept.breaks.keys()].filter((k) => kept.breaks[k] > 0);

judgeLimits(labels.keys());
// Before all that show what is found here.
edits.listeners.unshift(({ labels: moved }) => { if (limits.length) judgeLimits(moved); });
