// The micro precision-recall frontier: all thresholds follow one target.

import { allPositives, countsAt, ratio, totalsAt } from "./averages.js";
import {
  axisBelow, axisOfShares, chart, colour, draggable, inWholePercent, line, nameMarks, onCanvas, paintDot, unitScale,
} from "./charts.js";
import { THIN, byId, counted, exact, inputById } from "./dom.js";
import { commit, edits, moveAll, startTotals } from "./edits.js";
import { percent } from "./metric.js";
import { metricText, objectiveName, say } from "./texts.js";
import { membersOf, together } from "./groups.js";
import { paintPooledRegions } from "./limitcharts.js";
import { atHalf, atShared, content, known, nLabels, unpack } from "./model.js";

const stepLabel = Int32Array.from(unpack(content.frontier.label));
const stepPosition = Int32Array.from(unpack(content.frontier.position));

/** @typedef {"precision" | "recall" | "tags"} Target */
/** @typedef {{tp: number, pp: number, tags: number}} Sums  Correct tags, tags, and tags per item. */

/** The sums after a label, and those that share its threshold, went from one position to another. @param {Sums} sums
 * @param {number} k @param {number} from @param {number} to @returns {Sums} */
function moved(sums, k, from, to) {
  const start = together(k, from, to);
  return together(k, to, from).reduce((found, [m, place], j) => {
    const before = countsAt(m, start[j][1]), after = countsAt(m, place), added = after.pp - before.pp;
    return { tp: found.tp + after.tp - before.tp, pp: found.pp + added, tags: found.tags + ratio(added, known[m], 0) };
  }, sums);
}

/** @type {Record<Target, (sums: Sums) => number>} */
const RATES = {
  precision: ({ tp, pp }) => ratio(tp, pp, 1),
  recall: ({ tp }) => ratio(tp, allPositives, 0),
  tags: ({ tags }) => tags,
};

/** The sums at every point of the frontier, and where each step's label was before it. */
const { frontier, stepFrom } = (() => {
  const points = [{ tp: 0, pp: 0, tags: 0 }];
  const at = new Int32Array(nLabels), from = new Int32Array(stepLabel.length);
  for (let s = 0; s < stepLabel.length; s++) {
    const k = stepLabel[s];
    from[s] = at[k];
    points.push(moved(points[s], k, at[k], stepPosition[s]));
    at[k] = stepPosition[s];
  }
  return { frontier: points, stepFrom: from };
})();

const sharedCurve = (() => {
  const tp = unpack(content.frontier.shared.tp), pp = unpack(content.frontier.shared.pp);
  return [...tp].map((hits, j) => ({ precision: ratio(hits, pp[j], 1), recall: ratio(hits, allPositives, 0), given: pp[j] }))
    .filter(({ given: tags }) => tags > 0).sort((a, b) => a.recall - b.recall);
})();

/** The positions of all labels at a point. @param {number} point */
function frontierAt(point) {
  const at = new Int32Array(nLabels);
  for (let s = 0; s < point; s++) at[stepLabel[s]] = stepPosition[s];
  for (const k of new Set(stepLabel.subarray(0, point))) if (membersOf(k).length > 1) alongWith(at, k, at[k], 0);
  return at;
}

/** Put a label and those that share its threshold somewhere. @param {Int32Array} at @param {number} k @param {number} i
 * @param {number} from */
function alongWith(at, k, i, from) {
  for (const [m, place] of together(k, i, from)) at[m] = place;
}

/** Number of leading points for which a condition holds that holds up to some point. @param {(point: number) => boolean} holds */
function countWhile(holds) {
  let low = 0, high = stepLabel.length + 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

const SLACK = 1e-9;

/** Whether sums are within a target that lower cuts break at some point. @type {Record<Target,
 *   (sums: Sums, value: number) => boolean>} */
const WITHIN = {
  precision: (sums, value) => RATES.precision(sums) >= value - SLACK,
  recall: (sums, value) => RATES.recall(sums) < value - SLACK,
  tags: (sums, value) => RATES.tags(sums) <= value + SLACK,
};

/** The last point of the frontier within a target. @param {Target} target @param {number} value */
const pointFor = (target, value) => Math.max(countWhile((q) => WITHIN[target](frontier[q], value)) - 1, 0);

/**
 * The positions that serve a target: the most recall at such a precision or budget, or just such a recall. Beyond
 * the last point within the target, the next step's label goes as far as the target lets it.
 * @param {Target} target @param {number} value
 */
function positionsFor(target, value) {
  const point = pointFor(target, value), at = frontierAt(point);
  if (point === stepLabel.length || (target === "recall" && value <= SLACK)) return at;
  const k = stepLabel[point], from = stepFrom[point];
  let i = from;
  while (i < stepPosition[point] && WITHIN[target](moved(frontier[point], k, from, i + 1), value)) i++;
  alongWith(at, k, target === "recall" ? i + 1 : i, from);
  return at;
}

const tradeoff = {
  /** @type {Target} */
  target: "precision",
  /** @type {uPlot | null} */
  plot: null,
  /** Whether the slider itself is moving: it then shows what is asked for, else what there is. */
  sliding: false,
};

/** @type {Record<Target, {text: (value: number) => string, max: () => number, step: number, name: string}>} */
const TARGETS = {
  precision: { name: "precision at least", text: (value) => `${percent(value)}${THIN}%`, max: () => 1, step: 0.001 },
  recall: { name: "recall at least", text: (value) => `${percent(value)}${THIN}%`, max: () => 1, step: 0.001 },
  tags: { name: "tags an item at most", text: (value) => value.toFixed(2), step: 0.01,
    max: () => Math.ceil(100 * frontier[frontier.length - 1].tags) / 100 },
};

/** The present value of what the target is about. */
const targetNow = () => ({ precision: edits.totals.precision, recall: edits.totals.recall,
  tags: edits.totals.tagsPerItem }[tradeoff.target]);

function aimTarget() {
  const { max, step: size } = TARGETS[tradeoff.target];
  const slider = inputById("target");
  slider.max = String(max());
  slider.step = String(size);
  slider.value = String(targetNow());
  sayTarget(Number(slider.value));
}

/** @param {number} value */
function sayTarget(value) {
  const { name, text } = TARGETS[tradeoff.target];
  byId("target-value").textContent = `${name} ${text(value)}`;
  inputById("target").setAttribute("aria-valuetext", `${name} ${text(value)}`);
}

function refreshTradeoff() {
  const now = edits.totals;
  for (const [id, value, text] of /** @type {[string, number, string][]} */ ([
    ["frontier-precision", now.precision, percent(now.precision)], ["frontier-recall", now.recall, percent(now.recall)],
    ["frontier-tags", now.tagsPerItem, now.tagsPerItem.toFixed(2)],
    ["frontier-metric", now[content.objective.average], metricText(now[content.objective.average])]])) {
    byId(id).replaceChildren(exact(value, text));
  }
  byId("frontier").setAttribute("aria-label", `Micro precision against recall, over all thresholds. Now precision ` +
    `${percent(now.precision)} %, recall ${percent(now.recall)} %. Along the frontier: ` +
    [0.5, 0.6, 0.7, 0.8, 0.9].map((value) => `recall ${percent(RATES.recall(frontier[pointFor("precision", value)]))} % at ` +
      `precision ${percent(value)} %`).join(", ") + ".");
  tradeoff.plot?.redraw(false, false);
}

/** @param {uPlot} plot */
function paintTradeoff(plot) {
  paintPooledRegions(plot);
  onCanvas(plot, (context, x, y) => {
    /** @param {typeof startTotals} totals @param {Parameters<typeof paintDot>[3]} look */
    const at = (totals, look) => {
      if (totals.pp === 0) return false;
      paintDot(context, x(totals.recall), y(totals.precision), look);
      return true;
    };
    const now = edits.totals, moved = now.tp !== startTotals.tp || now.pp !== startTotals.pp;
    nameMarks("frontier", {
      line: sharedCurve.length > 0,
      half: at(totalsAt(atHalf), { fill: colour.muted, size: 5, shape: "square" }),
      shared: at(totalsAt(atShared), { fill: colour.muted, size: 5, shape: "triangle" }),
      given: moved && at(startTotals, { fill: colour.third, size: 5, shape: "diamond" }),
      now: at(now, { fill: colour.cut, size: 7 }),
    });
  });
}

export function startTradeoff() {
  byId("frontier-metric-name").textContent = objectiveName(content.objective.average);
  // One x for both lines: the points of the frontier and those of the shared cut, in order of recall.
  const points = frontier.map((sums) => ({ x: RATES.recall(sums), up: RATES.precision(sums),
    across: /** @type {number | null} */ (null) })).slice(1).concat(sharedCurve.map((point) => ({ x: point.recall, up: /** @type {any} */ (null), across: point.precision })))
    .sort((a, b) => a.x - b.x);
  tradeoff.plot = chart(byId("frontier"), {
    scales: { x: unitScale(), y: unitScale() },
    axes: [axisBelow("micro recall", { values: (_, values) => inWholePercent(values) }), axisOfShares("micro precision")],
    series: [{}, { ...line("positive"), spanGaps: true }, { ...line("muted", [6, 4], 1.5), spanGaps: true }],
    hooks: { draw: [paintTradeoff] },
  }, [points.map(({ x }) => x), points.map(({ up }) => up), points.map(({ across }) => across)]);
  draggable(tradeoff.plot, (x) => {
    const wanted = Math.min(Math.max(/** @type {uPlot} */ (tradeoff.plot).posToVal(x, "x"), 0), 1);
    moveAll(positionsFor("recall", wanted));
  });
  const slider = inputById("target");
  /** @param {() => void} act */
  const slide = (act) => {
    tradeoff.sliding = true;
    act();
    tradeoff.sliding = false;
  };
  slider.addEventListener("input", () => {
    const value = Number(slider.value);
    slide(() => moveAll(positionsFor(tradeoff.target, value)));
    sayTarget(value);
  });
  slider.addEventListener("change", () => slide(commit));
  for (const target of /** @type {Target[]} */ (["precision", "recall", "tags"])) {
    byId(`target-${target}`).addEventListener("change", () => {
      tradeoff.target = target;
      aimTarget();
    });
  }
  edits.listeners.push(({ labels: changed }) => {
    refreshTradeoff();
    if (!tradeoff.sliding) aimTarget();
    if (changed.length > 1) {
      say(`${counted(changed.length, "threshold")} moved: precision ${percent(edits.totals.precision)} %, recall ` +
        `${percent(edits.totals.recall)} %, ${edits.totals.tagsPerItem.toFixed(2)} tags an item.`);
    }
  });
  aimTarget();
  refreshTradeoff();
}
