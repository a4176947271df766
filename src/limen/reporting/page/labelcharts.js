// The charts of one label: histograms, curves over the cut, precision over recall, calibration.

import { countsAt, f1, metric, precision, recall, spec, valueAt } from "./averages.js";
import {
  axisBelow, axisOfShares, chart, colour, draggable, inWholePercent, line, nameMarks, onCanvas, paintCut, paintDot,
  scoreTicks, tickText, unitScale,
} from "./charts.js";
import { chosen } from "./chosen.js";
import { byId } from "./dom.js";
import { edits, move } from "./edits.js";
import { paintFloors, paintForbiddenCuts, paintLabelRegions } from "./limitcharts.js";
import { inPercent } from "./texts.js";
import { atHalf, content, cutAt, given, nLabels, placeOf, ranges, sizeOf, unpack } from "./model.js";

const bins = content.histogram.bins;
const binsPositive = unpack(content.histogram.positive);
const binsNegative = unpack(content.histogram.negative);
const axisLow = unpack(content.axis.low);
const axisHigh = unpack(content.axis.high);
export const calibration = {
  positive: unpack(content.calibration.positive),
  total: unpack(content.calibration.total),
  score: unpack(content.calibration.score),
  /** Number of items that tell as much, where they have weights. */
  size: unpack(content.calibration.size ?? content.calibration.total),
};
export const GROUPS = calibration.total.length / nLabels;

export const shown = {
  /** Where each position is drawn, by falling threshold. */
  places: new Float64Array(0),
  low: 0, high: 1, never: 1.1,
  /** Range of the curves. @type {[number, number]} */
  floor: [0, 1],
  /** @type {Record<string, uPlot>} */
  plots: {},
};

/** The end of a chart's axis, beyond "never". */
export const axisEnd = () => shown.never + (shown.high - shown.low) * 0.03;

/** @param {number} k */
export function aim(k) {
  const half = (axisHigh[k] - axisLow[k]) * 0.02;
  shown.low = axisLow[k] - half;
  shown.high = axisHigh[k] + half;
  shown.never = shown.high + (shown.high - shown.low) * 0.07;
  shown.places = Float64Array.from({ length: sizeOf(k) }, (_, i) => {
    const cut = cutAt(k, i);
    return cut === Infinity ? shown.never : Math.min(Math.max(placeOf(cut), shown.low), shown.high);
  });
}

/** The position drawn nearest to a place. @param {number} place */
export function positionAt(place) {
  const { places } = shown;
  let low = 0, high = places.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle] > place) low = middle + 1;
    else high = middle;
  }
  return low > 0 && places[low - 1] - place < place - places[low] ? low - 1 : low;
}

export const cutPlace = () => shown.places[edits.at[chosen.label]];

/** Positives above the middle, negatives below; full colour where the label is given. @param {uPlot} plot */
function paintHistogram(plot) {
  const k = chosen.label, cut = cutPlace();
  const width = (axisHigh[k] - axisLow[k]) / bins;
  paintForbiddenCuts(plot, k, shown.places);
  onCanvas(plot, (context, x, y) => {
    for (const [counts, sign, fill] of /** @type {[Float64Array, number, string][]} */ (
      [[binsPositive, 1, colour.positive], [binsNegative, -1, colour.negative]])) {
      const all = counts.subarray(k * bins, (k + 1) * bins).reduce((sum, count) => sum + count, 0) || 1;
      for (let b = 0; b < bins; b++) {
        const share = counts[k * bins + b] / all;
        if (share === 0) continue;
        const left = axisLow[k] + b * width, right = left + width, middle = Math.min(Math.max(cut, left), right);
        const top = y(sign * share), base = y(0), gap = devicePixelRatio * 0.5;
        context.fillStyle = fill;
        const height = Math.sign(top - base) * Math.max(Math.abs(top - base), devicePixelRatio);
        if (middle > left) {
          context.globalAlpha = 0.33;
          context.fillRect(x(left) + gap, base, x(middle) - x(left) - gap, height);
        }
        if (right > middle) {
          context.globalAlpha = 1;
          context.fillRect(x(middle), base, x(right) - x(middle) - gap, height);
        }
      }
    }
    context.globalAlpha = 1;
  });
  nameMarks("histogram", { range: paintRange(plot, k) });
  paintCut(plot, cut);
}

/** Where other data like those tuned on would put the threshold: a bar along the top, if there is one.
 * @param {uPlot} plot @param {number} k */
function paintRange(plot, k) {
  if (!ranges || cutAt(k, given[k]) === Infinity) return false;
  /** @param {number} cut */
  const place = (cut) => (cut === Infinity ? shown.never : Math.min(Math.max(placeOf(cut), shown.low), shown.high));
  const [from, to] = [place(ranges[k]), place(ranges[nLabels + k])];
  onCanvas(plot, (context, x, _, box) => {
    context.fillStyle = colour.cut;
    context.globalAlpha = 0.3;
    context.fillRect(x(from), box.top - 3 * devicePixelRatio, x(to) - x(from), 6 * devicePixelRatio);
    context.globalAlpha = 1;
  });
  return true;
}

/** @param {uPlot} plot */
function paintOperatingPoint(plot) {
  const k = chosen.label;
  paintLabelRegions(plot, k);
  onCanvas(plot, (context, x, y) => {
    /** @param {number} i @param {Parameters<typeof paintDot>[3]} look */
    const at = (i, look) => {
      if (countsAt(k, i).pp === 0) return false;
      paintDot(context, x(valueAt(recall, k, i)), y(valueAt(precision, k, i)), look);
      return true;
    };
    nameMarks("precision-recall", {
      half: at(atHalf[k], { fill: colour.muted, size: 5, shape: "square" }),
      given: edits.at[k] !== given[k] && at(given[k], { fill: colour.third, size: 5, shape: "diamond" }),
      now: at(edits.at[k], { fill: colour.cut, size: 7 }),
    });
  });
}

/** Shares of positives by score, with their 95 % intervals (Wilson's). @param {uPlot} plot */
function paintCalibration(plot) {
  const k = chosen.label;
  onCanvas(plot, (context, x, y) => {
    const pixel = devicePixelRatio;
    context.strokeStyle = colour.muted;
    context.lineWidth = pixel;
    if (content.data.probabilities) {
      context.setLineDash([4 * pixel, 4 * pixel]);
      context.beginPath();
      context.moveTo(x(0), y(0));
      context.lineTo(x(1), y(1));
      context.stroke();
      context.setLineDash([]);
    }
    for (let g = k * GROUPS; g < (k + 1) * GROUPS; g++) {
      if (calibration.total[g] === 0) continue;
      const n = calibration.size[g], share = Math.min(calibration.positive[g] / calibration.total[g], 1), z = 1.96;
      const middle = (share + z * z / (2 * n)) / (1 + z * z / n);
      const reach = z / (1 + z * z / n) * Math.sqrt(share * (1 - share) / n + z * z / (4 * n * n));
      const at = x(calibration.score[g]);
      context.strokeStyle = colour.positive;
      context.lineWidth = 2 * pixel;
      context.beginPath();
      context.moveTo(at, y(middle - reach));
      context.lineTo(at, y(middle + reach));
      context.stroke();
      paintDot(context, at, y(share), { fill: colour.positive, size: 4.5 });
    }
  });
  nameMarks("calibration", { diagonal: content.data.probabilities });
}

/** The scale of scores, under the histogram and the curves. */
const scoreScale = () => ({ time: false, range: () => /** @type {[number, number]} */ ([shown.low, axisEnd()]) });

const scoreAxis = () => axisBelow(content.data.probabilities ? "score, log-odds scale" : "score", {
  splits: (plot) => scoreTicks(plot, shown.low, shown.high, shown.never),
  values: (_, places) => places.map((place) => tickText(place, shown.never)),
});

/** The third curve: the metric, or F1 where the metric is a cost and has another unit. */
const drawn = inPercent ? metric : f1;
export const drawnTitle = inPercent ? spec.title : "F1";

/** Data of the three curves over the score, and of precision over recall. */
function curvesOf() {
  const k = chosen.label, size = sizeOf(k);
  /** @type {number[][]} */
  const [x, r, f, across, up] = [[], [], [], [], []];
  /** @type {(number | null)[]} */
  const p = [];
  for (let i = size - 1; i >= 0; i--) {
    x.push(shown.places[i]);
    p.push(countsAt(k, i).pp === 0 ? null : valueAt(precision, k, i));
    r.push(valueAt(recall, k, i));
    f.push(valueAt(drawn, k, i));
  }
  for (let i = 0; i < size; i++) {
    if (countsAt(k, i).pp === 0) continue;
    across.push(valueAt(recall, k, i));
    up.push(valueAt(precision, k, i));
  }
  return { overScore: /** @type {uPlot.AlignedData} */ ([x, p, r, f]),
    overRecall: /** @type {uPlot.AlignedData} */ ([across, up]) };
}

export function drawLabelCharts() {
  for (const id of ["scores", "calibration"]) byId(`${id}-weighted`).textContent = content.data.weighted ? ", weighted" : "";
  const { plots } = shown, { overScore, overRecall } = curvesOf();
  shown.floor = [Math.min(0, ...overScore[3].map(Number)), 1];
  if (plots.histogram) {
    plots.histogram.setData([[shown.low, axisEnd()], [0, 0]]);
    plots.curves.setData(overScore);
    plots.recall.setData(overRecall);
    plots.calibration.setData([[0, 1], [0, 0]]);
    return;
  }
  plots.histogram = chart(byId("histogram"), {
    scales: { x: scoreScale(), y: { range: () => histogramRange() } },
    axes: [scoreAxis(), axisOfShares("share of each", { values: (_, values) => inWholePercent(values.map(Math.abs)) })],
    series: [{}, { paths: () => null, points: { show: false } }],
    hooks: { draw: [paintHistogram] },
  }, [[shown.low, axisEnd()], [0, 0]]);
  plots.curves = chart(byId("curves"), {
    scales: { x: scoreScale(), y: { range: () => shown.floor } },
    axes: [scoreAxis(), axisOfShares("value")],
    series: [{}, line("positive"), line("negative", [7, 4]), line("text", undefined, 2.5)],
    hooks: { draw: [paintCurves] },
  }, overScore);
  plots.recall = chart(byId("precision-recall"), {
    scales: { x: unitScale(), y: unitScale() },
    axes: [axisBelow("recall", { values: (_, values) => inWholePercent(values) }), axisOfShares("precision")],
    series: [{}, line("positive")],
    hooks: { draw: [paintOperatingPoint] },
  }, overRecall);
  plots.calibration = chart(byId("calibration"), {
    scales: { x: content.data.probabilities ? unitScale() : { time: false, range: () => [shown.low, shown.high] },
      y: unitScale() },
    axes: [axisBelow("mean score"), axisOfShares("have the label")],
    series: [{}, { paths: () => null, points: { show: false } }],
    hooks: { draw: [paintCalibration] },
  }, [[0, 1], [0, 0]]);
  for (const plot of [plots.histogram, plots.curves]) {
    draggable(plot, (x) => move(chosen.label, positionAt(plot.posToVal(x, "x"))));
  }
  draggable(plots.recall, (x, y) => move(chosen.label, pointNearest(x, y)));
}

/** What stands over the curves. @param {uPlot} plot */
function paintCurves(plot) {
  paintForbiddenCuts(plot, chosen.label, shown.places);
  paintFloors(plot, chosen.label);
  paintCut(plot, cutPlace());
}

/** @returns {[number, number]} */
function histogramRange() {
  const k = chosen.label;
  const [up, down] = [binsPositive, binsNegative].map((counts) => {
    const own = counts.subarray(k * bins, (k + 1) * bins);
    return Math.max(...own) / (own.reduce((sum, count) => sum + count, 0) || 1);
  });
  const most = Math.max(up, down, 0.01) * 1.08;
  return [-most, most];
}

/** The position drawn nearest to a point of the precision-recall chart. @param {number} x @param {number} y */
function pointNearest(x, y) {
  const k = chosen.label, plot = shown.plots.recall;
  let best = edits.at[k], least = Infinity;
  for (let i = 0; i < sizeOf(k); i++) {
    if (countsAt(k, i).pp === 0) continue;
    const away = Math.hypot(plot.valToPos(valueAt(recall, k, i), "x") - x,
      plot.valToPos(valueAt(precision, k, i), "y") - y);
    if (away < least) { least = away; best = i; }
  }
  return best;
}

