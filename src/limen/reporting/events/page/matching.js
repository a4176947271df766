// Which events are found, and which detections are right, by the criterion of the report.

import { content, ends, nearest } from "./model.js";
/** @import { Reference, Span } from "./model.js" */

/**
 * Matched references and right detections of one label in one recording; tp, pp and p are what the metric counts.
 * @typedef {{found: boolean[], right: boolean[], tp: number, pp: number, p: number}} Matched
 */

/** @param {Reference[]} references @param {Span[]} detections @param {number} r  The recording. @returns {Matched} */
export function matched(references, detections, r) {
  const { kind, length, share } = content.criterion;
  if (kind === "collar") return byCollar(references, detections, length);
  if (kind === "intersection") return byIntersection(references, detections, share);
  return bySegments(references, detections, kind === "segment" ? length : ends[r] + 1, ends[r]);
}

/** The most pairs of a reference and a detection whose onsets and offsets are near, each used once; both are by onset.
 * @param {Reference[]} references @param {Span[]} detections @param {number} collar */
function byCollar(references, detections, collar) {
  let first = 0;
  const near = references.map((one) => {
    while (first < detections.length && detections[first].onset < one.onset - collar) first++;
    /** @type {number[]} */
    const own = [];
    for (let d = first; d < detections.length && detections[d].onset <= one.onset + collar; d++) {
      if (Math.abs(one.offset - detections[d].offset) <= one.needs) own.push(d);
    }
    return own;
  });
  /** @type {number[]} */
  const taken = detections.map(() => -1);
  /** @param {number} g @param {Set<number>} seen @returns {boolean} */
  const place = (g, seen) => near[g].some((d) => {
    if (seen.has(d)) return false;
    seen.add(d);
    if (taken[d] >= 0 && !place(taken[d], seen)) return false;
    taken[d] = g;
    return true;
  });
  references.forEach((_, g) => place(g, new Set()));
  const right = taken.map((g) => g >= 0), paired = new Set(taken), found = references.map((_, g) => paired.has(g));
  return { found, right, tp: right.filter(Boolean).length, pp: detections.length, p: references.length };
}

/** How much of each span lies in others; both are by onset, and none overlaps one of its own. @param {Span[]} some
 * @param {Span[]} others */
function overlapsWith(some, others) {
  let first = 0;
  return some.map((one) => {
    while (first < others.length && others[first].offset <= one.onset) first++;
    let sum = 0;
    for (let n = first; n < others.length && others[n].onset < one.offset; n++) {
      sum += Math.min(one.offset, others[n].offset) - Math.max(one.onset, others[n].onset);
    }
    return sum;
  });
}

/** @param {Reference[]} references @param {Span[]} detections @param {number} share */
function byIntersection(references, detections, share) {
  const inside = overlapsWith(detections, references);
  const right = detections.map((one, d) => references.length > 0 && inside[d] >= nearest(share * (one.offset - one.onset)));
  const kept = detections.filter((_, d) => right[d]), covered = overlapsWith(references, kept);
  const found = references.map((one, g) => kept.length > 0 && covered[g] >= one.needs);
  const tp = found.filter(Boolean).length;
  return { found, right, tp, pp: tp + right.filter((one) => !one).length, p: references.length };
}

/** Segments count, or the whole recording; a span is found or right if any of its segments is shared.
 * @param {Span[]} references @param {Span[]} detections @param {number} length @param {number} end */
function bySegments(references, detections, length, end) {
  /** @param {Span} span */
  const of = ({ onset, offset }) => {
    const first = Math.floor(onset / length), last = Math.floor((Math.min(offset, end) - 1) / length);
    return Array.from({ length: Math.max(last - first + 1, 0) }, (_, j) => first + j);
  };
  const truth = new Set(references.flatMap(of)), decided = new Set(detections.flatMap(of));
  return {
    found: references.map((one) => of(one).some((place) => decided.has(place))),
    right: detections.map((one) => of(one).some((place) => truth.has(place))),
    tp: [...decided].filter((place) => truth.has(place)).length, pp: decided.size, p: truth.size,
  };
}
