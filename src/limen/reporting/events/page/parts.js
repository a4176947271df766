// Numbers of events as they are shown.

import { THIN, digits, exact } from "../../page/dom.js";
import { facing, metricText, unit } from "./objective.js";

/** A share in percent with its exact value behind it; a dash where there is none. @param {number} value @param {string} [after] */
export const inHundred = (value, after = "") => exact(value, Number.isNaN(value) ? "–" : `${(100 * value).toFixed(1)}${after}`);

/** The same with its unit. @param {number} value */
export const withUnit = (value) => inHundred(value, `${THIN}%`);

/** A value of the metric with its exact value behind it. @param {number} value */
export const metricValue = (value) => exact(facing(value), `${metricText(value)}${Number.isNaN(value) ? "" : unit}`);

/** @param {number} value */
export const short = (value) => (value === Infinity ? "never" : digits(value));

/** A time in whole microseconds as it is read: "4.52 s", from a minute on "61:04.52". @param {number} micros */
export function clock(micros) {
  const seconds = micros / 1e6;
  if (seconds < 60) return `${Number(seconds.toFixed(3))}${THIN}s`;
  const minutes = Math.floor(seconds / 60), rest = Number((seconds - 60 * minutes).toFixed(3));
  return rest === 60 ? `${minutes + 1}:00` : `${minutes}:${rest < 10 ? "0" : ""}${rest}`;
}
