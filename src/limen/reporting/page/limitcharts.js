// Constraints in the charts: what is not allowed is hatched, limits are lines that say what they are.

import { allKnown, allPositives } from "./averages.js";
import { limitSign } from "./bounds.js";
import { colour, nameMarks, onCanvas } from "./charts.js";
import { byId } from "./dom.js";
import { allows, limits, limitsOf, pooledLimits, valueNumber } from "./limits.js";
import { spanOfCuts } from "./limittexts.js";
import { known, positives, sizeOf } from "./model.js";
/** @import { Kept } from "./limits.js" */

/** What is written at a line. @typedef {{text: string, at: number, up: number, align: CanvasTextAlign}} Name */

const HATCH = 7, COLUMN = 3;

/** Hatch what a path holds. @param {CanvasRenderingContext2D} context @param {uPlot.BBox} box @param {() => void} path */
function hatch(context, box, path) {
  const pixel = devicePixelRatio, step = HATCH * pixel;
  context.save();
  context.beginPath();
  path();
  context.clip();
  context.globalAlpha = 0.12;
  context.fillStyle = colour.muted;
  context.fillRect(box.left, box.top, box.width, box.height);
  context.globalAlpha = 0.45;
  context.strokeStyle = colour.muted;
  context.lineWidth = pixel;
  context.beginPath();
  for (let at = -box.height; at < box.width; at += step) {
    context.moveTo(box.left + at, box.top + box.height);
    context.lineTo(box.left + at + box.height, box.top);
  }
  context.stroke();
  context.restore();
}

/** Words beside a line, on a rim of the card's colour. @param {CanvasRenderingContext2D} context @param {string} text
 * @param {number} x @param {number} y @param {CanvasTextAlign} align */
function words(context, text, x, y, align) {
  const pixel = devicePixelRatio;
  context.font = `${11 * pixel}px system-ui, sans-serif`;
  context.textAlign = align;
  context.textBaseline = "bottom";
  context.lineWidth = 4 * pixel;
  context.lineJoin = "round";
  context.strokeStyle = colour.card;
  context.strokeText(text, x, y);
  context.fillStyle = colour.text;
  context.fillText(text, x, y);
}

/** @param {CanvasRenderingContext2D} context @param {string} stroke */
function dashed(context, stroke) {
  context.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
  context.lineWidth = 2 * devicePixelRatio;
  context.strokeStyle = stroke;
}

/** Hatch the cuts at which a label breaks constraints of its own. @param {uPlot} plot @param {number} k
 * @param {Float64Array} places  Where its positions are drawn. */
export function paintForbiddenCuts(plot, k, places) {
  if (!limits.length) return;
  const fits = allows(k), size = sizeOf(k);
  let drawn = false;
  onCanvas(plot, (context, x, _, box) => {
    const right = box.left + box.width;
    /** Where a position's part of the axis ends, above. @param {number} i */
    const top = (i) => (i === 0 ? right : Math.min(Math.max((x(places[i]) + x(places[i - 1])) / 2, box.left), right));
    hatch(context, box, () => {
      for (let i = 0; i < size; i++) {
        if (fits(i)) continue;
        const first = i;
        while (i + 1 < size && !fits(i + 1)) i++;
        const from = i + 1 < size ? top(i + 1) : box.left;
        context.rect(from, box.top, top(first) - from, box.height);
        drawn = true;
      }
    });
  });
  nameMarks(plot.root.parentElement?.id ?? "", { limit: drawn });
}

/** The least precision and recall of a label, as lines over the cuts. @param {uPlot} plot @param {number} k */
export function paintFloors(plot, k) {
  /** @type {Record<string, {stroke: string, align: CanvasTextAlign}>} */
  const looks = { precision: { stroke: colour.positive, align: "left" }, recall: { stroke: colour.negative, align: "right" } };
  onCanvas(plot, (context, _, y, box) => {
    for (const limit of limitsOf(k)) {
      const look = limit.spec.kind === "counts" ? looks[limit.spec.noun ?? ""] : undefined, v = valueNumber(limit, k);
      if (!look) continue;
      const at = y(limit.spec.values?.[v] ?? NaN);
      dashed(context, look.stroke);
      context.beginPath();
      context.moveTo(box.left, at);
      context.lineTo(box.left + box.width, at);
      context.stroke();
      words(context, limitSign(limit.spec, v), look.align === "left" ? box.left + 6 : box.left + box.width - 6,
        Math.max(at - 2, box.top + 14 * devicePixelRatio), look.align);
    }
  });
}

/**
 * Hatch the part of a chart of precision over recall that a limit on counts forbids, and name its line. At each recall
 * the limit leaves so many tags at most, or wants so many, which is a precision.
 * @param {uPlot} plot @param {Kept} limit @param {number} v @param {number} p @param {number} n
 * @returns {Name | null}  Its name, to be written over all that is hatched; null if nothing is forbidden.
 */
function paintRegion(plot, limit, v, p, n) {
  const [a, b, ofP, ofN, constant] = limit.spec.terms?.[v] ?? [0, 0, 0, 0, 0], c = ofP * p + ofN * n + constant;
  /** The forbidden precisions at a recall. @param {number} recallHere @returns {[number, number]} */
  const forbidden = (recallHere) => {
    const tp = recallHere * p, m = b === 0 ? 0 : (a * tp + c) / -b;
    if (b === 0) return a * tp + c < 0 ? [0, 1] : [0, 0];
    if (b < 0) return [0, m > 0 ? Math.min(tp / m, 1) : tp > 0 ? 1 : 0];
    return m > 0 ? [Math.min(tp / m, 1), 1] : [1, 1];
  };
  /** @type {Name | null} */
  let name = null;
  onCanvas(plot, (context, x, y, box) => {
    const text = limitSign(limit.spec, v);
    const columns = Math.max(Math.ceil(box.width / (COLUMN * devicePixelRatio)), 1);
    const spans = Array.from({ length: columns + 1 }, (_, j) => ({ r: j / columns, span: forbidden(j / columns) }));
    const some = spans.filter(({ span }) => span[1] > span[0]);
    if (!some.length) return;
    hatch(context, box, () => {
      for (const { r, span: [from, to] } of some) context.rect(x(r) - box.width / columns / 2, y(to), box.width / columns + 1, y(from) - y(to));
    });
    dashed(context, colour.text);
    context.beginPath();
    if (b === 0) {
      const at = x(-c / a / p);
      context.moveTo(at, box.top);
      context.lineTo(at, box.top + box.height);
      context.stroke();
      name = { text, at: at + 6, up: box.top + box.height - 4 * devicePixelRatio, align: "left" };
      return;
    }
    const edge = some.map(({ r, span }) => ({ at: x(r), up: y(b < 0 ? span[1] : span[0]) }));
    edge.forEach(({ at, up }, j) => (j ? context.lineTo(at, up) : context.moveTo(at, up)));
    context.stroke();
    name = { text, at: box.left + box.width - 6, up: edge[edge.length - 1].up - 3, align: "right" };
  });
  return name;
}

/** Write names, those on one side below each other. @param {uPlot} plot @param {(Name | null)[]} names */
function writeNames(plot, names) {
  const line = 16 * devicePixelRatio;
  onCanvas(plot, (context, _x, _y, box) => {
    for (const side of ["left", "right"]) {
      const own = names.flatMap((name) => (name?.align === side ? [name] : [])).sort((a, b) => a.up - b.up);
      let next = box.top + 15 * devicePixelRatio;
      const ups = own.map(({ up }) => { const at = Math.max(up, next); next = at + line; return at; });
      // What would be written below the chart moves those above it up.
      let most = box.top + box.height - 3;
      for (let n = own.length - 1; n >= 0; n--) { ups[n] = Math.min(ups[n], most); most = ups[n] - line; }
      own.forEach(({ text, at, align }, n) => words(context, text, at, ups[n], align));
    }
  });
}

/** What a label's precision and recall must not be. @param {uPlot} plot @param {number} k */
export function paintLabelRegions(plot, k) {
  const own = limitsOf(k).filter(({ spec }) => spec.kind === "counts");
  writeNames(plot, own.map((limit) => paintRegion(plot, limit, valueNumber(limit, k), positives[k], known[k])));
  nameMarks("precision-recall", { limit: own.length > 0 });
}

/** What all labels' precision and recall must not be. @param {uPlot} plot */
export function paintPooledRegions(plot) {
  writeNames(plot, pooledLimits.map((limit) => paintRegion(plot, limit, 0, allPositives, allKnown)));
}

/** A label's constraints in signs, for those who do not see the charts. @param {number} k */
export function describedLimits(k) {
  const signs = limitsOf(k).flatMap((limit) => (limit.spec.kind === "counts" ? [limitSign(limit.spec, valueNumber(limit, k))]
    : limit.spec.kind === "range" ? [`threshold ${spanOfCuts(limit.spec)}`] : []));
  return signs.length ? ` It must keep ${signs.join(", ")}.` : "";
}

/** The keys of what is not allowed, where anything may not be. */
export function startLimitCharts() {
  for (const id of ["histogram", "curves", "precision-recall", "frontier"]) {
    const key = byId(id).closest("figure")?.querySelector('[data-mark="limit"]');
    const told = id === "frontier" ? pooledLimits : limits.filter(({ spec }) => spec.kind !== "pooled" && spec.kind !== "same");
    if (!told.length) nameMarks(id, { limit: false });
    if (!(key instanceof HTMLElement) || !told.length) continue;
    key.hidden = false;
    key.title = told.map(({ spec }) => spec.said).join("; ");
  }
}
