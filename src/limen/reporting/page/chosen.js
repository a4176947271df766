// The label that is looked at, and who must know of it.

import { byId } from "./dom.js";

export const chosen = {
  label: 0,
  /** @type {((k: number) => void)[]} */
  listeners: [],
};

/** Show a label, where the page is. @param {number} k */
export function show(k) {
  chosen.label = k;
  for (const listener of chosen.listeners) listener(k);
}

/** Show a label, from the table or from elsewhere in the page, and go there if it is not beside. @param {number} k
 * @param {boolean} [jump] */
export function choose(k, jump = false) {
  show(k);
  if (jump || !matchMedia("(min-width: 1100px)").matches) {
    byId("label").scrollIntoView();
    byId("label-name").focus({ preventScroll: true });
  }
}
