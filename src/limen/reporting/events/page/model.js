// What the report holds, read from the embedded data: recordings with their frame scores, and the true events.

import { unpacked } from "../../page/packed.js";
/** @import { Limit } from "../../page/bounds.js" */
/** @import { Average, MetricSpec } from "../../page/metric.js" */

/**
 * @typedef {import("../../page/packed.js").Packed} Packed
 * @typedef {{median: number, hysteresis: number, gap: number, shortest: number}} Setting  In seconds; the hysteresis
 *   in log odds, or in units of the score.
 * @typedef {Setting & {threshold: number}} Chosen  A setting with its threshold, Infinity for never.
 * @typedef {{kind: "collar" | "intersection" | "segment" | "clip", noun: string, length: number, share: number}} Criterion
 *   What is counted; the collar of onsets or the length of a segment, in microseconds; the share of a detection that must be true.
 * @typedef {{kind: string, at: string}} Medium
 * @typedef {{frames: number, pixels: string, from: number, to: number, low: number, high: number}} Picture  Loudness by
 *   band, highest first, of a stretch in microseconds.
 * @typedef {{onset: number, offset: number}} Span  Whole microseconds.
 * @typedef {Span & {needs: number}} Reference  What it needs to be found: its collar, or how much must be covered.
 * @typedef {Object} Content
 * @property {string} title
 * @property {string} created
 * @property {string[]} labels
 * @property {string[]} recordings
 * @property {number} hours
 * @property {Packed} frames  Of each recording.
 * @property {Packed} ends  Its duration, in microseconds.
 * @property {number} frame_seconds
 * @property {Packed} scores  All frames of all recordings, label after label.
 * @property {boolean} probabilities
 * @property {{recording: Packed, label: Packed, onset: Packed, offset: Packed, needs: Packed}} references
 * @property {Packed} known  By label all that can be right, 0 where only events count.
 * @property {Criterion} criterion
 * @property {string} criterion_words
 * @property {(Setting & {threshold: number | null, low: number})[]} chosen  The low cut is 0 where there is none.
 * @property {number} stretch_us  Length of the stretches that recordings are shown in, in microseconds.
 * @property {{metric: MetricSpec, average: Average, zero_division: number, noun: string, given: number}} objective
 * @property {{here: boolean, same_criterion: boolean, criterion: string, method: string, status: string, value: number,
 *   n_recordings: number, edited: boolean, expected: [number, number, number] | null, why_not: string}} tuned  What the
 *   thresholds say of themselves; here: these are the recordings tuned on.
 * @property {{all: Limit[], excused: number[], own: boolean}} limits
 * @property {{said: string, held: string, labels: number[], lasting: boolean} | null} promise
 * @property {{original: Record<string, any>, edited: Record<string, any>}} file
 * @property {{items: (Medium | null)[], pictures: Record<string, Picture>, notes: string[], where: string} | null} media
 */

/** @type {Content} */
export const content = JSON.parse(/** @type {HTMLElement} */ (document.getElementById("data")).textContent ?? "");
export const labels = content.labels, nLabels = labels.length;
export const recordings = content.recordings, nRecordings = recordings.length;
export const ends = unpacked(content.ends);

/** Frames of recording r lie at starts[r] to starts[r + 1]. */
export const starts = new Int32Array(nRecordings + 1);
unpacked(content.frames).forEach((size, r) => { starts[r + 1] = starts[r] + size; });
/** All that can be right of each label. */
export const known = Array.from(unpacked(content.known));
const nFrames = starts[nRecordings];

const scores = unpacked(content.scores);

/** Frame scores of a label, all recordings one after the other. @param {number} k */
export const scoresOf = (k) => scores.subarray(k * nFrames, (k + 1) * nFrames);

/** Where a frame of a recording begins, in whole microseconds; where the last one ends is the end of the recording.
 * @param {number} r @param {number} frame */
export function timeOf(r, frame) {
  return frame >= starts[r + 1] - starts[r] ? ends[r] : micro(frame * content.frame_seconds);
}

/** The nearest whole number, the even one of two, as numpy rounds. @param {number} value */
export function nearest(value) {
  const floor = Math.floor(value), rest = value - floor;
  return rest < 0.5 || (rest === 0.5 && floor % 2 === 0) ? floor : floor + 1;
}

/** Seconds in whole microseconds. @param {number} value */
export const micro = (value) => nearest(value * 1e6);

/** True events by label and recording, by onset. @type {Reference[][][]} */
export const references = labels.map(() => recordings.map(() => []));
{
  const { recording, label, onset, offset, needs } = content.references;
  const [r, k, from, to, need] = [recording, label, onset, offset, needs].map(unpacked);
  r.forEach((place, n) => references[k[n]][place].push({ onset: from[n], offset: to[n], needs: need[n] }));
}

/** @type {Chosen[]} */
export const given = content.chosen.map(({ median, hysteresis, gap, shortest, threshold }) => (
  { median, hysteresis, gap, shortest, threshold: threshold ?? Infinity }));

/** Where a score is drawn: log odds of a probability, within 12, or itself. @param {number} score */
export function placeOf(score) {
  if (!Number.isFinite(score) || !content.probabilities) return score;
  const inside = Math.min(Math.max(score, 0), 1);
  return Math.min(Math.max(Math.log(inside) - Math.log1p(-inside), -12), 12);
}

/** Score drawn at a place. @param {number} place */
export const scoreAt = (place) => (content.probabilities ? 1 / (1 + Math.exp(-place)) : place);
