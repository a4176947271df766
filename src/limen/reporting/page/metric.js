// Metrics as Python describes them: ratios of linear terms, and formulas, in limen's own order of operations.

import { MINUS, THIN } from "./dom.js";
import { unpacked } from "./packed.js";
/** @import { Packed } from "./packed.js" */

/**
 * @typedef {"micro" | "macro" | "weighted"} Average
 * @typedef {[number | Packed, number | Packed, number | Packed]} Linear  What tp and pp count, and a constant; one
 *   number for all labels, or one for each.
 * @typedef {[Linear, Linear]} Terms  Numerator and denominator.
 * @typedef {{name: string, title: string, is_f1: boolean, terms?: Terms, pooled?: Terms | null, formula?: string,
 *   values?: Packed, more?: [Terms, Terms], influence?: Packed}} MetricSpec  A ratio of linear terms, one of the page's
 *   formulas, or values at all positions; and what one positive item more and one negative add to the terms, or
 *   what an item more given rightly, missed, given wrongly, rightly not given adds to the values.
 * @typedef {{tp: number, pp: number}} Given  What a label was given rightly, and at all.
 */

/** @param {number} above @param {number} below @param {number} zero  The value of 0/0. */
export const divided = (above, below, zero) => (below === 0 ? zero : above / below);

/** A coefficient by label. @param {number | Packed} coefficient @returns {(k: number) => number} */
export function byLabel(coefficient) {
  if (typeof coefficient === "number") return () => coefficient;
  const numbers = unpacked(coefficient);
  return (k) => numbers[k];
}

/** The value of linear terms at a label's counts. @param {Linear} terms */
export function linear(terms) {
  const [ofTp, ofPp, constant] = terms.map(byLabel);
  return (/** @type {number} */ tp, /** @type {number} */ pp, /** @type {number} */ k) =>
    ofTp(k) * tp + ofPp(k) * pp + constant(k);
}

/** The value of pooled linear terms, of counts summed over labels and of those of each. @param {Linear} terms */
export function pooled([ofTp, ofPp, constant]) {
  const alike = typeof ofTp === "number" && typeof ofPp === "number", ofLabel = linear([ofTp, ofPp, 0]);
  /** @param {number} tp @param {number} pp @param {number} count  Of labels. @param {(k: number) => Given} givenTo */
  return (tp, pp, count, givenTo) => {
    if (alike) return ofTp * tp + ofPp * pp + Number(constant);
    let sum = 0;
    for (let k = 0; k < count; k++) { const own = givenTo(k); sum += ofLabel(own.tp, own.pp, k); }
    return sum + Number(constant);
  };
}

/** The formulas that are no ratios of linear terms. @param {number} zero  The value of 0/0.
 * @returns {Record<string, (tp: number, pp: number, p: number, n: number) => number>} */
export const formulas = (zero) => ({
  mcc: (tp, pp, p, n) => {
    const excess = n * tp - p * pp;
    const square = divided(excess * excess, p * pp * Math.max(n - p, 0) * Math.max(n - pp, 0), NaN);
    return Number.isNaN(square) ? zero : Math.sign(excess) * Math.sqrt(Math.min(square, 1));
  },
  fowlkes_mallows: (tp, pp, p) => {
    const square = divided(tp * tp, p * pp, NaN);
    return Number.isNaN(square) ? zero : Math.sqrt(Math.min(square, 1));
  },
  g_mean: (tp, pp, p, n) => {
    const sensitivity = divided(Math.max(tp, 0), p, zero);
    const specificity = divided(Math.max(n - p - (pp - tp), 0), n - p, zero);
    return Math.sqrt(Math.min(sensitivity * specificity, 1));
  },
});

/** A share in percent. @param {number} value */
export const percent = (value) => (100 * value).toFixed(1).replace("-", MINUS);

/** A difference with its sign, as it is shown. @param {number} value @param {(value: number) => string} text */
export function signed(value, text) {
  const shown = text(value), number = Number(shown.replace(MINUS, "-"));
  if (number === 0) return text(0);
  return number > 0 ? `+${shown}` : shown;
}

/** How values of a metric are shown: shares in percent; costs, which are negated to be made large, as costs.
 * @param {MetricSpec} spec */
export function textsOf(spec) {
  const inPercent = spec.name !== "cost";
  /** @param {number} value */
  const facing = (value) => (inPercent ? value : 0 - value);
  return {
    inPercent, facing, unit: inPercent ? `${THIN}%` : "",
    /** A value without its unit. @param {number} value */
    metricText: (value) => (Number.isNaN(value) ? "not known here"
      : inPercent ? percent(value) : facing(value).toFixed(4).replace("-", MINUS)),
  };
}
