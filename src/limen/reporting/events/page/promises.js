// What the thresholds promise of new recordings, and what edits leave of it.

import { changed, isGiven } from "./counting.js";
import { counted } from "../../page/dom.js";
import { content, labels } from "./model.js";

const promises = content.promises;

/** The labels that a promise is still made for: none of one for all labels together, once anything is edited.
 * @param {number} n  Its number. */
function stillFor(n) {
  const { labels: of, lasting } = promises[n];
  if (changed().length === 0) return of;
  return lasting ? of.filter(isGiven) : [];
}

/** @returns {string[]} */
export const promiseLines = () => promises.map(({ said, labels: of }, n) => {
  const still = stillFor(n);
  if (changed().length === 0 || still.length === of.length) return `promised: ${said}.`;
  if (still.length === 0) return `promised as given: ${said}. As edited it is promised no more.`;
  return `promised: ${said}. The edits end it for ${counted(of.length - still.length, "label")}; that of the other ${still.length} stays.`;
});

/** Promises of a file, as far as they still hold. @param {Record<string, any>[]} given */
export const leftOf = (given) => given.flatMap((one, n) => {
  const still = stillFor(n);
  return changed().length === 0 ? [one] : still.length ? [{ ...one, labels: still.map((k) => labels[k]) }] : [];
});
