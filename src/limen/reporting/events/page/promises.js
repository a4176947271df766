// What the thresholds promise of new recordings, and what edits leave of it.

import { promiseFor } from "../../page/bounds.js";
import { changed, isGiven } from "./counting.js";
import { counted } from "../../page/dom.js";
import { content, labels } from "./model.js";

const promise = content.promise;

/** The labels that the promise is still made for: none of one for all labels together, once anything is edited. */
function promisedNow() {
  if (promise === null) return [];
  if (changed().length === 0) return promise.labels;
  return promise.lasting ? promise.labels.filter(isGiven) : [];
}

/** @returns {string[]} */
export function promiseLines() {
  if (promise === null) return [];
  const still = promisedNow().length, number = promise.labels.length;
  if (changed().length === 0 || (promise.lasting && still === number)) return [`promised: ${promise.said}.`, ...(promise.held ? [`${promise.held}.`] : [])];
  if (still === 0) return [`promised as given: ${promise.said}.`, "Edited settings promise nothing: the promise was made of those as given."];
  return [`promised: ${promise.said}.`, `The edits end the promise for ${counted(number - still, "label")}; that of the other ${counted(still, "label")} stays.`];
}

/** The promise of an edited file, null if nothing is left of it. */
export function promiseToSave() {
  const still = promisedNow();
  return still.length ? promiseFor(content.file.original.promise, still.map((k) => labels[k])) : null;
}
