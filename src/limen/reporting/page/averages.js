// The metrics of counts and their averages over labels: limen's own formulas, in the same order of operations.

/** @typedef {"micro" | "macro" | "weighted"} Average */
/** @type {Average[]} */
const AVERAGES = ["micro", "macro", "weighted"];
const zeroDivision = content.objective.zero_division;

/** @param {number} above @param {number} below @param {number} [zero] */
const ratio = (above, below, zero = zeroDivision) => (below === 0 ? zero : above / below);

/** Sensitivity plus specificity over their common denominator. @param {number} p @param {number} n */
function rates(p, n) {
  const q = n - p, some = p === 0 ? 1 : p, others = q === 0 ? 1 : q;
  const noPositive = p === 0 ? zeroDivision : 0, noNegative = q === 0 ? zeroDivision : 0;
  return { ofTp: others + some, ofPp: -some, constant: q * some + noPositive * others + noNegative * some,
    common: some * others };
}

/** A cost of a label. @param {number | number[] | undefined} cost @param {number} k */
const costOf = (cost, k) => (Array.isArray(cost) ? cost[k] : cost ?? 1);

/**
 * A metric of one label's counts, or of summed counts.
 * @typedef {(tp: number, pp: number, p: number, n: number, k: number) => number} Metric
 */

/** @type {Record<string, (spec: MetricSpec) => Metric>} */
const METRICS = {
  fbeta: ({ a = 1, b = 1 }) => (tp, pp, p) => Math.min(ratio((a + b) * tp, b * pp + a * p), 1),
  precision: () => (tp, pp) => Math.min(ratio(tp, pp), 1),
  recall: () => (tp, _, p) => Math.min(ratio(tp, p), 1),
  jaccard: () => (tp, pp, p) => Math.min(ratio(tp, -tp + pp + p), 1),
  accuracy: () => (tp, pp, p, n) => Math.min(ratio(2 * tp - pp + (n - p), n), 1),
  balanced_accuracy: () => (tp, pp, p, n) => {
    const r = rates(p, n);
    return Math.min(ratio(r.ofTp * tp + r.ofPp * pp + r.constant, 2 * r.common), 1);
  },
  youden_j: () => (tp, pp, p, n) => {
    const r = rates(p, n);
    return Math.min(ratio(r.ofTp * tp + r.ofPp * pp + (r.constant - r.common), r.common), 1);
  },
  kappa: () => (tp, pp, p, n) => Math.min(ratio(2 * n * tp - 2 * p * pp, (n - 2 * p) * pp + p * n), 1),
  cost: ({ fp, fn }) => (tp, pp, p, n, k) => {
    const a = costOf(fp, k), b = costOf(fn, k);
    return Math.min(ratio((a + b) * tp - a * pp - b * p, n), 1);
  },
  mcc: () => (tp, pp, p, n) => {
    const excess = n * tp - p * pp;
    const square = ratio(excess * excess, p * pp * Math.max(n - p, 0) * Math.max(n - pp, 0), NaN);
    return Number.isNaN(square) ? zeroDivision : Math.sign(excess) * Math.sqrt(Math.min(square, 1));
  },
  fowlkes_mallows: () => (tp, pp, p) => {
    const square = ratio(tp * tp, p * pp, NaN);
    return Number.isNaN(square) ? zeroDivision : Math.sqrt(Math.min(square, 1));
  },
  g_mean: () => (tp, pp, p, n) => {
    const sensitivity = ratio(Math.max(tp, 0), p), specificity = ratio(Math.max(n - p - (pp - tp), 0), n - p);
    return Math.sqrt(Math.min(sensitivity * specificity, 1));
  },
};

const spec = content.objective.metric;
const metric = METRICS[spec.name](spec);
const f1 = METRICS.fbeta({ name: "fbeta", title: "F1", a: 1, b: 1 });
const precision = METRICS.precision(spec);
const recall = METRICS.recall(spec);
const metricIsF1 = spec.name === "fbeta" && spec.a === spec.b;

/** Counts of a label's position: tp and pp. @param {number} k @param {number} i */
function countsAt(k, i) {
  const tp = truePositives[starts[k] + i];
  return { tp, pp: tp + falsePositives[starts[k] + i] };
}

/** A metric of one label at a position. @param {Metric} of @param {number} k @param {number} i */
function valueAt(of, k, i) {
  const { tp, pp } = countsAt(k, i);
  return of(tp, pp, positives[k], known[k], k);
}

const allPositives = positives.reduce((sum, p) => sum + p, 0);
const allKnown = known.reduce((sum, n) => sum + n, 0);

/**
 * Averages of the metric, and what is summed over labels, at a position of each label.
 * @param {Int32Array} at
 */
function totalsAt(at) {
  let tp = 0, pp = 0, macro = 0, weighted = 0, tagsPerItem = 0, cost = 0;
  for (let k = 0; k < nLabels; k++) {
    const here = countsAt(k, at[k]);
    const value = metric(here.tp, here.pp, positives[k], known[k], k);
    tp += here.tp;
    pp += here.pp;
    macro += value / nLabels;
    weighted += value * ratio(positives[k], allPositives, 0);
    tagsPerItem += ratio(here.pp, known[k], 0);
    if (spec.name === "cost") {
      cost += costOf(spec.fp, k) * (here.pp - here.tp) + costOf(spec.fn, k) * (positives[k] - here.tp);
    }
  }
  const micro = spec.name === "cost" ? ratio(-cost, allKnown) : metric(tp, pp, allPositives, allKnown, -1);
  return {
    tp, pp, micro, tagsPerItem,
    macro: Math.min(macro, 1),
    weighted: allPositives === 0 ? zeroDivision : Math.min(weighted, 1),
    precision: ratio(tp, pp),
    recall: ratio(tp, allPositives),
  };
}

/** Position of the highest metric of a label; of equals, the highest cut. @param {Metric} of @param {number} k */
function bestOf(of, k) {
  let best = 0;
  for (let i = 1; i < sizeOf(k); i++) if (valueAt(of, k, i) > valueAt(of, k, best)) best = i;
  return best;
}
