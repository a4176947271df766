// What the report holds, read from the embedded data: labels, and for each label its cuts with exact counts.

import { unpacked } from "./packed.js";

/**
 * @typedef {import("./packed.js").Packed} Packed
 * @typedef {import("./metric.js").MetricSpec} MetricSpec
 * @typedef {import("./metric.js").Average} Average
 * @typedef {import("./bounds.js").Limit} Limit
 * @typedef {[number, number | null, number | null]} Spread  Value, and the ends of its 95 % interval.
 * @typedef {{name: string, cut: number | null, here: Spread, expected: Spread | null, how: string,
 *   tuned?: {value: number | null, n_items: number, reweighted: boolean}}} FirstRow
 * @typedef {{method: string, held_out: Spread, difference: Spread, rank: number, fitted: number, kept: number | null,
 *   seconds: number}} MethodRow
 * @typedef {{kind: "audio" | "image" | "text" | "link", at: string, excerpt?: string}} Medium
 * @typedef {{frames: number, pixels: string, seconds: number, whole: boolean, low: number, high: number}} Picture
 *   Loudness by band, highest first, and frame; whole: it shows all of the recording.
 * @typedef {{a: Packed, b: Packed, items: Packed, chance: Packed}} Pairs
 */
/**
 * @typedef {Object} Content
 * @property {string} title
 * @property {string} created
 * @property {string} draft
 * @property {{all: {key: string, words: string, rule: string}[], few: number, bar: number, spread: Packed | null,
 *   positives: Packed | null, gains: Packed | null, least_units: number, units: number}} states
 * @property {{origin: "measured" | "fixed" | "given" | "cross-fitted" | "compared" | "none", expected: Spread | null,
 *   gain: Spread | null, why: string, fitted_gain: number, design: string}} verdict
 * @property {{saved: string, given: string, elsewhere: string}} commands
 * @property {{metric: MetricSpec, average: Average, zero_division: number}} objective
 * @property {{f1: MetricSpec, precision: MetricSpec, recall: MetricSpec}} ratios
 * @property {{n_items: number, weighted: boolean, on_tuning_data: boolean, on_same_items: boolean,
 *   other_frequencies: boolean, probabilities: boolean, unknown: boolean}} data
 * @property {{original: Record<string, any>, edited: Record<string, any>}} file
 * @property {FirstRow[]} first
 * @property {{all: Limit[], excused: number[], groups: number[][], own: boolean}} limits
 * @property {{said: string, held: string, labels: number[], lasting: boolean} | null} promise
 * @property {string[]} labels
 * @property {Packed} positives
 * @property {Packed} known
 * @property {{size: Packed, values: Packed, tp: Packed, fp: Packed, given: Packed, half: Packed, shared: Packed,
 *   all_cuts: Packed | null}} positions
 * @property {Packed | null} ranges
 * @property {Packed | null} gains
 * @property {{low: Packed, high: Packed}} axis
 * @property {{bins: number, positive: Packed, negative: Packed}} histogram
 * @property {{positive: Packed, total: Packed, score: Packed, size?: Packed}} calibration  With weights, sizes too.
 * @property {{label: Packed, position: Packed, shared: {tp: Packed, pp: Packed}}} frontier
 * @property {{why_not: string, design?: string, rows: MethodRow[]}} comparison
 * @property {{confused: Pairs, missed: Pairs, n_paired: number}} errors
 * @property {{ids: string[], item: Packed, label: Packed, score: Packed, truth: Packed, kind: Packed,
 *   distance: Packed}} review  The queue; ids are the items' names, item numbers them.
 * @property {{items: (Medium | null)[], pictures: Record<number, Picture>, notes: string[], where: string} | null} media
 *   What stands beside each item of the review.
 */

/** Numbers of a packed array in double precision. @param {Packed} packed @returns {Float64Array} */
export function unpack(packed) {
  const numbers = unpacked(packed);
  return numbers instanceof Float64Array ? numbers : Float64Array.from(numbers);
}

/** @type {Content} */
export const content = JSON.parse(/** @type {HTMLElement} */ (document.getElementById("data")).textContent ?? "");
export const labels = content.labels;
export const nLabels = labels.length;
export const positives = unpack(content.positives);
export const known = unpack(content.known);

/** Positions of label k lie at starts[k] to starts[k + 1], by falling threshold, "never" first. */
export const starts = (() => {
  const size = unpack(content.positions.size);
  const found = new Int32Array(nLabels + 1);
  for (let k = 0; k < nLabels; k++) found[k + 1] = found[k] + size[k];
  return found;
})();

/** Thresholds of all positions, exactly as they are saved. */
const cuts = unpack(content.positions.values);

/** Counts from whole-number steps, or as they are. @param {Packed} packed */
function countsOf(packed) {
  const numbers = unpack(packed);
  if (packed.whole === undefined) return numbers;
  for (let k = 0; k < nLabels; k++) {
    for (let j = starts[k] + 1; j < starts[k + 1]; j++) numbers[j] += numbers[j - 1];
  }
  return numbers;
}

export const truePositives = countsOf(content.positions.tp);
export const falsePositives = countsOf(content.positions.fp);

/** Position, within its label, of thresholds that are known from the start. @param {Packed} packed */
const placesOf = (packed) => Int32Array.from(unpack(packed));
export const given = placesOf(content.positions.given);
export const atHalf = placesOf(content.positions.half);
export const atShared = placesOf(content.positions.shared);
export const ranges = content.ranges === null ? null : unpack(content.ranges);
/** By label, as given: value, low and high of what each gains over 0.5. */
export const gains = content.gains === null ? null : unpack(content.gains);
/** The lowest number of the dtype: a threshold that gives the label always. */
export const lowest = { float16: -65504, float32: -3.4028234663852886e38 }[
  String(content.file.original.score_dtype)] ?? -Number.MAX_VALUE;

/** Number of positions of a label. @param {number} k */
export const sizeOf = (k) => starts[k + 1] - starts[k];

/** Threshold of a label's position. @param {number} k @param {number} i */
export const cutAt = (k, i) => cuts[starts[k] + i];

/** Where a score is drawn. @param {number} score */
export function placeOf(score) {
  if (!Number.isFinite(score)) return score;
  if (!content.data.probabilities) return Math.min(Math.max(score, -1e30), 1e30);
  const inside = Math.min(Math.max(score, 0), 1);
  return Math.min(Math.max(Math.log(inside) - Math.log1p(-inside), -16), 16);
}

/** Score drawn at a place. @param {number} place */
export const scoreAt = (place) => (content.data.probabilities ? 1 / (1 + Math.exp(-place)) : place);
