// From frame scores to events, as limen decides: median, two cuts, gaps closed, short events dropped.

import { content, micro, scoresOf, starts, timeOf } from "./model.js";
/** @import { Chosen, Span } from "./model.js" */

/** Frames of a median filter, an odd number. @param {number} length  In seconds. */
export const framesOf = (length) => 2 * Math.floor(length / content.frame_seconds / 2 + 1e-9) + 1;

/** Filtered scores by label and number of frames; a few are kept. @type {Map<string, Float32Array | Float64Array>} */
const kept = new Map();

/** Scores of a label after the median filter; outside a recording they are below all. @param {number} k @param {number} width */
export function filtered(k, width) {
  const key = `${k} ${width}`, found = kept.get(key);
  if (found) return found;
  const scores = scoresOf(k);
  const made = width <= 1 ? scores : scores.slice();
  if (width > 1) for (let r = 0; r + 1 < starts.length; r++) medianInto(made, scores, starts[r], starts[r + 1], width);
  if (kept.size > 40) kept.delete(/** @type {string} */ (kept.keys().next().value));
  kept.set(key, made);
  return made;
}

/** @param {Float32Array | Float64Array} into @param {Float32Array | Float64Array} scores @param {number} from
 * @param {number} to @param {number} width */
function medianInto(into, scores, from, to, width) {
  const half = (width - 1) / 2, window = new Float64Array(width);
  /** @param {number} k */
  const at = (k) => (k < from || k >= to ? -Infinity : scores[k]);
  for (let j = 0; j < width; j++) window[j] = at(from - half + j);
  window.sort();
  into[from] = window[half];
  for (let k = from + 1; k < to; k++) {
    const gone = at(k - half - 1), come = at(k + half);
    if (gone !== come) {
      let place = window.indexOf(gone);
      for (; place + 1 < width && window[place + 1] < come; place++) window[place] = window[place + 1];
      for (; place > 0 && window[place - 1] > come; place--) window[place] = window[place - 1];
      window[place] = come;
    }
    into[k] = window[half];
  }
}

/** The low cut that belongs to a high one: so much lower in log odds, or in units of the score. @param {number} k
 * @param {Chosen} chosen */
export function lowOf(k, { threshold, hysteresis }) {
  const start = content.chosen[k];
  if (start.threshold === threshold && start.hysteresis === hysteresis) return start.low;
  if (hysteresis === 0 || !Number.isFinite(threshold)) return threshold;
  if (!content.probabilities) return threshold - hysteresis;
  const inside = Math.min(Math.max(threshold, 0), 1);
  const odds = Math.log(inside) - Math.log1p(-inside) - hysteresis, small = Math.exp(-Math.abs(odds));
  // Below 0 nothing changes, and the low cut is no higher than the high one.
  return Math.min((odds >= 0 ? 1 : small) / (1 + small), threshold);
}

/** Events of a label in a recording. @param {number} k @param {number} r @param {Chosen} chosen @returns {Span[]} */
export function eventsOf(k, r, chosen) {
  const scores = filtered(k, framesOf(chosen.median)), high = chosen.threshold, low = lowOf(k, chosen);
  const from = starts[r], size = starts[r + 1] - from, gap = micro(chosen.gap), shortest = micro(chosen.shortest);
  /** @type {Span[]} */
  const found = [];
  if (high === Infinity) return found;
  for (let a = 0; a < size;) {
    if (!(scores[from + a] >= low)) { a++; continue; }
    let b = a, peak = false;
    for (; b < size && scores[from + b] >= low; b++) peak ||= scores[from + b] >= high;
    if (peak) {
      const onset = timeOf(r, a), offset = timeOf(r, b), last = found.at(-1);
      if (last && onset - last.offset <= gap) last.offset = offset;
      else found.push({ onset, offset });
    }
    a = b;
  }
  return found.filter(({ onset, offset }) => offset - onset >= shortest);
}
