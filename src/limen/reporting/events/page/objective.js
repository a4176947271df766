// The objective and what it is made of, at the counts of all labels: in limen's own terms.

import { asGiven } from "./counting.js";
import { divided, formulas, linear, pooled, textsOf } from "../../page/metric.js";
import { content, known, nLabels } from "./model.js";
/** @import { Average } from "../../page/metric.js" */

/** @typedef {{tp: number, pp: number, p: number}} Counted */

export const { metric: spec, average, zero_division: zero } = content.objective;
export const { inPercent, facing, unit, metricText } = textsOf(spec);
const formula = spec.formula === undefined ? undefined : formulas(zero)[spec.formula];
const [above, below] = spec.terms?.map(linear) ?? [];
const [allAbove, allBelow] = spec.pooled?.map(pooled) ?? [];

/** The metric of a label, NaN if the page has no formula for it. @param {number} k @param {Counted} counts */
export function metricAt(k, { tp, pp, p }) {
  if (formula) return formula(tp, pp, p, known[k]);
  return above ? Math.min(divided(above(tp, pp, k), below(tp, pp, k), zero), 1) : NaN;
}

/** @param {readonly Counted[]} all */
export function summed(all) {
  const sum = { tp: 0, pp: 0, p: 0 };
  for (const { tp, pp, p } of all) { sum.tp += tp; sum.pp += pp; sum.p += p; }
  return sum;
}

/** The metric averaged over labels as limen does; NaN if the page cannot know it. @param {readonly Counted[]} all
 * @param {Average} by */
export function averageOf(all, by = average) {
  const { tp, pp, p } = summed(all);
  if (by === "micro") {
    if (formula) return formula(tp, pp, p, known.reduce((sum, n) => sum + n, 0));
    return allAbove ? Math.min(divided(allAbove(tp, pp, nLabels, (k) => all[k]), allBelow(tp, pp, nLabels, (k) => all[k]), zero), 1) : NaN;
  }
  if (by === "weighted" && p === 0) return zero;
  const weigh = (/** @type {Counted} */ own) => (by === "weighted" ? own.p / p : 1 / nLabels);
  return Math.min(all.reduce((sum, own, k) => sum + weigh(own) * metricAt(k, own), 0), 1);
}

/** The objective; of the settings as given Python counted it, whatever the metric. @param {readonly Counted[]} all */
export function objectiveOf(all) {
  const value = averageOf(all);
  return Number.isNaN(value) && all.every((one, k) => one === asGiven[k]) ? content.objective.given : value;
}

/** Shares of events, NaN where they are 0/0. @param {Counted} counts */
export const sharesOf = ({ tp, pp, p }) => ({ precision: divided(tp, pp, NaN), recall: divided(tp, p, NaN), f1: divided(2 * tp, pp + p, NaN) });
