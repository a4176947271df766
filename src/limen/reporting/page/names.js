// Names longer than their place: the middle gives way, never what tells a name from those that begin alike.

import { el } from "./dom.js";
import { labels } from "./model.js";

/** Letters of a name that is never parted, of the least end, and of the most that an end reaches back for a word. */
const SHORT = 18, LEAST_END = 8, MOST_BACK = 16;
/** Fewer letters in common are no common beginning. */
const LEAST_COMMON = 4;
const GAPS = /[\s/_.,:;|()-]+/g;

/** How far two names are the same. @param {string} a @param {string} b */
function inCommon(a, b) {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}

/** Where the letters of a name begin, as they are seen: marks and joined pictures are no letters of their own.
 * @param {string} name */
function lettersOf(name) {
  const found = [];
  if (Intl.Segmenter) for (const { index } of new Intl.Segmenter().segment(name)) found.push(index);
  else for (let at = 0; at < name.length; at += String.fromCodePoint(name.codePointAt(at) ?? 0).length) found.push(at);
  return found;
}

/**
 * Where the end of a name begins that must be seen: at the word that differs from the name most like it, or at its
 * last words. 0 for a name that stays whole.
 * @param {string} name @param {number} common  Number of letters that it shares with the name most like it.
 */
export function endOf(name, common) {
  const letters = lettersOf(name);
  if (letters.length <= SHORT) return 0;
  const words = [...name.matchAll(GAPS)].map((gap) => gap.index + gap[0].length).filter((at) => at < name.length);
  /** The last word that begins at or before a place, or a letter. @param {number} place */
  const before = (place) => {
    const word = words.filter((at) => at <= place).at(-1) ?? 0;
    return place - word <= MOST_BACK && word > 0 ? word : letters.filter((at) => at <= place).at(-1) ?? 0;
  };
  const differs = common >= LEAST_COMMON && common < name.length ? before(common) : name.length;
  return Math.min(differs, before(letters[letters.length - LEAST_END]));
}

/** Where the end of each label's name begins. */
const ends = (() => {
  const order = labels.map((_, k) => k).sort((a, b) => (labels[a] < labels[b] ? -1 : 1));
  const common = new Int32Array(labels.length);
  for (let place = 1; place < order.length; place++) {
    const [a, b] = [order[place - 1], order[place]], length = inCommon(labels[a], labels[b]);
    common[a] = Math.max(common[a], length);
    common[b] = Math.max(common[b], length);
  }
  return labels.map((name, k) => endOf(name, common[k]));
})();

/** A label's name on one line: where it has too little room its middle is left out. @param {number} k */
export function partedName(k) {
  const name = labels[k], end = ends[k];
  return el("bdi", { class: "parted", title: name }, ...(end === 0 ? [name] : [name.slice(0, end), name.slice(end)])
    .map((part) => el("span", {}, part)));
}
