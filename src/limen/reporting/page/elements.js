// Elements and texts. Names of labels and items only ever become text nodes.

import { spec } from "./averages.js";
import { lowest } from "./model.js";

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element ${id}`);
  return found;
}

/** @param {string} id */
export const inputById = (id) => /** @type {HTMLInputElement} */ (byId(id));

/**
 * An element. Properties starting with "on" are listeners, "class" and others attributes.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node | string | null)} children
 * @returns {HTMLElement}
 */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** @param {string} tag @param {Record<string, string | number>} properties @param {...(Node | string)} children */
export function svg(tag, properties, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** A name that is data: kept from turning the text around it. @param {string} name */
export const nameOf = (name) => el("bdi", { title: name }, name);

/** A number with its exact value behind it. @param {number} value @param {string} text */
export const exact = (value, text) => el("data", { value: String(value) }, text);

export const THIN = "\u202f";
export const MINUS = "\u2212";

/** 20371 as "20 371". @param {number} value */
export function whole(value) {
  const text = Number.isInteger(value) ? String(value) : value.toFixed(value < 100 ? 1 : 0);
  return text.replace(/\B(?=(\d{3})+(?!\d))/g, THIN);
}

/** @param {number} number @param {string} noun */
export const counted = (number, noun) => `${whole(number)} ${noun}${number === 1 ? "" : "s"}`;

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
  const text = Math.abs(value) >= 1e-3 || value === 0 ? String(Number(value.toPrecision(4))) : value.toExponential(1);
  return text.replace("-", MINUS);
}

const speaker = { timer: 0 };

/** Say something to those who listen, once the hand rests. @param {string} text */
export function say(text) {
  clearTimeout(speaker.timer);
  speaker.timer = setTimeout(() => { byId("live").textContent = text; }, 400);
}

/** Share of the objective's metric in words: "micro F1". @param {string} average */
export const objectiveName = (average) => `${average} ${spec.title}`;
