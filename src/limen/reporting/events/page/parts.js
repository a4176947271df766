// Numbers of events as they are shown.

import { THIN, digits, el } from "../../page/dom.js";

/** A share in percent with its exact value behind it; a dash where there is none. @param {number} value @param {string} [unit] */
export const inPercent = (value, unit = "") => el("data", { value: String(value) },
  Number.isNaN(value) ? "–" : `${(100 * value).toFixed(1)}${unit}`);

/** The same with its unit. @param {number} value */
export const percent = (value) => inPercent(value, `${THIN}%`);

/** @param {number} value */
export const short = (value) => (value === Infinity ? "never" : digits(value));

/** A time in whole microseconds as seconds. @param {number} micro */
export const seconds = (micro) => `${Number((micro / 1e6).toFixed(3))}${THIN}s`;
