// Constraints on counts, judged as limen judges them: whole counts without rounding, 0/0 breaks nothing. And in words.

import { MINUS, THIN, counted, el } from "./dom.js";
import { percent } from "./metric.js";
/** @import { Packed } from "./packed.js" */

/**
 * @typedef {Object} Limit  A constraint: on counts of each label or pooled, on thresholds a range, one for all, or an order.
 * @property {"counts" | "pooled" | "range" | "same" | "order"} kind
 * @property {string} said
 * @property {{binds: boolean, for: number, price: string} | null} known  What was found when tuning on these data.
 * @property {string} [noun]
 * @property {boolean} [at_least]
 * @property {boolean} [percent]
 * @property {string} [suffix]
 * @property {number[]} [values]  The distinct limits, and by each what tp, pp, p, n and 1 count in what must not be negative.
 * @property {number[][]} [terms]
 * @property {Packed} [which]  By label the number of its limit from 1; 0 for none.
 * @property {number[][]} [measured]  What tp, pp, p, n (and 1) count in the numerator and the denominator.
 * @property {number} [scale]  What is measured, times this, is of these data: limits are of those tuned on.
 * @property {number[]} [one]  How one decision to the worse changes tp and pp.
 * @property {[string, string]} [decision]  What that is called.
 * @property {number | null} [low]
 * @property {number | null} [high]
 * @property {number[]} [of]
 * @property {Packed} [edges]
 */
/** @typedef {[number, number, number, number]} Four  tp, pp, p and n. */
/** How a constraint stands. @typedef {"kept" | "tight" | "broken"} Standing */
/** What a constraint does to labels: its spec, and of counts the number of each label's value from 1, 0 where it has none.
 * @typedef {{spec: Limit, which: ArrayLike<number>}} Limiting */

/** Sums of weights are rounded: so much of what is compared may be missing. */
const ROUNDING = 1e-12;

/** What a standing is called. */
const STANDING = { kept: "holds", tight: "at its limit", broken: "broken" };

/** @param {Standing} standing */
export const standingBadge = (standing) => el("span", { class: `standing standing-${standing}` }, STANDING[standing]);

/** What must not be negative. @param {Limit} spec @param {number} v  Number of the value. @param {Four} counts
 * @param {boolean} [weighted]  Whether counts are sums of weights. */
export function slackFor(spec, v, [tp, pp, p, n], weighted = false) {
  const [ofTp, ofPp, ofP, ofN, constant] = spec.terms?.[v] ?? [0, 0, 0, 0, 0];
  const totals = ofP * p + ofN * n + constant, found = ofTp * tp + ofPp * pp + totals;
  return weighted ? found + ROUNDING * (Math.abs(ofTp) * tp + Math.abs(ofPp) * pp + Math.abs(totals)) : found;
}

/** What is limited; NaN where it is 0/0. @param {Limit} spec @param {Four} counts */
export function measuredBy(spec, counts) {
  const [above, below] = /** @type {number[][]} */ (spec.measured);
  const part = above.reduce((sum, factor, c) => sum + factor * counts[c], 0);
  const whole = below.reduce((sum, factor, c) => sum + factor * (c < 4 ? counts[c] : 1), 0);
  return whole > 0 ? part / whole : NaN;
}

/**
 * Room of a constraint on counts: how much of what is limited, and how many decisions to the worse; below 0 it is broken.
 * @param {Limit} spec @param {number} v @param {Four} counts
 * @param {number} [mean]  The mean weight of what is counted, where counts are sums of weights; else 0.
 */
export function roomFor(spec, v, counts, mean = 0) {
  const value = measuredBy(spec, counts), bar = spec.values?.[v] ?? NaN;
  const [tp, pp] = spec.one ?? [0, 0], [ofTp, ofPp] = spec.terms?.[v] ?? [0, 0];
  const cost = -(ofTp * tp + ofPp * pp), slack = slackFor(spec, v, counts, mean > 0);
  return { value, bar, slack, room: (value - bar) * (spec.at_least ? 1 : -1), decisions: cost > 0 ? Math.floor(slack / cost) : Infinity,
    /** Whether one decision more to the worse breaks it: with weights, one of mean weight. */
    tight: slack >= 0 && cost > 0 && slack < cost * (mean || 1) };
}

/** The label nearest to its limit, or furthest beyond; -1 if none can be measured. @param {Limiting} limit
 * @param {(k: number) => Four} countsOf @param {(k: number) => boolean} isFree  Labels that need not keep it. */
export function nearestTo({ spec, which }, countsOf, isFree) {
  let least = Infinity, found = -1;
  for (let k = 0; k < which.length; k++) {
    const v = which[k] - 1;
    if (v < 0 || isFree(k)) continue;
    const room = (measuredBy(spec, countsOf(k)) - (spec.values?.[v] ?? NaN)) * (spec.at_least ? 1 : -1);
    if (room < least) { least = room; found = k; }
  }
  return found;
}

/** A value of what is limited. @param {Limit} spec @param {number} value @param {number} [figures] */
export function limitValue(spec, value, figures = 6) {
  if (spec.percent) return `${percent(value)}${THIN}%`;
  return `${String(Number(value.toPrecision(figures))).replace("-", MINUS)}${spec.suffix ?? ""}`;
}

/** A limit in signs: "precision ≥ 90.0 %". @param {Limit} spec @param {number} v  Number of its value. */
export function limitSign(spec, v) {
  return `${spec.noun} ${spec.at_least ? "≥" : "≤"} ${limitValue(spec, spec.values?.[v] ?? NaN)}`;
}

/** A difference to a limit. @param {Limit} spec @param {number} value */
const sizeOfRoom = (spec, value) => (spec.percent ? `${percent(Math.abs(value))} points` : limitValue(spec, Math.abs(value), spec.suffix ? 3 : 6));

/** What counts say of a limit: what there is now, and the room. @param {Limit} spec @param {number} v @param {Four} counts
 * @param {number} [mean]  As of `roomFor`. @returns {{standing: Standing, text: string}} */
export function roomText(spec, v, counts, mean = 0) {
  const { value, slack, room, decisions, tight } = roomFor(spec, v, counts, mean), [noun, way] = spec.decision ?? ["tag", "more"];
  if (Number.isNaN(value)) {
    return slack < 0 ? { standing: "broken", text: "nothing may be given where there is nothing to measure by" }
      : { standing: "kept", text: "kept, for there is nothing to measure" };
  }
  // Rates an hour are no whole numbers: four figures do, but near the limit.
  const now = limitValue(spec, value, spec.suffix && Math.abs(room) > 1e-3 * Math.abs(value) ? 4 : 6);
  if (slack < 0) return { standing: "broken", text: `now ${now}, ${sizeOfRoom(spec, room)} too ${spec.at_least ? "low" : "high"}` };
  if (tight) return { standing: "tight", text: `${now}, at its limit: one ${noun} ${way} breaks it` };
  const places = mean || !Number.isFinite(decisions) ? "" : ` (${counted(decisions, noun)} ${way})`;
  return { standing: "kept", text: `${now}, room of ${sizeOfRoom(spec, room)}${places}` };
}

/**
 * What an edited file says of a constraint on counts, as limen.evaluate does.
 * @param {Limiting} limit @param {boolean} holds @param {{pooled: Four, countsOf: (k: number) => Four, names: string[],
 *   broken: number[], nearest: number}} now  The counts; the labels that break it, and the one nearest to its limit.
 */
export function outcomeFor({ spec }, holds, { pooled: summed, countsOf, names, broken, nearest }) {
  /** @param {Four} counts */
  const value = (counts) => measuredBy(spec, counts) * (spec.scale ?? 1);
  if (spec.kind === "pooled") {
    const now = value(summed), none = Number.isNaN(now);
    return { holds, measured: none ? null : now, said: none ? "" : limitValue(spec, now).replace(THIN, " ") };
  }
  return { holds, broken_by: broken.map((k) => names[k]), nearest: nearest < 0 ? null : [names[nearest], value(countsOf(nearest))] };
}

/** A promise of a file for some of its labels: what it has for each of them, it has for these.
 * @param {Record<string, any>} promise @param {string[]} still */
export function promiseFor(promise, still) {
  const places = promise.labels.flatMap((/** @type {string} */ name, /** @type {number} */ place) => (still.includes(name) ? [place] : []));
  /** @param {any[]} each */
  const some = (each) => places.map((/** @type {number} */ place) => each[place]);
  const largest = Object.entries(promise.largest).map(([kind, sizes]) => [kind, some(/** @type {any[]} */ (sizes))]);
  return { ...promise, labels: some(promise.labels), largest: Object.fromEntries(largest) };
}
