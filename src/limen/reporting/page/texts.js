// Texts of the metric and of thresholds.

import { spec } from "./averages.js";
import { THIN, byId, digits } from "./dom.js";
import { percent, textsOf } from "./metric.js";
import { lowest } from "./model.js";

export const { inPercent, facing, unit, metricText } = textsOf(spec);

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
