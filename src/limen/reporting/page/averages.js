// The metrics of counts and their averages over labels: limen's own terms, in the same order of operations.

import { byLabel, divided, formulas, linear, pooled } from "./metric.js";
import {
  content, falsePositives, known, nLabels, positives, sizeOf, starts, truePositives, unpack,
} from "./model.js";
/** @import { Average, MetricSpec } from "./metric.js" */

/** @type {Average[]} */
export const AVERAGES = ["micro", "macro", "weighted"];
const zeroDivision = content.objective.zero_division;

/** @param {number} above @param {number} below @param {number} [zero] */
export const ratio = (above, below, zero = zeroDivision) => divided(above, below, zero);
const FORMULAS = formulas(zeroDivision);

/**
 * A metric of one label at a position, of the counts of all labels summed at a position of each, and what one item
 * more would add to that of a label: one given rightly, missed, given wrongly, or rightly not given.
 * @typedef {{ofLabel: (k: number, i: number) => number, ofAll: (at: Int32Array, tp: number, pp: number) => number,
 *   more: (k: number, i: number) => number[]}} Metric
 */

/** How each of these items moves tp, pp, p and n. */
const CELLS = [[1, 1, 1, 1], [0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 0, 1]];
const STEP = 1e-4;

/** How many of these items there are. @param {number} k @param {number} i */
function cellsAt(k, i) {
  const { tp, pp } = countsAt(k, i), p = positives[k], n = known[k];
  return [tp, p - tp, pp - tp, n - p - pp + tp];
}

/** The metric that Python describes; what it can't tell of all labels together is NaN. @param {MetricSpec} from
 * @returns {Metric} */
function metricOf(from) {
  if (from.formula !== undefined) {
    const formula = FORMULAS[from.formula];
    return {
      ofLabel: (k, i) => { const { tp, pp } = countsAt(k, i); return formula(tp, pp, positives[k], known[k]); },
      ofAll: (_, tp, pp) => formula(tp, pp, allPositives, allKnown),
      more: (k, i) => cellsAt(k, i).map((cell, c) => {
        const { tp, pp } = countsAt(k, i), [a, b, d, e] = CELLS[c], step = STEP * cell;
        /** @param {number} h */
        const at = (h) => formula(tp + h * a, pp + h * b, positives[k] + h * d, known[k] + h * e);
        return cell > 0 ? (at(step) - at(-step)) / (2 * step) : 0;
      }),
    };
  }
  if (from.terms === undefined) {
    const values = unpack(from.values ?? {}), influence = unpack(from.influence ?? {});
    return { ofLabel: (k, i) => values[starts[k] + i], ofAll: () => NaN,
      more: (k, i) => CELLS.map((_, c) => influence[c * values.length + starts[k] + i]) };
  }
  const [above, below] = from.terms.map(linear), [allAbove, allBelow] = from.pooled?.map(pooled) ?? [];
  const [ofPositive, ofNegative] = (from.more ?? []).map((terms) => terms.map(linear));
  const slopes = from.terms.map(([ofTp, ofPp]) => [byLabel(ofTp), byLabel(ofPp)]);
  return {
    more: (k, i) => {
      const { tp, pp } = countsAt(k, i), under = below(tp, pp, k), value = ratio(above(tp, pp, k), under, 0);
      return cellsAt(k, i).map((cell, c) => {
        if (cell <= 0 || under === 0) return 0;
        const change = c < 2 ? ofPositive : ofNegative;
        const [top, bottom] = slopes.map(([ofTp, ofPp], part) =>
          CELLS[c][0] * ofTp(k) + CELLS[c][1] * ofPp(k) + change[part](tp, pp, k));
        return (top - value * bottom) / under;
      });
    },
    ofLabel: (k, i) => { const { tp, pp } = countsAt(k, i); return Math.min(ratio(above(tp, pp, k), below(tp, pp, k)), 1); },
    ofAll: (at, tp, pp) => {
      if (!allAbove) return NaN;
      const here = (/** @type {number} */ k) => countsAt(k, at[k]);
      return Math.min(ratio(allAbove(tp, pp, nLabels, here), allBelow(tp, pp, nLabels, here)), 1);
    },
  };
}

export const allPositives = positives.reduce((sum, p) => sum + p, 0);
export const allKnown = known.reduce((sum, n) => sum + n, 0);

export const spec = content.objective.metric;
export const metric = metricOf(spec);
export const f1 = metricOf(content.ratios.f1);
export const precision = metricOf(content.ratios.precision);
export const recall = metricOf(content.ratios.recall);
export const metricIsF1 = spec.is_f1;

/** Counts of a label's position: tp and pp. @param {number} k @param {number} i */
export function countsAt(k, i) {
  const tp = truePositives[starts[k] + i];
  return { tp, pp: tp + falsePositives[starts[k] + i] };
}

/** A metric of one label at a position. @param {Metric} of @param {number} k @param {number} i */
export function valueAt(of, k, i) {
  return of.ofLabel(k, i);
}

/**
 * Averages of the metric, and what is summed over labels, at a position of each label.
 * @param {Int32Array} at
 */
export function totalsAt(at) {
  let tp = 0, pp = 0, macro = 0, weighted = 0, tagsPerItem = 0;
  for (let k = 0; k < nLabels; k++) {
    const here = countsAt(k, at[k]);
    const value = metric.ofLabel(k, at[k]);
    tp += here.tp;
    pp += here.pp;
    macro += value / nLabels;
    weighted += value * ratio(positives[k], allPositives, 0);
    tagsPerItem += ratio(here.pp, known[k], 0);
  }
  return {
    tp, pp, tagsPerItem,
    micro: metric.ofAll(at, tp, pp),
    macro: Math.min(macro, 1),
    weighted: allPositives === 0 ? zeroDivision : Math.min(weighted, 1),
    precision: ratio(tp, pp),
    recall: ratio(tp, allPositives),
  };
}

/** Position of the highest metric of a label; of equals, the highest cut. @param {Metric} of @param {number} k */
export function bestOf(of, k) {
  let best = 0;
  for (let i = 1; i < sizeOf(k); i++) if (valueAt(of, k, i) > valueAt(of, k, best)) best = i;
  return best;
}
