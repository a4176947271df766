// Elements, numbers and files that leave a page: what every report's page uses. Names of labels, items and recordings only
// ever become text nodes.

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

/** A number to four digits. @param {number} value */
export const digits = (value) => (Math.abs(value) >= 1e-3 || value === 0 ? String(Number(value.toPrecision(4)))
  : value.toExponential(1)).replace("-", MINUS);

/** @param {string} name @param {string} text @param {string} type */
export function download(name, text, type) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = el("a", { href: address, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}
