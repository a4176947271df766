// Charts on uPlot: what all of them share.

import { byId, MINUS } from "./dom.js";
import { commit } from "./edits.js";
import { content, placeOf, scoreAt } from "./model.js";

/** Colours of the present theme, from the style sheet. @type {Record<string, string>} */
export const colour = {};
const COLOURS = ["text", "muted", "line", "positive", "negative", "third", "cut", "card"];

export function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of COLOURS) colour[name] = style.getPropertyValue(`--${name}`).trim();
}

const FONT = "12px system-ui, sans-serif";
/** Room for the numbers of an axis, and for its title. */
const NUMBERS = 42, TITLE = 16;
/** Beside and above the plotting area: the style sheet places the handle of the cut by these. */
const SIDE = 18, TOP = 14;

/** @type {Set<{plot: uPlot, host: HTMLElement}>} */
const charts = new Set();

const resized = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    for (const { plot, host } of charts) {
      const [width, height] = [Math.floor(contentRect.width), Math.floor(contentRect.height)];
      if (host === target && width > 0 && height > 0 && (width !== plot.width || height !== plot.height)) {
        plot.setSize({ width, height });
      }
    }
  }
});

/** What else is drawn in the colours of the theme, by its canvas. @type {Map<HTMLCanvasElement, () => void>} */
export const painters = new Map();

/** On paper a chart is narrower; its letters must not shrink with it. */
const ON_PAPER = { width: 620, height: 300 };
addEventListener("beforeprint", () => { for (const { plot } of charts) plot.setSize(ON_PAPER); });
addEventListener("afterprint", () => {
  for (const { plot, host } of charts) plot.setSize({ width: host.clientWidth, height: host.clientHeight });
});

/** Read the colours again and draw every chart with them. */
export function repaint() {
  readColours();
  for (const paint of painters.values()) paint();
  for (const { plot } of charts) plot.redraw(false, true);
}

/**
 * A chart in its host, as wide and high as that is.
 * @param {HTMLElement} host
 * @param {Omit<uPlot.Options, "width" | "height">} options
 * @param {uPlot.AlignedData} data
 * @returns {uPlot}
 */
export function chart(host, options, data) {
  const plot = new uPlot({
    legend: { show: false },
    cursor: { show: false },
    padding: [TOP, SIDE, 0, 0],
    ...options,
    width: Math.max(Math.floor(host.clientWidth), 100),
    height: Math.max(Math.floor(host.clientHeight), 60),
  }, data, host);
  charts.add({ plot, host });
  resized.observe(host);
  return plot;
}

/** An axis in the colours of the theme. @param {Partial<uPlot.Axis>} options @returns {uPlot.Axis} */
export function axis(options) {
  return {
    stroke: () => colour.muted,
    font: FONT,
    labelFont: FONT,
    labelGap: 2,
    grid: { stroke: () => colour.line, width: 1 },
    ticks: { stroke: () => colour.line, width: 1, size: 4 },
    gap: 4,
    ...options,
  };
}

/** @param {number[]} values */
export const inWholePercent = (values) => values.map((value) => `${Math.round(100 * value)}%`);

/** A titled axis below. @param {string} title @param {Partial<uPlot.Axis>} [more] */
export const axisBelow = (title, more = {}) => axis({ size: 26, label: title, labelSize: TITLE, ...more });

/** A titled axis of shares, to the left. @param {string} title @param {Partial<uPlot.Axis>} [more] */
export const axisOfShares = (title, more = {}) => axis({
  size: NUMBERS, label: title, labelSize: TITLE, values: (_, values) => inWholePercent(values), ...more,
});

/** Name in a chart's legend just the marks that are drawn; the others keep their room, so that nothing moves under a hand. @param {string} id  Of the chart.
 * @param {Record<string, boolean>} marks */
export function nameMarks(id, marks) {
  for (const [mark, drawn] of Object.entries(marks)) {
    const key = byId(id).closest("figure")?.querySelector(`[data-mark="${mark}"]`);
    if (key instanceof HTMLElement) key.style.visibility = drawn ? "" : "hidden";
  }
}

/** A ready brush over the plotting area, in CSS pixels. @param {uPlot} plot @param {(context: CanvasRenderingContext2D,
 *   x: (value: number) => number, y: (value: number) => number, box: uPlot.BBox) => void} paint */
export function onCanvas(plot, paint) {
  const context = plot.ctx, box = plot.bbox;
  context.save();
  context.setLineDash([]);
  context.beginPath();
  context.rect(box.left, box.top - 8, box.width + 12, box.height + 16);
  context.clip();
  paint(context, (value) => plot.valToPos(value, "x", true), (value) => plot.valToPos(value, "y", true), box);
  context.restore();
}

/** The line of the cut. @param {uPlot} plot @param {number} place */
export function paintCut(plot, place) {
  onCanvas(plot, (context, x, _, box) => {
    const at = x(place), ratio = devicePixelRatio;
    context.strokeStyle = colour.cut;
    context.lineWidth = 2 * ratio;
    context.beginPath();
    context.moveTo(at, box.top);
    context.lineTo(at, box.top + box.height);
    context.stroke();
  });
}

/**
 * A dot with a ring of the card's colour.
 * @param {CanvasRenderingContext2D} context @param {number} x @param {number} y
 * @param {{fill: string, size?: number, shape?: "square" | "circle" | "triangle" | "diamond"}} look
 */
export function paintDot(context, x, y, { fill, size = 6, shape = "circle" }) {
  const r = size * devicePixelRatio;
  context.beginPath();
  if (shape === "circle") context.arc(x, y, r, 0, 2 * Math.PI);
  else if (shape === "square") context.rect(x - r, y - r, 2 * r, 2 * r);
  else if (shape === "diamond") {
    context.moveTo(x, y - 1.3 * r);
    context.lineTo(x + 1.3 * r, y);
    context.lineTo(x, y + 1.3 * r);
    context.lineTo(x - 1.3 * r, y);
    context.closePath();
  } else {
    context.moveTo(x, y - r * 1.2);
    context.lineTo(x + r * 1.1, y + r * 0.8);
    context.lineTo(x - r * 1.1, y + r * 0.8);
    context.closePath();
  }
  context.fillStyle = fill;
  context.fill();
  context.strokeStyle = colour.card;
  context.lineWidth = 2 * devicePixelRatio;
  context.stroke();
}

/** Ticks of an axis of scores: probabilities where it is one of log odds, never nearer than they can be read. */
const PROBABILITIES = [0.5, 0.1, 0.9, 0.01, 0.99, 0.001, 0.999, 1e-4, 0.9999, 1e-5, 1e-6, 0.25, 0.75, 0.05, 0.95, 0.02,
  0.98, 0.3, 0.7, 0.2, 0.8, 0.4, 0.6, 0.45, 0.55, 0.15, 0.85];

/** @param {uPlot} plot @param {number} low @param {number} high @param {number} never */
export function scoreTicks(plot, low, high, never) {
  const wide = plot.bbox.width / devicePixelRatio / (high - low), room = 50 / wide;
  const found = [never];
  const power = 10 ** Math.floor(Math.log10(room)), nice = [];
  const step = power * ([1, 2, 5].find((digit) => digit * power >= room) ?? 10);
  for (let j = Math.ceil(low / step); j * step < never; j++) nice.push(Number((j * step).toPrecision(12)));
  for (const place of content.data.probabilities ? PROBABILITIES.map(placeOf) : nice) {
    if (place >= low && place <= high && found.every((other) => Math.abs(other - place) >= room)) found.push(place);
  }
  return found.sort((a, b) => a - b);
}

/** @param {number} place @param {number} never */
export function tickText(place, never) {
  if (place === never) return "never";
  const score = scoreAt(place);
  if (!content.data.probabilities) return String(Number(score.toPrecision(6))).replace("-", MINUS);
  if (score > 0.99) return String(Number(score.toFixed(5)));
  return score < 9e-4 ? score.toExponential(0) : String(Number(score.toPrecision(2)));
}

/**
 * Let a finger, pen or mouse take hold of a plot.
 * @param {uPlot} plot
 * @param {(x: number, y: number) => void} moved  Gets the place within the plotting area, in CSS pixels.
 */
export function draggable(plot, moved) {
  const over = plot.over;
  let held = false;
  /** @param {PointerEvent} event */
  const follow = (event) => {
    const box = over.getBoundingClientRect();
    moved(event.clientX - box.left, event.clientY - box.top);
  };
  over.classList.add("draggable");
  over.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    held = true;
    over.setPointerCapture(event.pointerId);
    follow(event);
    event.preventDefault();
  });
  over.addEventListener("pointermove", (event) => { if (held) follow(event); });
  for (const end of /** @type {const} */ (["pointerup", "pointercancel"])) {
    over.addEventListener(end, () => {
      if (held) commit();
      held = false;
    });
  }
}

/** @param {string} name @param {number[]} [dash] @param {number} [width] @returns {uPlot.Series} */
export const line = (name, dash, width = 2) => ({
  stroke: () => colour[name], width, dash, points: { show: false },
});

export const unitScale = () => ({ time: false, range: () => /** @type {[number, number]} */ ([0, 1]) });
