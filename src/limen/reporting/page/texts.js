// Texts of the metric and of thresholds.

import { spec } from "./averages.js";
import { MINUS, THIN, byId, digits, el } from "./dom.js";
import { lowest } from "./model.js";

/** A number with its exact value behind it. @param {number} value @param {string} text */
export const exact = (value, text) => el("data", { value: String(value) }, text);

/** A share in percent. @param {number} value */
export const percent = (value) => (100 * value).toFixed(1).replace("-", MINUS);

export const inPercent = spec.name !== "cost";
export const unit = inPercent ? `${THIN}%` : "";

/** A value of the metric as it is shown: costs, which are negated to be made large, as costs. @param {number} value */
export const facing = (value) => (inPercent ? value : 0 - value);

/** A value of the metric, without its unit. @param {number} value */
export const metricText = (value) => (Number.isNaN(value) ? "not known here"
  : inPercent ? percent(value) : facing(value).toFixed(4).replace("-", MINUS));

/** A difference with its sign, as it is shown. @param {number} value @param {(value: number) => string} text */
export function signed(value, text) {
  const shown = text(value), number = Number(shown.replace(MINUS, "-"));
  if (number === 0) return text(0);
  return number > 0 ? `+${shown}` : shown;
}

/** The ends of an interval of the metric, the lower one as it is shown first. @param {number} low @param {number} high
 * @param {(value: number) => string} [text] */
export function spanText(low, high, text = metricText) {
  const [from, to] = inPercent ? [low, high] : [high, low];
  return `${text(from)} to ${text(to)}`;
}

/** An interval's level. */
export const LEVEL = `95${THIN}%`;

/** A difference of the metric without its sign: "3.2 points". @param {number} value */
export const sizeText = (value) => (inPercent ? `${percent(Math.abs(value))} points` : Math.abs(value).toFixed(4));

/** A threshold to four digits. @param {number} value */
export function cutText(value) {
  if (value === Infinity) return "never";
  if (value <= lowest) return "any";
  return digits(value);
}

const speaker = { timer: 0 };

/** Say something to those who listen, once the hand rests. @param {string} text */
export function say(text) {
  clearTimeout(speaker.timer);
  speaker.timer = setTimeout(() => { byId("live").textContent = text; }, 400);
}

/** Share of the objective's metric in words: "micro F1". @param {string} average */
export const objectiveName = (average) => `${average} ${spec.title}`;
