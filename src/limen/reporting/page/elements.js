// Elements and texts. Names of labels and items only ever become text nodes.

/** @param {string} id @returns {HTMLElement} */
function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element ${id}`);
  return found;
}

/** @param {string} id */
const inputById = (id) => /** @type {HTMLInputElement} */ (byId(id));

/**
 * An element. Properties starting with "on" are listeners, "class" and others attributes.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node | string | null)} children
 * @returns {HTMLElement}
 */
function el(tag, properties = {}, ...children) {
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
function svg(tag, properties, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** A name that is data: kept from turning the text around it. @param {string} name */
const nameOf = (name) => el("bdi", { title: name }, name);

/** A number with its exact value behind it. @param {number} value @param {string} text */
const exact = (value, text) => el("data", { value: String(value) }, text);

const THIN = "\u202f";
const MINUS = "\u2212";

/** 20371 as "20 371". @param {number} value */
function whole(value) {
  const text = Number.isInteger(value) ? String(value) : value.toFixed(value < 100 ? 1 : 0);
  return text.replace(/\B(?=(\d{3})+(?!\d))/g, THIN);
}

/** @param {number} number @param {string} noun */
const counted = (number, noun) => `${whole(number)} ${noun}${number === 1 ? "" : "s"}`;

/** A share in percent. @param {number} value */
const percent = (value) => (100 * value).toFixed(1).replace("-", MINUS);

const inPercent = spec.name !== "cost";
const unit = inPercent ? `${THIN}%` : "";

/** A value of the metric, without its unit. @param {number} value */
const metricText = (value) => (inPercent ? percent(value) : value.toFixed(4).replace("-", MINUS));

/** A difference with its sign. @param {number} value @param {(value: number) => string} text */
function signed(value, text) {
  const shown = text(value);
  if (Number(shown.replace(MINUS, "-")) === 0) return text(0);
  return value > 0 ? `+${shown}` : shown;
}

/** How a change is coloured: not at all where it shows as none. @param {number} value */
const wayOf = (value) => (signed(value, metricText) === metricText(0) ? "" : value < 0 ? "down" : "up");

/** A threshold to four digits. @param {number} value */
function cutText(value) {
  if (value === Infinity) return "never";
  if (value <= lowest) return "any";
  const text = Math.abs(value) >= 1e-3 || value === 0 ? String(Number(value.toPrecision(4))) : value.toExponential(1);
  return text.replace("-", MINUS);
}

const speaker = { timer: 0 };

/** Say something to those who listen, once the hand rests. @param {string} text */
function say(text) {
  clearTimeout(speaker.timer);
  speaker.timer = setTimeout(() => { byId("live").textContent = text; }, 400);
}

/** Share of the objective's metric in words: "micro F1". @param {string} average */
const objectiveName = (average) => `${average} ${spec.title}`;
